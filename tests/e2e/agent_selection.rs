//! Which files a backup takes: what is missing, what is no file, what changes while it is read, what has no name in UTF-8.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::agent::Agent;
use crate::support::busy_tree::BusyTree;
use crate::support::estate::Estate;
use crate::support::fleet::text;
use crate::support::runs::Wanted;
use crate::support::seen::seen;
use crate::support::{Raised, skip};

fn folder(path: &Path) -> Value {
    json!({"FilePath": path, "FileItemType": "Folder"})
}

/// Backs up once; the state, the report, and the paths of what came back in a restore.
fn backed_up(estate: &Estate, agent: &Agent, changes: &Value) -> (i64, String, Value) {
    let configuration = estate.configure(agent, &estate.path("unused"), changes);
    let backup = estate.api.start(configuration);
    let (state, report) = estate.api.await_end(backup);
    (backup, state, report)
}

/// Every path below what a restore brought back, as it was in the source.
fn restored(estate: &Estate, agent: &Agent, backup: i64) -> BTreeSet<PathBuf> {
    let target = estate.path(&format!("target {backup}"));
    estate.api.restore(&Wanted::all(backup, agent.id, &target));
    let mut found = BTreeSet::new();
    let mut folders = vec![target.clone()];
    while let Some(within) = folders.pop() {
        for entry in std::fs::read_dir(&within).expect("a folder is read") {
            let path = entry.expect("an entry").path();
            if path.symlink_metadata().expect("it is there").is_dir() {
                folders.push(path.clone());
            }
            found.insert(Path::new("/").join(path.strip_prefix(&target).expect("it is below")));
        }
    }
    found
}

#[test]
fn what_is_missing_is_one_error_each_and_the_rest_is_backed_up() {
    let estate = Estate::new();
    let agent = estate.agent("web-a");
    let source = estate.planted("source", 1, 0);
    let missing = [estate.path("no folder"), estate.path("no file")];
    let inclusions = json!([folder(&source), folder(&missing[0]), {"FilePath": &missing[1], "FileItemType": "File"}]);
    let (backup, state, report) = backed_up(&estate, &agent, &json!({"Inclusions": inclusions}));
    assert_eq!(state, "CompletedWithErrors", "{report}");
    assert_eq!((&report["NumErrors"], &report["CanRestore"]), (&json!(2), &json!(true)));
    let listed: BTreeSet<String> = report["ErrorList"].as_array().expect("a list").iter().map(|error| text(&error["Path"])).collect();
    assert_eq!(listed, missing.iter().map(|path| path.display().to_string()).collect());
    assert!(restored(&estate, &agent, backup).contains(&source.join("empty")));
}

#[test]
fn nothing_at_all_is_a_failure_that_supersedes_nothing() {
    let estate = Estate::new();
    let agent = estate.agent("web-a");
    let gone = json!({"Inclusions": [folder(&estate.path("gone"))]});
    let (_, state, report) = backed_up(&estate, &agent, &gone);
    assert_eq!((state.as_str(), text(&report["Reason"])), ("Failed", "SelectionMissing".to_owned()), "{report}");
    let empty = estate.path("empty");
    std::fs::create_dir(&empty).expect("a folder is made");
    let nothing = json!({"BackupConfigurationName": "empty", "Inclusions": [folder(&empty)]});
    let (_, state, report) = backed_up(&estate, &agent, &nothing);
    assert_eq!((state.as_str(), text(&report["Reason"])), ("Failed", "NothingToBackUp".to_owned()), "{report}");
    assert_eq!((&report["CanRestore"], &report["SnapshotId"]), (&json!(false), &Value::Null));
}

#[test]
fn the_longest_matching_item_wins_and_what_is_on_disk_counts() {
    let estate = Estate::new();
    let agent = estate.agent("web-a");
    let source = estate.path("source");
    for name in ["a/b/c/deep", "a/b/other", "a/top", "a/bb/not b"] {
        let path = source.join(name);
        std::fs::create_dir_all(path.parent().expect("it has one")).and_then(|()| std::fs::write(&path, name)).expect("it is written");
    }
    // A client that looks on its own machine calls a folder a file.
    let changes = json!({
        "Inclusions": [{"FilePath": source.join("a"), "FileItemType": "File"}, folder(&source.join("a/b/c"))],
        "Exclusions": [folder(&source.join("a/b"))],
    });
    let (backup, state, report) = backed_up(&estate, &agent, &changes);
    assert_eq!(state, "Completed", "{report}");
    let found = restored(&estate, &agent, backup);
    for (name, is_there) in [("a/b/c/deep", true), ("a/b/other", false), ("a/top", true), ("a/bb/not b", true)] {
        assert_eq!(found.contains(&source.join(name)), is_there, "{name} in {found:?}");
    }
}

#[test]
fn links_are_stored_and_never_followed() {
    let estate = Estate::new();
    let agent = estate.agent("web-a");
    let (source, outside) = (estate.path("source"), estate.path("outside"));
    std::fs::create_dir(&source).and_then(|()| std::fs::create_dir(&outside)).expect("folders are made");
    std::fs::write(outside.join("secret"), "x").expect("a file is written");
    symlink(&outside, source.join("folder")).and_then(|()| symlink(source.join("loop"), source.join("loop"))).expect("links are made");
    let (backup, state, report) = backed_up(&estate, &agent, &json!({"Inclusions": [folder(&source)]}));
    assert_eq!(state, "Completed", "{report}");
    let found = restored(&estate, &agent, backup);
    assert!(found.contains(&source.join("folder")) && found.contains(&source.join("loop")), "{found:?}");
    assert!(!found.iter().any(|path| path.ends_with("secret")), "{found:?}");
}

#[test]
fn what_is_no_file_and_the_agents_own_state_are_left_out() {
    let estate = Estate::new();
    let source = estate.path("source");
    std::fs::create_dir(&source).expect("a folder is made");
    let mut agent = estate.machine("web-a").with_state(&source.join("state"));
    agent.register(&estate.user, &[]);
    agent.start();
    std::fs::write(source.join("file"), "x").expect("a file is written");
    let _listener = std::os::unix::net::UnixListener::bind(source.join("socket")).expect("a socket is made");
    rustix::fs::mkfifoat(rustix::fs::CWD, source.join("fifo"), rustix::fs::Mode::RUSR).expect("a FIFO is made");
    let is_mounted = mounted_proc(&source.join("proc"));
    let (backup, state, report) = backed_up(&estate, &agent, &json!({"Inclusions": [folder(&source)]}));
    drop(is_mounted);
    assert_eq!(state, "Completed", "{report}");
    let found = restored(&estate, &agent, backup);
    let names: BTreeSet<_> = found.iter().filter_map(|path| path.strip_prefix(&source).ok()).map(Path::to_owned).collect();
    assert!(names.contains(Path::new("file")) && names.contains(Path::new("fifo")), "{names:?}");
    assert!(!names.contains(Path::new("socket")), "{names:?}");
    // The folders themselves are there, so that a restored machine has somewhere to mount.
    assert!(!names.iter().any(|name| name.components().count() > 1), "{names:?}");
}

/// A pseudo file system, unmounted when dropped; `None`, loudly, where that may not be mounted.
fn mounted_proc(at: &Path) -> Option<Mounted> {
    std::fs::create_dir(at).expect("a folder is made");
    let mounted = std::process::Command::new("mount").args(["-t", "proc", "proc"]).arg(at).status();
    if mounted.is_ok_and(|status| status.success()) {
        return Some(Mounted(at.to_owned()));
    }
    skip("a pseudo file system cannot be mounted");
    None
}

struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        drop(std::process::Command::new("umount").arg(&self.0).status());
    }
}

#[test]
fn names_that_are_not_utf_8_are_kept_and_can_be_asked_for() {
    let estate = Estate::new();
    let agent = estate.agent("web-a");
    let source = estate.path("source");
    let odd = source.join(OsStr::from_bytes(b"latin \xe9"));
    std::fs::create_dir_all(&odd).and_then(|()| std::fs::write(odd.join("within"), "x")).expect("it is written");
    std::fs::write(source.join("beside"), "y").expect("a file is written");
    let encoded =
        json!({"FilePath": source.join("latin"), "FilePathEncoded": STANDARD.encode(odd.as_os_str().as_bytes()), "FileItemType": "Folder"});
    let (backup, state, report) = backed_up(&estate, &agent, &json!({"Inclusions": [encoded]}));
    assert_eq!(state, "Completed", "{report}");
    let found = restored(&estate, &agent, backup);
    assert!(found.contains(&odd.join("within")) && !found.contains(&source.join("beside")), "{found:?}");
}

/// What is written and removed meanwhile costs at most its own file; each that came back is one that there was.
#[test]
fn files_that_change_and_vanish_under_the_backup_cost_nothing_else() {
    let estate = Estate::new();
    let agent = estate.agent("web-a");
    let (source, still) = (estate.path("source"), estate.planted("source/still", 2, 8));
    let configuration = estate.configure(&agent, &source, &json!({}));
    let before = seen(&still);
    let (stop, mut tree) = (AtomicBool::new(false), BusyTree::plant(&source.join("busy"), 0x5EED_0008));
    let (backup, state, report) = std::thread::scope(|scope| {
        let raised = Raised(&stop);
        scope.spawn(|| tree.edit_until(&stop));
        let backup = estate.api.start(configuration);
        let (state, report) = estate.api.await_end(backup);
        drop(raised);
        (backup, state, report)
    });
    assert!(["Completed", "CompletedWithErrors"].contains(&state.as_str()), "{report}");
    let target = estate.path("target");
    estate.api.restore(&Wanted::all(backup, agent.id, &target));
    assert_eq!(seen(&target.join(still.strip_prefix("/").expect("a whole path"))), before);
}

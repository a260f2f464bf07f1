//! What a selection takes of a real tree.

use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::process::Command;

use tempfile::TempDir;

use super::*;
use crate::vault::cancel::Cancel;
use crate::vault::source::walk::{Step, Walk};
use crate::wire::channel::work::{Path as Sent, selection};

/// A folder that a selection is tried on.
struct Tree(TempDir);

/// What was walked, by its path below the tree, folders with a slash behind them; and what is wrong with which path.
type Walked = (Vec<String>, Vec<(PathBuf, Option<i32>)>);

impl Tree {
    fn of(files: &[&str]) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        for file in files {
            let path = tree.at(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        tree
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn items(&self, names: &[&str]) -> Vec<Sent> {
        names.iter().map(|name| sent(&self.at(name), "Folder")).collect()
    }

    fn plan(&self, inclusions: &[&str], exclusions: &[&str]) -> Plan {
        plan(&self.items(inclusions), &self.items(exclusions))
    }

    fn walked(&self, inclusions: &[&str], exclusions: &[&str]) -> Walked {
        self.walk(&self.plan(inclusions, exclusions))
    }

    fn walk(&self, plan: &Plan) -> Walked {
        let (mut met, mut failures) = (Vec::new(), plan.failures.clone());
        let mut meet = |path: &Path, end: &str| {
            if let Ok(below) = path.strip_prefix(self.0.path())
                && !below.as_os_str().is_empty()
            {
                met.push(format!("{}{end}", below.as_os_str().as_bytes().escape_ascii()));
            }
        };
        let walk = Walk { select: &plan.scan, cancel: &Cancel::default(), with_atime: false };
        let done = walk.run(&plan.sources, &mut |step| {
            match step {
                Step::Enter { path, .. } => meet(path, "/"),
                Step::Entry(entry) => meet(entry.path, ""),
                Step::Leave { .. } => {}
                Step::Failed(failure) => failures.push(failure),
            }
            Ok(())
        });
        assert!(done.is_ok() || plan.sources.is_empty(), "{:?}", done.err());
        (met, failures.into_iter().map(|failure| (failure.path, failure.errno)).collect())
    }
}

fn sent(path: &Path, item_type: &str) -> Sent {
    let path_encoded = path.to_str().is_none().then(|| data_encoding::BASE64.encode(path.as_os_str().as_bytes()));
    Sent { path: path.to_string_lossy().into_owned(), path_encoded, item_type: item_type.to_owned() }
}

fn plan(inclusions: &[Sent], exclusions: &[Sent]) -> Plan {
    Plan::new(&selection(inclusions, exclusions).expect("a selection"), Path::new("/nowhere"))
}

#[test]
fn the_longest_item_decides_and_a_folder_on_the_way_is_there_for_that_alone() {
    let tree = Tree::of(&["www/f", "www/logs/f", "www/logs/kept/f", "www/logs/way/far/f", "www/logs/way/f", "other/f"]);
    let (met, failures) = tree.walked(&["www", "www/logs/kept", "www/logs/way/far/f"], &["www/logs"]);
    let logs = ["www/logs/", "www/logs/kept/", "www/logs/kept/f", "www/logs/way/", "www/logs/way/far/", "www/logs/way/far/f"];
    assert_eq!(met, [&["www/", "www/f"][..], &logs].concat());
    assert_eq!(failures, []);
    assert_eq!(tree.plan(&["www", "www/logs/kept"], &["www/logs"]).sources, [tree.at("www")], "what is nested is met on the way");
    assert_eq!(tree.walked(&["www", "other"], &["www", "other/f"]).0, ["other/"], "an exclusion beats an inclusion of the same path");
}

#[test]
fn what_is_on_the_disk_counts_and_databases_are_none() {
    let tree = Tree::of(&["folder/f", "file"]);
    let items = [sent(&tree.at("folder"), "File"), sent(&tree.at("file"), "Folder")];
    assert_eq!(tree.walk(&plan(&items, &[])).0, ["file", "folder/", "folder/f"]);
    let database = plan(&[sent(&tree.at("folder"), "Database")], &[]);
    assert_eq!((database.databases, database.sources.len(), database.failures.len(), database.is_any_there), (1, 0, 0, false));
    let both = plan(&[sent(&tree.at("file"), "File"), sent(&tree.at("folder"), "Database")], &[]);
    assert_eq!(tree.walk(&both).0, ["file"]);
}

#[test]
fn each_inclusion_that_is_not_there_is_told_once() {
    let tree = Tree::of(&["a/f"]);
    let missing = |name: &str| (tree.at(name), Some(2));
    let mut items = tree.items(&["a", "a/gone/", "gone", "a/f"]);
    items.push(Sent { path: r"C:\Websites".to_owned(), path_encoded: None, item_type: "Folder".to_owned() });
    let plan = plan(&items, &[]);
    let (met, failures) = tree.walk(&plan);
    assert_eq!(met, ["a/", "a/f"]);
    assert_eq!(failures.len(), 3, "{failures:?}");
    assert!(
        [missing("a/gone"), missing("gone"), (r"C:\Websites".into(), Some(2))].iter().all(|one| failures.contains(one)),
        "{failures:?}"
    );
    assert!(plan.is_any_there && !tree.plan(&["gone"], &[]).is_any_there);
}

#[test]
fn no_link_is_followed_but_above_an_outermost_inclusion() {
    let tree = Tree::of(&["real/f", "real/g/h"]);
    symlink("real", tree.at("link")).unwrap();
    symlink(tree.at("real"), tree.at("real/g/up")).unwrap();
    assert_eq!(tree.walked(&["link"], &[]).0, ["link"]);
    assert_eq!(tree.walked(&["link/g"], &[]).0, ["link/", "link/g/", "link/g/h", "link/g/up"]);
    let plan = tree.plan(&["", "link/g", "real/g/up/f"], &[]);
    let behind: Vec<_> = plan.failures.iter().map(|failure| (failure.path.clone(), failure.why.contains("behind the link"))).collect();
    assert_eq!(behind, [(tree.at("link/g"), true), (tree.at("real/g/up/f"), true)], "they would be silently missing");
}

#[test]
fn names_are_bytes() {
    let tree = Tree::of(&["d/f"]);
    let odd = tree.0.path().join(std::ffi::OsString::from_vec(b"d/\xff\n".to_vec()));
    fs::create_dir(&odd).unwrap();
    fs::write(odd.join("kept"), "").unwrap();
    fs::write(odd.join("left"), "").unwrap();
    let exclusions = [sent(&tree.at("d"), "Folder"), sent(&odd.join("left"), "File")];
    let (met, failures) = tree.walk(&plan(&[sent(&tree.at(""), "Folder"), sent(&odd, "Folder")], &exclusions));
    assert_eq!((met, failures), (vec!["d/".to_owned(), r"d/\xff\n/".to_owned(), r"d/\xff\n/kept".to_owned()], Vec::new()));
}

#[test]
fn the_agents_own_folder_is_left_out_under_every_path() {
    let tree = Tree::of(&["state/cache/c", "state/private-key.pem", "f"]);
    symlink("state", tree.at("link")).unwrap();
    let plan_of = |names: &[&str]| Plan::new(&selection(&tree.items(names), &[]).unwrap(), &tree.at("link"));
    assert_eq!(tree.walk(&plan_of(&[""])).0, ["f", "link", "state/"]);
    for named in ["state", "state/cache", "link/cache"] {
        let plan = plan_of(&[named, "f"]);
        assert_eq!((plan.failures.len(), plan.sources.len()), (1, 1), "{named}");
        assert!(plan.failures[0].why.contains("agent's own"), "{}", plan.failures[0].why);
    }
}

#[test]
fn what_the_kernel_makes_up_is_no_inclusion() {
    let tree = Tree::of(&["f"]);
    let named = ["/proc", "/proc/self/status", "/sys/kernel"].map(|path| sent(Path::new(path), "Folder"));
    let plan = plan(&[&named[..], &tree.items(&["f"])].concat(), &[]);
    assert_eq!((plan.failures.len(), plan.sources.as_slice()), (3, &[tree.at("f")][..]));
    assert!(plan.is_any_there);
}

/// Takes nothing but the top of the file system.
#[test]
fn of_the_whole_machine_proc_and_sys_are_empty_folders() {
    let plan = plan(&[sent(Path::new("/"), "Folder")], &[]);
    for path in ["/proc", "/sys"] {
        let (device, parent_device) = (fs::metadata(path).unwrap().dev(), fs::metadata("/").unwrap().dev());
        let found = Found { path: Path::new(path), is_folder: true, size_bytes: 0, device, parent_device, source_device: parent_device };
        let folder = fs::File::open(path).unwrap();
        let inside = plan.scan.inside(std::os::fd::AsFd::as_fd(&folder));
        assert_eq!((plan.scan.by_metadata(&found), inside), (Verdict::Take, Inside::Nothing), "{path}");
    }
}

/// A mounted file system, until this is dropped.
struct Mounted(PathBuf);

impl Mounted {
    /// `None`, and said loudly, where this process may not mount.
    fn new(kind: &str, at: PathBuf) -> Option<Self> {
        fs::create_dir_all(&at).unwrap();
        let done =
            Command::new("mount").args(["-t", kind, "strongroom-test"]).arg(&at).output().is_ok_and(|output| output.status.success());
        if !done {
            assert!(std::env::var("STRONGROOM_TEST_TOOLS").as_deref() != Ok("required"), "mounting was promised");
            skip("this process may not mount file systems");
            return None;
        }
        Some(Self(at))
    }
}

fn skip(why: &str) {
    println!("SKIPPED: {why}");
}

impl Drop for Mounted {
    fn drop(&mut self) {
        assert!(Command::new("umount").arg("-l").arg(&self.0).status().is_ok_and(|status| status.success()));
    }
}

#[test]
fn what_is_in_memory_alone_is_left_out_unless_an_inclusion_lies_in_it() {
    let tree = Tree::of(&["d/f"]);
    let Some(_mounted) = Mounted::new("tmpfs", tree.at("d/run")) else { return };
    for file in ["d/run/x", "d/run/a/in/f", "d/run/a/other"] {
        fs::create_dir_all(tree.at(file).parent().unwrap()).unwrap();
        fs::write(tree.at(file), "x").unwrap();
    }
    assert_eq!(tree.walked(&["d"], &[]), (vec!["d/".into(), "d/f".into(), "d/run/".into()], Vec::new()));
    let all = ["d/run/", "d/run/a/", "d/run/a/in/", "d/run/a/in/f", "d/run/a/other", "d/run/x"];
    assert_eq!(tree.walked(&["d/run"], &[]).0, [&["d/"][..], &all].concat());
    assert_eq!(tree.walked(&["d", "d/run"], &[]).0, [&["d/", "d/f"][..], &all].concat());
    let within = ["d/", "d/f", "d/run/", "d/run/a/", "d/run/a/in/", "d/run/a/in/f"];
    assert_eq!(tree.walked(&["d", "d/run/a/in"], &[]).0, within, "of the rest of it the outer inclusion covers nothing");
    assert_eq!(tree.walked(&["d", "d/run"], &["d/run/a"]).0, ["d/", "d/f", "d/run/", "d/run/x"]);
    assert_eq!(tree.walked(&["d/run/a/in"], &[]).0, ["d/", "d/run/", "d/run/a/", "d/run/a/in/", "d/run/a/in/f"]);
}

#[test]
fn proc_is_left_out_wherever_it_is_mounted() {
    let tree = Tree::of(&["chroot/etc/f"]);
    let Some(_mounted) = Mounted::new("proc", tree.at("chroot/proc")) else { return };
    assert_eq!(tree.walked(&["chroot"], &[]).0, ["chroot/", "chroot/etc/", "chroot/etc/f", "chroot/proc/"]);
    let plan = tree.plan(&["chroot", "chroot/proc/1"], &[]);
    assert_eq!(plan.failures.len(), 1, "{:?}", plan.failures);
    assert_eq!(tree.walk(&plan).0, ["chroot/", "chroot/etc/", "chroot/etc/f", "chroot/proc/"]);
}

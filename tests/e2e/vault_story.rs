//! The vault commands as a whole: a folder is backed up, changed, backed up again, listed, restored, forgotten and pruned.

use std::path::Path;

use crate::support::restic::vault;
use crate::support::setup::Setup;
use crate::support::tree;
use crate::support::vault::{Vault, entries, planted};

#[test]
fn a_folder_is_kept_in_a_folder() {
    let place = tempfile::tempdir().expect("a temporary folder");
    live(&Vault::at(place.path().join("repository")));
}

#[test]
fn a_folder_is_kept_in_a_vault_account_over_tls() {
    for server in Setup::new().tls().each_catalog() {
        live(&Vault::of(&vault(&server), "/web/"));
        server.run(&["check"]).expect_exit(0);
    }
}

fn live(vault: &Vault) {
    let made = vault.json(&["init"]);
    assert_eq!((made["version"].as_u64(), made["id"].as_str().map(str::len)), (Some(2), Some(64)), "{made}");
    let tree = planted(7);
    let path = tree.path().display().to_string();
    let first = vault.json(&["backup", &path, "--tag", "one,two"]);
    assert_eq!((first["files_new"].as_u64(), first["files_unmodified"].as_u64()), (Some(16), Some(0)), "{first}");
    assert_eq!((first["failures"].as_array().map(Vec::len), &first["parent"]), (Some(0), &serde_json::Value::Null), "{first}");
    let before = entries(tree.path());

    std::fs::write(tree.path().join("text"), "changed").expect("a file is written");
    std::fs::write(tree.path().join("new"), tree::bytes(77, 300_000)).expect("a file is written");
    let told = vault.ok(&["backup", &path]);
    for part in ["1 new, 1 changed, 15 unmodified", "Snapshot ", " is saved"] {
        assert!(told.contains(part), "{part} in {told}");
    }
    let snapshots = vault.json(&["snapshots"]);
    assert_eq!(snapshots.as_array().map(Vec::len), Some(2), "{snapshots}");
    assert_eq!((&snapshots[0]["id"], &snapshots[1]["parent"]), (&first["snapshot_id"], &first["snapshot_id"]), "{snapshots}");
    assert_eq!((&snapshots[0]["tags"], &snapshots[0]["paths"]), (&serde_json::json!(["one", "two"]), &serde_json::json!([path])));
    assert_eq!(vault.json(&["snapshots", "--tag", "two,one"]).as_array().map(Vec::len), Some(1));
    assert_eq!(vault.json(&["snapshots", "--latest", "1"])[0]["id"], snapshots[1]["id"]);
    assert!(vault.ok(&["snapshots"]).contains("one,two"));

    list(vault, tree.path());
    restore(vault, tree.path(), first["snapshot_id"].as_str().expect("an id"), &before);
    cleanup(vault, first["snapshot_id"].as_str().expect("an id"));
    vault.expect_restored("latest", tree.path());
}

fn list(vault: &Vault, tree: &Path) {
    let at = |name: &str| format!("{}/{name}", tree.display());
    let all = vault.ls(&["latest"]);
    assert!(all.contains(&at("folder 0/file 0")) && all.contains(&at("link")) && !all.iter().any(|line| line.contains("\u{1b}")));
    assert_eq!(vault.ls(&["latest", &at("folder 0")]).len(), 5, "the folder and what is in it");
    assert_eq!(vault.ls(&[&format!("latest:{}", at("folder 1"))]).len(), 4);
    let long = vault.ok(&["ls", "-l", "latest", &at("link")]);
    assert!(long.starts_with("lrwxrwxrwx") && long.trim_end().ends_with("link -> text"), "{long}");
    let listed = vault.json(&["ls", "latest", &at("text")]);
    let text = &listed.as_array().expect("an array")[0];
    assert_eq!((text["type"].as_str(), text["size"].as_u64()), (Some("file"), Some(7)), "{text}");
    assert!(text["permissions"].as_str().is_some_and(|mode| mode.ends_with("r-----")), "{text}");
    assert!(text["mtime"].as_str().is_some_and(|time| time.ends_with('Z')), "{text}");
    vault.run(&["ls", "latest", "/nothing"]).expect_exit(1);
}

fn restore(vault: &Vault, tree: &Path, first: &str, before: &[String]) {
    vault.expect_restored("latest", tree);
    let target = tempfile::tempdir().expect("a temporary folder");
    let into = |name: &str| target.path().join(name).display().to_string();
    let source = format!("{}:{}", &first[..12], tree.display());
    let told = vault.ok(&["restore", &source, "--target", &into("first")]);
    assert!(told.starts_with("Restored 16 files, 4 folders and 1 other, "), "{told}");
    assert_eq!(entries(&target.path().join("first")), before);

    let report = vault.json(&["restore", &source, "--target", &into("some"), "--include", "/folder 0", "--iinclude", "*.O"]);
    assert_eq!((report["files_restored"].as_u64(), &report["snapshot_id"]), (Some(5), &serde_json::json!(first)), "{report}");
    vault.ok(&["restore", &source, "--target", &into("others"), "--exclude", "/folder 0", "--exclude", "*.o"]);
    let names =
        |below: &str| -> Vec<String> { tree::files_below(Path::new(&into(below))).iter().map(|file| format!("{file:?}")).collect() };
    assert_eq!(names("some").len() + names("others").len(), 17, "each is in one of them");
    assert!(names("some").iter().any(|name| name.contains("object.o")) && !names("others").iter().any(|name| name.contains("object.o")));

    std::fs::write(target.path().join("first/text"), "mine").expect("a file is written");
    vault.ok(&["restore", &source, "--target", &into("first"), "--overwrite", "never"]);
    assert_eq!(std::fs::read(target.path().join("first/text")).expect("a file is read"), b"mine");
    let dry = vault.json(&["restore", &source, "--target", &into("dry"), "--dry-run"]);
    assert!(!Path::new(&into("dry")).exists() && dry["files_restored"].as_u64() == Some(16), "{dry}");
    let again = vault.json(&["restore", &source, "--target", &into("first"), "--overwrite", "if-changed", "--verify"]);
    assert!(again["files_verified"].as_u64() > Some(0), "{again}");
    assert_eq!(entries(&target.path().join("first")), before);
}

fn cleanup(vault: &Vault, first: &str) {
    let dry = vault.json(&["forget", "--keep-last", "1", "--dry-run", "--prune"]);
    assert_eq!((&dry["removed"], dry["dry_run"].as_bool()), (&serde_json::json!([first]), Some(true)), "{dry}");
    assert_eq!(vault.snapshots().len(), 2);
    let done = vault.json(&["forget", "-l", "1", "--prune"]);
    assert_eq!((&done["removed"], &done["groups"][0]["keep"][0]["reasons"]), (&dry["removed"], &serde_json::json!(["last snapshot"])));
    assert_eq!(vault.snapshots().len(), 1);
    let nothing = vault.json(&["prune", "--max-unused", "0"]);
    assert_eq!(nothing["blobs_left_unused"]["count"].as_u64(), Some(0), "{nothing}");
    let checked = vault.json(&["check", "--read-data"]);
    assert_eq!((checked["is_clean"].as_bool(), &checked["packs_read"]), (Some(true), &checked["packs"]), "{checked}");
    for subset in ["1/1", "100%", "1T"] {
        vault.ok(&["check", "--read-data-subset", subset]);
    }
}

#[test]
fn a_dated_view_is_read_and_never_written() {
    use crate::support::clock::{SECOND, TestClock};
    let clock = TestClock::new();
    let server = Setup::new().clock(&clock).start();
    let account = vault(&server);
    let live = Vault::of(&account, "/");
    live.ok(&["init"]);
    let tree = planted(8);
    live.backup(tree.path());
    clock.advance(SECOND);
    let then = clock.time();
    clock.advance(SECOND);
    let id = live.snapshots().remove(0);
    live.ok(&["forget", &id, "--prune"]);
    assert!(live.snapshots().is_empty());
    let view = Vault::of(&account, &format!("/@{then}/"));
    view.expect_restored("latest", tree.path());
    view.ok(&["check", "--read-data"]);
    assert!(!view.ls(&["latest"]).is_empty());
    for arguments in [&["backup", "/etc/hostname"][..], &["forget", &id], &["key", "passwd", "--new-password-file", "/etc/hostname"]] {
        let ran = view.run(arguments).expect_exit(1);
        assert!(ran.out.is_empty() && ran.complaint.contains("for reading alone"), "{ran:?}");
    }
    view.expect_restored("latest", tree.path());
}

#[test]
fn a_session_restores_without_the_access_url_and_changes_nothing() {
    let server = Setup::new().start();
    let account = vault(&server);
    let live = Vault::of(&account, "/");
    live.ok(&["init"]);
    let tree = planted(9);
    let id = live.backup(tree.path());
    let url = format!("{}{}", account.site.origin(), account.make_session());
    let session = Vault::at(&url);
    session.expect_restored(&id, tree.path());
    session.ok(&["check", "--read-data"]);
    for arguments in [&["backup", "/etc/hostname"][..], &["forget", &id], &["init"]] {
        let ran = session.run(arguments).expect_exit(1);
        assert!(ran.complaint.contains("for reading alone") || ran.complaint.contains(" already"), "{arguments:?}: {ran:?}");
        assert!(!ran.complaint.contains(url.trim_end_matches('/').rsplit('/').next().expect("a token")), "{ran:?}");
    }
    assert_eq!(live.snapshots(), std::slice::from_ref(&id));
    server.run(&["account", "rotate", &account.user]).expect_exit(0);
    let ended = session.run(&["restore", &id, "--target", "/nowhere"]).expect_exit(1);
    assert!(ended.complaint.contains("410"), "a session ends with the password that made it: {ended:?}");
}

//! What the options of the vault commands do.

use std::path::Path;

use crate::support::ran::Ran;
use crate::support::tree;
use crate::support::vault::{Vault, planted};

fn made() -> (tempfile::TempDir, Vault) {
    let place = tempfile::tempdir().expect("a temporary folder");
    let vault = Vault::at(place.path().join("repository"));
    vault.ok(&["init"]);
    (place, vault)
}

/// The names below `tree` in the newest snapshot.
fn names(vault: &Vault, tree: &Path) -> Vec<String> {
    let begin = format!("{}/", tree.display());
    vault.ls(&["latest"]).into_iter().filter_map(|path| path.strip_prefix(&begin).map(str::to_owned)).collect()
}

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("a folder is made");
    std::fs::write(path, bytes).expect("a file is written");
}

#[test]
fn what_is_excluded_is_not_in_the_snapshot() {
    let (place, vault) = made();
    let tree = tempfile::tempdir().expect("a temporary folder");
    for name in ["a.o", "B.TMP", "keep", "deep/x.bak", "cache/data", "marked/data", "from file"] {
        write(tree.path(), name, name);
    }
    write(tree.path(), "large", tree::bytes(1, 3000));
    write(tree.path(), "cache/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n");
    write(tree.path(), "marked/.nobackup", "");
    write(place.path(), "patterns", "# what goes\nfrom file\n");
    write(place.path(), "ipatterns", "*.BAK\n");
    let file = |name: &str| place.path().join(name).display().to_string();
    let path = tree.path().display().to_string();
    let options =
        ["--exclude-caches", "--exclude-if-present", ".nobackup", "--exclude-larger-than", "2k", "-e", "*.o", "--iexclude", "*.tmp"];
    let (exact, any_case) = (file("patterns"), file("ipatterns"));
    let report = vault.json(&[&["backup", &path, "-x", "--exclude-file", &exact, "--iexclude-file", &any_case], &options[..]].concat());
    assert_eq!(report["failures"].as_array().map(Vec::len), Some(0), "{report}");
    assert_eq!(names(&vault, tree.path()), ["cache", "cache/CACHEDIR.TAG", "deep", "keep", "marked", "marked/.nobackup"]);
    let snapshot = &vault.json(&["snapshots"])[0];
    assert_eq!(snapshot["excludes"], serde_json::json!(["*.o", "from file", "*.tmp", "*.BAK"]));
}

#[test]
fn paths_come_from_files_too() {
    let (place, vault) = made();
    let tree = planted(1);
    let at = tree.path().display().to_string();
    write(place.path(), "list", format!("# a list\n{at}/folder ?/file 1*\n"));
    write(place.path(), "verbatim", format!("{at}/text\n"));
    write(place.path(), "raw", format!("{at}/object.o\0"));
    let file = |name: &str| place.path().join(name).display().to_string();
    let (list, verbatim, raw) = (file("list"), file("verbatim"), file("raw"));
    vault.ok(&["backup", "--files-from", &list, "--files-from-verbatim", &verbatim, "--files-from-raw", &raw]);
    let expected = ["folder 0", "folder 1", "folder 1/file 1", "folder 1/file 10", "folder 2", "folder 2/file 11", "object.o", "text"];
    let names: Vec<String> = names(&vault, tree.path()).into_iter().filter(|name| name != "folder 0").collect();
    assert_eq!(names, expected[1..]);
    let ran = vault.run(&["backup"]).expect_exit(2);
    assert!(ran.complaint.contains("--files-from"), "{ran:?}");
}

#[test]
fn a_parent_is_the_newest_of_host_and_paths_or_the_named_one_or_none() {
    let (_place, vault) = made();
    let (tree, other) = (planted(2), planted(3));
    let (path, other) = (tree.path().display().to_string(), other.path().display().to_string());
    let parent = |arguments: &[&str]| {
        let report = vault.json(&[&["backup"], arguments].concat());
        let read = report["files_unmodified"] == 0;
        (report["parent"].as_str().map(str::to_owned), read, report["snapshot_id"].as_str().map(str::to_owned))
    };
    let first = parent(&[&path]).2;
    parent(&[&other]);
    parent(&[&path, "--host", "elsewhere"]);
    let (of, is_read, second) = parent(&[&path]);
    assert_eq!((of, is_read), (first.clone(), false));
    assert_eq!(parent(&[&path, "--force"]).0, None);
    let name = first.clone().expect("a snapshot");
    assert_eq!(parent(&[&path, "--parent", &name[..8]]).0, first);
    assert_eq!(parent(&[&path, "--time", "2020-01-02 03:04:05"]).0, None, "all others are newer");
    assert_ne!(parent(&[&path]).0, second, "newer ones are there");
    let before = vault.snapshots();
    let dry = vault.json(&["backup", &path, "--dry-run", "--no-lock"]);
    assert_eq!((dry["dry_run"].as_bool(), dry["snapshot_id"].is_null(), vault.snapshots()), (Some(true), true, before));
    let oldest = &vault.json(&["snapshots"])[0];
    assert!(oldest["time"].as_str().is_some_and(|time| time.starts_with("2020-01-02T03:04:05")), "{oldest}");
}

/// The folders above what is named belong to the snapshot, too; `.` has none that others write to.
#[test]
fn where_nothing_has_changed_a_snapshot_can_be_left_out() {
    let (_place, vault) = made();
    let tree = planted(5);
    let backup = || {
        let mut command = vault.command(&["backup", ".", "--skip-if-unchanged", "--json"]);
        let ran = Ran::of(&command.current_dir(tree.path()).output().expect("the binary runs")).expect_exit(0);
        serde_json::from_str::<serde_json::Value>(&ran.out).expect("one object")
    };
    let first = backup();
    let second = backup();
    assert_eq!((&second["parent"], second["snapshot_id"].is_null()), (&first["snapshot_id"], true), "{second}");
    std::fs::write(tree.path().join("text"), "changed").expect("a file is written");
    assert!(backup()["snapshot_id"].is_string());
    assert_eq!(vault.snapshots().len(), 2);
}

#[test]
fn snapshots_are_chosen_by_host_tag_and_path() {
    let (_place, vault) = made();
    let tree = planted(4);
    let path = tree.path().display().to_string();
    for (host, tag) in [("a", "x"), ("a", "y"), ("b", "x")] {
        vault.ok(&["backup", &path, "--host", host, "--tag", tag]);
    }
    let all = vault.snapshots();
    let ids = |arguments: &[&str]| {
        let list = vault.json(&[&["snapshots"], arguments].concat());
        list.as_array().expect("an array").iter().map(|one| one["id"].as_str().expect("an id").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&["-H", "a"]), all[..2]);
    assert_eq!(ids(&["--tag", "x"]), [all[0].clone(), all[2].clone()]);
    assert_eq!(ids(&["--path", &path]), all);
    assert_eq!(ids(&["--path", "/nowhere"]), Vec::<String>::new());
    assert_eq!(ids(&["latest", "-H", "a"]), [all[1].clone()]);
    assert_eq!(ids(&["--latest", "1"]), all[1..]);
    let groups = vault.json(&["snapshots", "--group-by", "host"]);
    assert_eq!((&groups[0]["group_key"]["hostname"], groups[0]["snapshots"].as_array().map(Vec::len)), (&"a".into(), Some(2)));
    let target = tempfile::tempdir().expect("a temporary folder");
    let report = vault.json(&["restore", "latest", "--tag", "y", "--target", &target.path().display().to_string()]);
    assert_eq!(report["snapshot_id"].as_str(), Some(all[1].as_str()));
    vault.run(&["restore", "latest", "--tag", "z", "--target", "/nowhere"]).expect_exit(1);
    vault.run(&["forget", "--unsafe-allow-remove-all"]).expect_exit(2);
    let gone = vault.json(&["forget", "--host", "a", "--unsafe-allow-remove-all"]);
    assert_eq!((gone["removed"].as_array().map(Vec::len), vault.snapshots()), (Some(2), all[2..].to_vec()));
    let refused = vault.run(&["forget", "--keep-tag", "none"]).expect_exit(1);
    assert!(refused.complaint.contains("keep nothing of host b"), "{refused:?}");
    assert_eq!(vault.snapshots(), all[2..]);
}

#[test]
fn a_password_is_added_changed_and_removed() {
    let (place, vault) = made();
    let file = place.path().join("new password");
    write(place.path(), "new password", "battery staple\n");
    let new = file.display().to_string();
    let added = vault.json(&["key", "add", "--new-password-file", &new, "--user", "ann", "--host", "db1"]);
    let other = vault.with_password("battery staple");
    let keys = other.json(&["key", "list"]);
    let keys = keys.as_array().expect("an array");
    assert_eq!(keys.len(), 2);
    let current = keys.iter().find(|key| key["current"] == true).expect("one of them opened");
    assert_eq!((&current["id"], &current["userName"], &current["hostName"]), (&added["id"], &"ann".into(), &"db1".into()));
    let refused = other.run(&["key", "remove", current["id"].as_str().expect("an id")]).expect_exit(1);
    assert!(refused.complaint.contains("is the one in use"), "{refused:?}");
    write(place.path(), "new password", "third");
    let changed = vault.json(&["key", "passwd", "--new-password-file", &new]);
    vault.run(&["snapshots"]).expect_exit(1);
    let third = vault.with_password("third");
    third.ok(&["key", "remove", &current["id"].as_str().expect("an id")[..10]]);
    other.run(&["snapshots"]).expect_exit(1);
    let left = third.json(&["key", "list"]);
    assert_eq!((left.as_array().map(Vec::len), &left[0]["id"]), (Some(1), &changed["id"]));
}

#[test]
fn a_key_asks_much_of_whoever_guesses() {
    let (place, _vault) = made();
    let keys: Vec<_> =
        place.path().join("repository/keys").read_dir().expect("a folder").map(|entry| entry.expect("a key").path()).collect();
    assert_eq!(keys.len(), 1);
    let key: serde_json::Value = serde_json::from_slice(&std::fs::read(&keys[0]).expect("it is read")).expect("JSON");
    let number = |field: &str| key[field].as_u64().expect("a number");
    assert_eq!((&key["kdf"], number("r")), (&"scrypt".into(), 8));
    assert!((1 << 15..=1 << 16).contains(&number("N")), "between 32 and 64 MiB: {}", number("N"));
    assert!((1..=32).contains(&number("p")), "{}", number("p"));
}

#[test]
fn wrong_usage_ends_with_2_and_touches_nothing() {
    let (_place, vault) = made();
    for arguments in [
        &["backup", "/etc/hostname", "--compression", "best"][..],
        &["backup", "/etc/hostname", "--exclude", "[a"],
        &["backup", "/etc/hostname", "--no-lock"],
        &["backup", "/etc/hostname", "--exclude-larger-than", "big"],
        &["backup", "/etc/hostname", "--time", "yesterday"],
        &["restore", "latest"],
        &["restore", "latest", "--target", "/x", "--include", "a", "--exclude", "b"],
        &["restore", "latest", "--target", "/x", "--dry-run", "--verify"],
        &["check", "--read-data-subset", "2/1"],
        &["forget"],
        &["forget", "latest", "--keep-last", "1"],
        &["forget", "--keep-last", "some"],
        &["prune", "--max-unused", "100%"],
        &["prune", "--no-lock"],
        &["ls", "latest", "relative"],
        &["init", "--repository-version", "3"],
        &["snapshots", "--pin", "abc"],
        &["key"],
    ] {
        let ran = vault.run(arguments).expect_exit(2);
        assert!(ran.out.is_empty() && ran.complaint.contains("Usage") | ran.complaint.contains("error: "), "{arguments:?}: {ran:?}");
    }
    assert_eq!(vault.snapshots(), Vec::<String>::new());
}

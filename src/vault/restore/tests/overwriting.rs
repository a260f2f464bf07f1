//! What happens to what is there already.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::stored::{Stored, folder, linked, node, symlink};
use super::{lines, listing, restored, restored_with};
use crate::vault::pack::BlobKind;
use crate::vault::restore::{Decision, Options};
use crate::vault::target::Overwrite;
use crate::vault::tree::{Content, Node};

fn seconds(path: &std::path::Path, seconds: i64) {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds.unsigned_abs());
    std::fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn each_policy_replaces_what_its_name_says() {
    // Entries are of the second 1,000,000,000.
    for (overwrite, older, newer) in [
        (Overwrite::Always, "new", "new"),
        (Overwrite::IfChanged, "new", "new"),
        (Overwrite::IfNewer, "new", "old"),
        (Overwrite::Never, "old", "old"),
    ] {
        let (target, mut stored) = (tempfile::tempdir().unwrap(), Stored::new());
        let at = |name: &str| target.path().join(name);
        for (name, time) in [("older", 999_999_999), ("newer", 1_000_000_001)] {
            std::fs::write(at(name), "old").unwrap();
            seconds(&at(name), time);
        }
        std::os::unix::fs::symlink("old", at("symlink")).unwrap();
        let nodes = vec![stored.file(b"absent", b"new"), stored.file(b"newer", b"new"), stored.file(b"older", b"new")];
        let tree = stored.tree([nodes, vec![symlink(b"symlink", b"new")]].concat());
        let report = restored_with(&stored, tree, target.path(), &Options { overwrite, ..Options::default() });
        assert!(report.is_complete(), "{:?}", lines(&report));
        let found = ["absent", "older", "newer"].map(|name| std::fs::read_to_string(at(name)).unwrap());
        assert_eq!(found, ["new", older, newer], "{overwrite:?}");
        let replaced = matches!(overwrite, Overwrite::Always | Overwrite::IfChanged);
        assert_eq!(std::fs::read_link(at("symlink")).unwrap().to_str(), Some(if replaced { "new" } else { "old" }), "{overwrite:?}");
        assert_eq!(listing(target.path()).len(), 4, "a temporary file stays");
    }
}

#[test]
fn neither_a_folder_nor_what_is_in_it_makes_way() {
    let (target, mut stored) = (tempfile::tempdir().unwrap(), Stored::new());
    for name in ["file", "symlink", "fifo", "link"] {
        std::fs::create_dir(target.path().join(name)).unwrap();
    }
    std::fs::write(target.path().join("file/mine"), "mine").unwrap();
    std::fs::write(target.path().join("folder"), "a file").unwrap();
    let inner = stored.file(b"inner", b"inner");
    let inner = stored.tree(vec![inner]);
    let first = linked(stored.file(b"first", b"first"), 3);
    let link = Node { name: b"link".to_vec(), ..first.clone() };
    let nodes = vec![
        node(b"fifo", Content::Fifo),
        stored.file(b"file", b"restored"),
        first,
        folder(b"folder", inner),
        link,
        symlink(b"symlink", b"x"),
    ];
    let tree = stored.tree(nodes);
    let report = restored(&stored, tree, target.path());
    assert_eq!(listing(target.path()), ["fifo", "file", "file/mine", "first", "folder", "link", "symlink"]);
    assert_eq!(std::fs::read(target.path().join("folder")).unwrap(), b"a file");
    let paths: Vec<_> = report.failures.iter().map(|failure| failure.path.to_str().unwrap()).collect();
    assert_eq!(paths, ["/fifo", "/file", "/folder", "/link", "/symlink"], "{:?}", lines(&report));
}

#[test]
fn a_restore_over_a_restore_gives_the_same_and_leaves_nothing_behind() {
    let (target, mut stored) = (tempfile::tempdir().unwrap(), Stored::new());
    let first = linked(stored.file(b"first", b"first"), 3);
    let second = Node { name: b"second".to_vec(), ..first.clone() };
    let inner = stored.file(b"inner", b"inner");
    let inner = stored.tree(vec![inner]);
    let mut sub = folder(b"sub", inner);
    sub.metadata.mode = 0o2770;
    let tree = stored.tree(vec![node(b"fifo", Content::Fifo), first, second, sub, symlink(b"symlink", b"x")]);
    for overwrite in [Overwrite::Always, Overwrite::Always, Overwrite::IfChanged, Overwrite::IfNewer, Overwrite::Never] {
        let report = restored_with(&stored, tree, target.path(), &Options { overwrite, verify: true, ..Options::default() });
        assert!(report.is_complete(), "{overwrite:?} {:?}", lines(&report));
        assert_eq!(listing(target.path()), ["fifo", "first", "second", "sub", "sub/inner", "symlink"], "{overwrite:?}");
        assert_eq!(std::fs::metadata(target.path().join("first")).unwrap().nlink(), 2);
        let sub = std::fs::metadata(target.path().join("sub")).unwrap();
        assert_eq!((sub.mode() & 0o7777, sub.mtime(), sub.mtime_nsec()), (0o2770, 1_000_000_000, 123_456_789));
    }
}

#[test]
fn if_changed_fetches_only_the_chunks_that_differ() {
    let (target, mut stored) = (tempfile::tempdir().unwrap(), Stored::new());
    let [one, two, three] = [vec![1; 10_000], vec![2; 9_000], vec![3; 8_000]];
    let packs = [&one, &two, &three].map(|chunk| stored.pack(BlobKind::Data, &[chunk]));
    let bytes = [one.clone(), two.clone(), three.clone()].concat();
    let chunks = [&one, &two, &three].map(|chunk| crate::vault::id::Id::of(chunk)).to_vec();
    let file = |name: &[u8]| node(name, Content::File { size_bytes: 27_000, chunks: chunks.clone() });
    let tree = stored.tree(vec![file(b"same"), file(b"touched"), file(b"edited"), file(b"short")]);
    let options = Options { overwrite: Overwrite::IfChanged, ..Options::default() };
    assert!(restored_with(&stored, tree, target.path(), &options).is_complete());
    let at = |name: &str| target.path().join(name);
    let mut edited = bytes.clone();
    edited[15_000] = 99;
    std::fs::write(at("edited"), edited).unwrap();
    std::fs::write(at("short"), &bytes[..12_000]).unwrap();
    seconds(&at("touched"), 5);
    std::fs::set_permissions(at("same"), std::fs::Permissions::from_mode(0o600)).unwrap();
    // What is the same is not fetched: it could not be.
    stored.harm(packs[0], Vec::clear);
    let reads = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&reads);
    *stored.memory.on_read.lock().unwrap() = Some(Box::new(move || {
        counted.fetch_add(1, Ordering::Relaxed);
    }));
    let report = restored_with(&stored, tree, target.path(), &options);
    assert!(report.is_complete(), "{:?}", lines(&report));
    for name in ["same", "touched", "edited", "short"] {
        assert_eq!(std::fs::read(at(name)).unwrap(), bytes, "{name}");
        let metadata = std::fs::metadata(at(name)).unwrap();
        assert_eq!((metadata.mtime(), metadata.mode() & 0o777), (1_000_000_000, 0o644), "{name}");
    }
    // The tree, and the two packs.
    assert_eq!((report.skipped, report.files, reads.load(Ordering::Relaxed)), (2, 2, 3));
    assert_eq!(listing(target.path()).len(), 4);
}

#[test]
fn a_filter_takes_what_it_says_and_folders_only_for_what_is_in_them() {
    let (target, mut stored) = (tempfile::tempdir().unwrap(), Stored::new());
    let (x, y) = (stored.file(b"x", b"x"), stored.file(b"y", b"y"));
    let with_x = stored.tree(vec![x, y.clone()]);
    let without = stored.tree(vec![y]);
    let tree = stored.tree(vec![folder(b"a", with_x), folder(b"b", without), folder(b"c", with_x)]);
    let filter = |path: &[u8], node: &Node| match (path, node.is_folder()) {
        (b"/c", _) => Decision::Skip,
        (_, true) => Decision::DescendOnly,
        _ if path.ends_with(b"/x") => Decision::Take,
        _ => Decision::Skip,
    };
    for dry_run in [true, false] {
        let report = restored_with(&stored, tree, &target.path().join("new"), &Options { filter: &filter, dry_run, ..Options::default() });
        assert!(report.is_complete(), "{:?}", lines(&report));
        assert_eq!((report.folders, report.files, report.bytes_written), (1, 1, 1));
        assert_eq!(listing(target.path()), if dry_run { vec![] } else { vec!["new", "new/a", "new/a/x"] });
    }
}

#[test]
fn a_folder_that_was_there_and_only_lies_above_what_is_taken_keeps_its_metadata() {
    let (target, mut stored) = (tempfile::tempdir().unwrap(), Stored::new());
    let x = stored.file(b"x", b"x");
    let taken = stored.tree(vec![x]);
    let above = stored.tree(vec![folder(b"taken", taken)]);
    let tree = stored.tree(vec![folder(b"new", above), folder(b"there", above)]);
    let there = target.path().join("there");
    std::fs::create_dir_all(there.join("taken")).unwrap();
    let mode = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(&there, mode.clone()).unwrap();
    std::fs::set_permissions(there.join("taken"), mode).unwrap();
    let filter =
        |path: &[u8], _: &Node| if path.iter().filter(|byte| **byte == b'/').count() > 1 { Decision::Take } else { Decision::DescendOnly };
    for dry_run in [true, false] {
        let report = restored_with(&stored, tree, target.path(), &Options { filter: &filter, dry_run, ..Options::default() });
        assert!(report.is_complete(), "{:?}", lines(&report));
        // All but the one that was there.
        assert_eq!((report.folders, report.files), (3, 2));
    }
    let mode = |path: &str| std::fs::metadata(target.path().join(path)).unwrap().mode() & 0o777;
    assert_eq!(["there", "there/taken", "new", "new/taken"].map(mode), [0o700, 0o755, 0o755, 0o755]);
    assert_ne!(std::fs::metadata(&there).unwrap().mtime(), 1_000_000_000);
    assert_eq!(std::fs::metadata(target.path().join("new")).unwrap().mtime(), 1_000_000_000);
}

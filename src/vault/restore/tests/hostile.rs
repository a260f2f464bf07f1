//! Backups that were made to do harm: nothing outside of the target is touched, and what is refused is told.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use super::stored::{Stored, folder, linked, node, symlink};
use super::{is_root, lines, listing, restored};
use crate::vault::tree::{Content, Node};

/// A folder with a target in it, and something beside the target that must stay as it is.
struct Stage {
    base: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let base = tempfile::tempdir().unwrap();
        std::fs::create_dir(base.path().join("target")).unwrap();
        std::fs::create_dir(base.path().join("outside")).unwrap();
        std::fs::write(base.path().join("outside/secret"), "secret").unwrap();
        Self { base }
    }

    fn target(&self) -> std::path::PathBuf {
        self.base.path().join("target")
    }

    #[track_caller]
    fn nothing_happened_outside(&self) {
        let mut found = listing(self.base.path());
        found.retain(|path| !path.starts_with("target/"));
        assert_eq!(found, ["outside", "outside/secret", "target"]);
        let secret = self.base.path().join("outside/secret");
        assert_eq!(std::fs::read(&secret).unwrap(), b"secret");
        let metadata = std::fs::metadata(&secret).unwrap();
        assert_eq!((metadata.nlink(), metadata.mode() & 0o7777 & 0o7133), (1, 0));
    }
}

#[test]
fn names_that_are_no_names_are_refused_one_by_one() {
    let names: &[&[u8]] = &[
        b"",
        b".",
        b"..",
        b"/",
        b"//",
        b"../outside/x",
        b"/tmp/x",
        b"./x",
        b"a/b",
        b"a/",
        b"/a",
        b"..//x",
        b"a/../../outside/x",
        b"../../../../../../tmp/x",
        b"\0",
        b"a\0b",
        b"..\0",
        &[b'n'; 300],
        &[b'n'; 5000],
    ];
    for make in [
        (|stored: &mut Stored, name: &[u8]| stored.file(name, b"evil")) as fn(&mut Stored, &[u8]) -> Node,
        |_, name| symlink(name, b"../outside"),
        |stored, name| {
            let inner = stored.file(b"inner", b"evil");
            let tree = stored.tree(vec![inner]);
            folder(name, tree)
        },
        |_, name| node(name, Content::Fifo),
    ] {
        let (stage, mut stored) = (Stage::new(), Stored::new());
        let mut nodes: Vec<Node> = names.iter().map(|name| make(&mut stored, name)).collect();
        nodes.push(stored.file(b"zz good", b"good"));
        let tree = stored.tree(nodes);
        let report = restored(&stored, tree, &stage.target());
        stage.nothing_happened_outside();
        assert_eq!(listing(&stage.target()), ["zz good"]);
        assert_eq!(report.failures.len(), names.len(), "{:?}", lines(&report));
    }
}

#[test]
fn no_symlink_is_followed_whoever_made_it() {
    let (stage, mut stored) = (Stage::new(), Stored::new());
    std::os::unix::fs::symlink("../outside", stage.target().join("before")).unwrap();
    std::os::unix::fs::symlink("../outside/secret", stage.target().join("file")).unwrap();
    let evil = stored.file(b"evil", b"evil");
    let inner = stored.tree(vec![evil.clone()]);
    let file = stored.file(b"file", b"restored");
    let secret = linked(evil, 7);
    let nodes = vec![
        folder(b"before", inner),
        file,
        symlink(b"twice", b"../outside"),
        folder(b"twice", inner),
        symlink(b"link", b"/etc/passwd"),
        Node { name: b"hard".to_vec(), ..secret },
    ];
    let tree = stored.tree(nodes);
    let report = restored(&stored, tree, &stage.target());
    stage.nothing_happened_outside();
    assert_eq!(listing(&stage.target()), ["before", "file", "hard", "link", "twice"]);
    assert_eq!(std::fs::read(stage.target().join("file")).unwrap(), b"restored");
    assert!(std::fs::symlink_metadata(stage.target().join("before")).unwrap().is_symlink());
    let paths: Vec<_> = report.failures.iter().map(|failure| failure.path.to_str().unwrap()).collect();
    assert_eq!(paths, ["/before", "/twice"], "{:?}", lines(&report));
}

#[test]
fn a_hard_link_never_leads_through_what_took_the_first_name() {
    let (stage, mut stored) = (Stage::new(), Stored::new());
    let first = linked(stored.file(b"a", b"bytes"), 9);
    let second = linked(Node { name: b"b".to_vec(), ..first.clone() }, 9);
    let other = linked(stored.file(b"c", b"other bytes"), 9);
    let tree = stored.tree(vec![first, symlink(b"a", b"../outside/secret"), second, other]);
    let report = restored(&stored, tree, &stage.target());
    stage.nothing_happened_outside();
    assert_eq!(report.failures.len(), 1, "{:?}", lines(&report));
    assert_eq!(std::fs::read(stage.target().join("b")).unwrap(), b"bytes");
    // The same inode number with other bytes is another file.
    assert_eq!(std::fs::read(stage.target().join("c")).unwrap(), b"other bytes");
    let inode = |name: &str| std::fs::metadata(stage.target().join(name)).unwrap().ino();
    assert_eq!(inode("a"), inode("b"));
    assert_ne!(inode("a"), inode("c"));
}

#[test]
fn twins_by_case_or_form_are_two_files_and_true_twins_one() {
    let (stage, mut stored) = (Stage::new(), Stored::new());
    let names: [&[u8]; 6] = [b"A", b"a", "é".as_bytes(), "e\u{301}".as_bytes(), b"a", b"\xff"];
    let nodes = names.iter().map(|name| stored.file(name, name)).collect();
    let tree = stored.tree(nodes);
    let report = restored(&stored, tree, &stage.target());
    assert_eq!((report.files, report.failures.len()), (5, 1), "{:?}", lines(&report));
    assert_eq!(std::fs::read(stage.target().join("A")).unwrap(), b"A");
    assert_eq!(std::fs::read(stage.target().join("a")).unwrap(), b"a");
}

#[test]
fn a_hole_of_a_terabyte_takes_no_room() {
    let (stage, mut stored) = (Stage::new(), Stored::new());
    let zeros = stored.chunk(&vec![0; 8 << 20]);
    let end = stored.chunk(b"end");
    let mut chunks = vec![zeros; 131_072];
    chunks.push(end);
    let tree = stored.tree(vec![node(b"hole", Content::File { size_bytes: (1 << 40) + 3, chunks })]);
    let report = restored(&stored, tree, &stage.target());
    let metadata = std::fs::metadata(stage.target().join("hole")).unwrap();
    assert!(report.is_complete(), "{:?}", lines(&report));
    assert_eq!(metadata.len(), (1 << 40) + 3);
    assert!(metadata.blocks() <= 64, "{} blocks", metadata.blocks());
}

#[test]
fn a_file_whose_chunks_do_not_add_up_keeps_their_bytes_and_is_told() {
    let (stage, mut stored) = (Stage::new(), Stored::new());
    let chunk = stored.chunk(b"ten bytes.");
    let sizes = [0, 3, 10, 11, u64::MAX];
    let file = |size_bytes: u64, chunks| node(format!("{size_bytes:020}").as_bytes(), Content::File { size_bytes, chunks });
    let mut nodes: Vec<Node> = sizes.iter().map(|size| file(*size, vec![chunk])).collect();
    nodes.push(node(b"empty", Content::File { size_bytes: 5, chunks: Vec::new() }));
    let tree = stored.tree(nodes);
    let report = restored(&stored, tree, &stage.target());
    assert_eq!((report.files, report.failures.len()), (6, 5), "{:?}", lines(&report));
    for size in sizes {
        assert_eq!(std::fs::read(stage.target().join(format!("{size:020}"))).unwrap(), b"ten bytes.");
    }
}

#[test]
fn ten_thousand_folders_in_one_another_are_restored() {
    let (stage, mut stored) = (Stage::new(), Stored::new());
    let deepest = stored.file(b"deepest", b"here");
    let mut tree = stored.tree(vec![deepest]);
    for _ in 0..10_000 {
        tree = stored.tree(vec![folder(b"d", tree)]);
    }
    let report = restored(&stored, tree, &stage.target());
    assert!(report.is_complete(), "{:?}", lines(&report).first());
    assert_eq!((report.folders, report.files), (10_000, 1));
    stage.nothing_happened_outside_deep();
}

#[test]
fn modes_that_run_as_somebody_else_come_back_only_with_their_owner() {
    let (stage, mut stored) = (Stage::new(), Stored::new());
    let mut program = stored.file(b"program", b"#!/bin/sh");
    (program.metadata.mode, program.metadata.uid, program.metadata.gid) = (0o6755, 12345, 12345);
    let tree = stored.tree(vec![program]);
    let report = restored(&stored, tree, &stage.target());
    assert!(report.is_complete(), "{:?}", lines(&report));
    let metadata = std::fs::metadata(stage.target().join("program")).unwrap();
    let expected = if is_root() { (12345, 0o6755) } else { (rustix::process::geteuid().as_raw(), 0o755) };
    assert_eq!((metadata.uid(), metadata.permissions().mode() & 0o7777), expected);
}

#[test]
fn kinds_that_nobody_knows_and_sockets_are_left_out() {
    let (stage, mut stored) = (Stage::new(), Stored::new());
    let tree = stored.tree(vec![node(b"door", Content::Other("door".to_owned())), node(b"socket", Content::Socket)]);
    let report = restored(&stored, tree, &stage.target());
    assert_eq!(listing(&stage.target()), Vec::<String>::new());
    assert_eq!(lines(&report), ["/door make: it is of an unknown kind: door"]);
}

impl Stage {
    /// Paths are too long for ordinary calls here, so that it looks, and removes, step by step.
    fn nothing_happened_outside_deep(&self) {
        let beside = std::fs::read_dir(self.base.path()).unwrap().count();
        assert_eq!(beside, 2);
        let ran = std::process::Command::new("rm").arg("-rf").arg(self.target()).status().unwrap();
        assert!(ran.success());
    }
}

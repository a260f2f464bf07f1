//! Restores that end early, and targets that are full: no temporary file is left.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::stored::{Stored, folder, node};
use super::{is_root, lines, listing, restored, skip};
use crate::vault::cancel::Cancel;
use crate::vault::error::Error;
use crate::vault::id::Id;
use crate::vault::progress::Progress;
use crate::vault::restore::{Decision, Options, restore};
use crate::vault::target::Target;
use crate::vault::tree::{Content, Node};

/// Files of three chunks each, every chunk in a pack of its own, so that many are open at once.
fn many(stored: &mut Stored, files: u32) -> Id {
    let mut nodes = Vec::new();
    for file in 0..files {
        let chunks: Vec<Id> = (0..3_u32).map(|part| stored.chunk(format!("{file} {part} {:5000}", 0).as_bytes())).collect();
        let size_bytes = 3 * format!("{file} 0 {:5000}", 0).len() as u64;
        nodes.push(node(format!("f{file:03}").as_bytes(), Content::File { size_bytes, chunks }));
    }
    stored.tree(nodes)
}

/// Raises the flag when so many chunks are written.
struct StopAfter(AtomicUsize, Cancel);

impl Progress for StopAfter {
    fn did(&self, files: u64, _bytes: u64) {
        if files == 0 && self.0.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.1.raise();
        }
    }
}

#[test]
fn cancel_after_any_chunk_leaves_whole_files_only() {
    let mut stored = Stored::new();
    let tree = many(&mut stored, 40);
    for chunks in [1, 2, 4, 5, 7, 31, 64, 100] {
        let (target, cancel) = (tempfile::tempdir().unwrap(), Cancel::default());
        let stop = StopAfter(AtomicUsize::new(chunks), cancel.clone());
        let report = restore(stored.source(), tree, target.path(), &Options::default(), &cancel, &stop);
        assert!(matches!(report.ended_by, Some(Error::Cancelled)), "{:?}", report.ended_by);
        assert!(report.failures.is_empty(), "{:?}", lines(&report));
        let found = listing(target.path());
        assert_eq!(found.len() as u64, report.files);
        assert!(found.len() <= (chunks + 8) / 3, "{} files after {chunks} chunks", found.len());
        for name in found {
            assert!(name.starts_with('f') && std::fs::metadata(target.path().join(name)).unwrap().len() > 15_000);
        }
    }
}

/// Raises the flag when it is known what is to be done: only folders are made then.
struct StopBeforeTheFirst(Cancel);

impl Progress for StopBeforeTheFirst {
    fn found(&self, _files: u64, _bytes: u64) {
        self.0.raise();
    }
}

/// The next restore finds them there, and leaves alone what only lies above what it restores.
#[test]
fn folders_above_are_as_they_were_backed_up_even_where_the_restore_is_stopped() {
    let (target, mut stored) = (tempfile::tempdir().unwrap(), Stored::new());
    let x = stored.file(b"x", b"x");
    let below = stored.tree(vec![x]);
    let tree = stored.tree(vec![folder(b"above", below)]);
    let filter = |_: &[u8], node: &Node| if node.is_folder() { Decision::DescendOnly } else { Decision::Take };
    let options = Options { filter: &filter, ..Options::default() };
    let cancel = Cancel::default();
    let report = restore(stored.source(), tree, target.path(), &options, &cancel, &StopBeforeTheFirst(cancel.clone()));
    assert!(matches!(report.ended_by, Some(Error::Cancelled)), "{:?}", report.ended_by);
    let mode = || std::fs::metadata(target.path().join("above")).unwrap().mode() & 0o777;
    assert_eq!((listing(target.path()), mode()), (vec!["above".to_owned()], 0o755));
    assert!(restore(stored.source(), tree, target.path(), &options, &Cancel::default(), &()).is_complete());
    assert_eq!((listing(target.path()).len(), mode()), (2, 0o755));
}

/// Looks at the target whenever a chunk is written: a process that is killed leaves what is there then.
struct LookAt<'a>(&'a Path);

impl Progress for LookAt<'_> {
    fn did(&self, _files: u64, _bytes: u64) {
        for name in listing(self.0) {
            assert!(name.starts_with('f'), "{name}");
            assert!(std::fs::metadata(self.0.join(&name)).unwrap().len() > 15_000, "{name} is whole");
        }
    }
}

#[test]
fn at_no_moment_is_there_a_file_that_is_not_whole_under_any_name() {
    let (target, mut stored) = (tempfile::tempdir().unwrap(), Stored::new());
    if !Target::open(target.path()).unwrap().has_nameless() {
        return skip("the temporary folder has no files without a name");
    }
    let tree = many(&mut stored, 40);
    let look = LookAt(target.path());
    let report = restore(stored.source(), tree, target.path(), &Options::default(), &Cancel::default(), &look);
    assert!(report.is_complete(), "{:?}", lines(&report));
    assert_eq!(listing(target.path()).len(), 40);
}

#[test]
fn cancel_before_the_first_read_makes_nothing() {
    let (target, mut stored) = (tempfile::tempdir().unwrap(), Stored::new());
    let tree = many(&mut stored, 3);
    let cancel = Cancel::default();
    cancel.raise();
    let report = restore(stored.source(), tree, target.path(), &Options::default(), &cancel, &());
    assert!(matches!(report.ended_by, Some(Error::Cancelled)), "{:?}", report.ended_by);
    assert_eq!(listing(target.path()), Vec::<String>::new());
}

#[test]
fn more_files_than_may_be_open_are_filled_at_once() {
    let (target, mut stored) = (tempfile::tempdir().unwrap(), Stored::new());
    // One chunk each of 300 files, then the next one of each: with 64 open files, each is closed between its chunks.
    let chunks: Vec<Vec<u8>> = (0..3_u8).map(|part| vec![part + 1; 3000]).collect();
    let ids: Vec<Id> = chunks.iter().map(|chunk| stored.chunk(chunk)).collect();
    let file = |number: u32| node(format!("{number:03}").as_bytes(), Content::File { size_bytes: 9000, chunks: ids.clone() });
    let tree = stored.tree((0..300).map(file).collect());
    let report = restored(&stored, tree, target.path());
    assert!(report.is_complete(), "{:?}", lines(&report));
    for number in 0..300 {
        assert_eq!(std::fs::read(target.path().join(format!("{number:03}"))).unwrap(), chunks.concat());
    }
}

#[test]
fn a_full_target_costs_the_files_that_do_not_fit() {
    if !is_root() {
        return skip("only root mounts a small file system");
    }
    let (target, mut stored) = (tempfile::tempdir().unwrap(), Stored::new());
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(target.path()).status().unwrap();
    assert!(mount.success());
    let large =
        node(b"b large", Content::File { size_bytes: 3 << 20, chunks: (0..3).map(|n| stored.chunk(&vec![n + 1; 1 << 20])).collect() });
    let one = stored.file(b"c one", &vec![9; 2 << 20]);
    let small = stored.file(b"a small", &vec![8; 100_000]);
    let later = stored.file(b"d later", &vec![7; 100_000]);
    let tree = stored.tree(vec![small, large, one, later]);
    let report = restored(&stored, tree, target.path());
    let found = listing(target.path());
    let blocks: u64 = found.iter().map(|name| std::fs::metadata(target.path().join(name)).unwrap().blocks()).sum();
    assert!(Command::new("umount").arg(target.path()).status().unwrap().success());
    assert!(report.failures.iter().all(|failure| failure.errno == Some(rustix::io::Errno::NOSPC.raw_os_error())), "{:?}", lines(&report));
    let lost: Vec<_> = report.failures.iter().map(|failure| failure.path.to_str().unwrap()).collect();
    assert!(lost.starts_with(&["/b large", "/c one"]), "{lost:?}");
    assert_eq!(found.len() + lost.len(), 4, "{found:?}");
    assert!(blocks <= 800, "{blocks}");
    assert!(found.contains(&"a small".to_owned()) || lost.contains(&"/a small"));
}

#[test]
fn a_place_that_does_not_answer_ends_the_restore() {
    let (target, mut stored) = (tempfile::tempdir().unwrap(), Stored::new());
    let tree = many(&mut stored, 40);
    let silent = Arc::clone(&stored.memory.silent_after);
    silent.store(30, Ordering::Relaxed);
    let report = restored(&stored, tree, target.path());
    assert!(matches!(report.ended_by, Some(Error::Unavailable { .. })), "{:?}", report.ended_by);
    assert!(listing(target.path()).iter().all(|name| name.starts_with('f')));
}

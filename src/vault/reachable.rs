//! All trees below some roots, each visited once, by several threads. In memory are one bit for each entry of the index, and the trees
//! that are still to be read: four bytes each.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};

use super::bits::Bits;
use super::cancel::Cancel;
use super::error::Error;
use super::id::Id;
use super::index::Index;
use super::pack::BlobKind;
use super::parallel::join_all;
use super::progress::Progress;
use super::repository::Repository;
use super::tree::{Content, Tree};
use super::tree_reader::TreeReader;

/// Trees that are read at once: most of the time is spent waiting for the place.
const READERS: usize = 8;

/// What is still to be visited.
struct Work {
    /// Numbers of index entries; the last is visited first, so that there are never many.
    waiting: Vec<u32>,
    /// Trees that no index names, each told once.
    missing: HashSet<Id>,
    /// Readers that may still find more.
    busy: usize,
    has_failed: bool,
}

/// The visit of one repository's trees.
struct Walk<'a> {
    reader: TreeReader<'a>,
    index: &'a Index,
    cancel: &'a Cancel,
    left: ToBeRead<'a>,
    seen: Bits,
    work: Mutex<Work>,
    changed: Condvar,
}

/// Calls `visit` once for every tree that is reachable, roots among them, with [`Error::NotFound`] or [`Error::Damaged`] where it cannot
/// be read. The first error of `visit` or of the place ends the walk. For the progress all trees of the index are to be done: those that
/// none of the roots has count as done at the end.
pub(super) fn visit_trees(
    repository: &Repository,
    index: &Index,
    roots: impl Iterator<Item = Id>,
    cancel: &Cancel,
    progress: &dyn Progress,
    visit: impl Fn(Id, Result<&Tree, Error>) -> Result<(), Error> + Sync,
) -> Result<(), Error> {
    let work = Work { waiting: Vec::new(), missing: HashSet::new(), busy: 0, has_failed: false };
    let (seen, left) = (Bits::new(index.len()), ToBeRead::all(index, progress));
    let reader = TreeReader::new(repository);
    let walk = Walk { reader, index, cancel, left, seen, work: Mutex::new(work), changed: Condvar::new() };
    for root in roots {
        walk.enter(root, &visit)?;
    }
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS).map(|_| scope.spawn(|| walk.read_some(&visit))).collect();
        join_all(readers).into_iter().collect::<Result<(), Error>>()
    })?;
    walk.left.end();
    Ok(())
}

/// Trees that are not read yet, and their bytes.
struct ToBeRead<'a> {
    progress: &'a dyn Progress,
    trees: AtomicU64,
    bytes: AtomicU64,
}

impl<'a> ToBeRead<'a> {
    fn all(index: &Index, progress: &'a dyn Progress) -> Self {
        let trees = index.iter().filter(|place| place.blob.kind == BlobKind::Tree);
        let (trees, bytes) = trees.fold((0, 0), |(trees, bytes), place| (trees + 1, bytes + u64::from(place.blob.length)));
        progress.found(trees, bytes);
        Self { progress, trees: trees.into(), bytes: bytes.into() }
    }

    fn read(&self, bytes: u32) {
        self.trees.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes.into(), Ordering::Relaxed);
        self.progress.did(1, bytes.into());
    }

    fn end(&self) {
        self.progress.did(self.trees.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed));
    }
}

impl Walk<'_> {
    /// Notes a tree to be visited, where it is new.
    fn enter(&self, id: Id, visit: &impl Fn(Id, Result<&Tree, Error>) -> Result<(), Error>) -> Result<(), Error> {
        match self.index.numbers(BlobKind::Tree, id).min() {
            Some(number) => {
                if self.seen.insert(number) {
                    self.lock().waiting.push(number);
                    self.changed.notify_one();
                }
                Ok(())
            }
            None if self.lock().missing.insert(id) => visit(id, Err(Error::NotFound(format!("tree {}", id.short())))),
            None => Ok(()),
        }
    }

    fn read_some(&self, visit: &impl Fn(Id, Result<&Tree, Error>) -> Result<(), Error>) -> Result<(), Error> {
        // A panic of `visit` must not leave the other readers waiting.
        let _end = EndOnDrop(self);
        while let Some(number) = self.next() {
            let blob = self.index.at(number).expect("only entries with a place are entered").blob;
            self.read_one(blob.id, visit)?;
            self.left.read(blob.length);
            self.done();
        }
        Ok(())
    }

    fn read_one(&self, id: Id, visit: &impl Fn(Id, Result<&Tree, Error>) -> Result<(), Error>) -> Result<(), Error> {
        self.cancel.check()?;
        match self.reader.read_tree(self.index, id) {
            Ok(tree) => {
                visit(id, Ok(&tree))?;
                let below = tree.nodes.iter().filter_map(|node| match node.content {
                    Content::Folder { tree } => tree,
                    _ => None,
                });
                below.into_iter().try_for_each(|tree| self.enter(tree, visit))
            }
            Err(error @ (Error::NotFound(_) | Error::Damaged { .. })) => visit(id, Err(error)),
            Err(error) => Err(error),
        }
    }

    /// The next tree; `None` when all are visited, or one has failed.
    fn next(&self) -> Option<u32> {
        let is_waiting = |work: &mut Work| work.waiting.is_empty() && work.busy > 0 && !work.has_failed;
        let mut work = self.changed.wait_while(self.lock(), is_waiting).expect("nothing panics while it holds the list");
        let number = if work.has_failed { None } else { work.waiting.pop() };
        work.busy += usize::from(number.is_some());
        number
    }

    fn done(&self) {
        let mut work = self.lock();
        work.busy -= 1;
        if work.busy == 0 {
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Work> {
        self.work.lock().expect("nothing panics while it holds the list")
    }
}

/// Whoever stops reading, for whatever reason, stops all: at the end there is nothing left to stop.
struct EndOnDrop<'a, 'b>(&'a Walk<'b>);

impl Drop for EndOnDrop<'_, '_> {
    fn drop(&mut self) {
        self.0.lock().has_failed = true;
        self.0.changed.notify_all();
    }
}

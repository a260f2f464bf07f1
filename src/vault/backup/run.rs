//! The run itself.

use std::collections::HashMap;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;

use super::ahead::begin_reading;
use super::job::{FileJob, Pending, Promise};
use super::parent::Parent;
use super::pool::Pool;
use super::reader::Worker;
use super::report::{Count, Failures, Report};
use super::saver::{Added, Saver};
use super::trees::{Entry, make_trees};
use crate::vault::FILE_LOG;
use crate::vault::backend::Kind;
use crate::vault::cancel::Cancel;
use crate::vault::compression::Compression;
use crate::vault::error::Error;
use crate::vault::failure::Failure;
use crate::vault::id::Id;
use crate::vault::index::Index;
use crate::vault::lock::Guard;
use crate::vault::parallel::{OnPanic, join_all};
use crate::vault::progress::Progress;
use crate::vault::repository::Repository;
use crate::vault::snapshot::Snapshot;
use crate::vault::source::select::Select;
use crate::vault::source::stamp::{Ignored, Stamp};
use crate::vault::source::walk::{self, Step, Walk};
use crate::vault::tree::{Content, Node};
use crate::vault::writer::{PackWriter, Stored, write_packs};

/// Entries go from the walk to the trees so many at a time: handed over one by one, they cost an unchanged tree a fifth of its
/// processor time in waking threads.
const BATCH: usize = 64;
/// Batches between the walk and the trees.
const WAITING_BATCHES: usize = 64;

/// How to make a backup.
pub struct Options<'a> {
    pub select: &'a dyn Select,
    /// Whether times of access are kept.
    pub with_atime: bool,
    /// What may differ in a file that is not read again.
    pub ignored: Ignored,
    pub compression: Compression,
    /// The snapshot to compare with: its id and its tree.
    pub parent: Option<(Id, Id)>,
    /// Nothing is written; the report says what would be.
    pub is_dry_run: bool,
    /// The lock under which it runs. It must still be held when the snapshot is stored: a machine that slept may find that somebody has
    /// pruned meanwhile. `None` where nobody else can write there.
    pub guard: Option<&'a Guard>,
    /// No snapshot where its tree is the parent's.
    pub skip_if_unchanged: bool,
    /// No snapshot of folders alone: it would be of nothing.
    pub skip_if_empty: bool,
    /// What the snapshot says beside its tree and parent.
    pub snapshot: Snapshot,
}

struct Run<'a> {
    repository: &'a Repository,
    index: Mutex<Index>,
    options: &'a Options<'a>,
    cancel: &'a Cancel,
    progress: &'a dyn Progress,
    failures: Failures,
}

/// Saves the sources and makes a snapshot of them. `index` is that of the repository, as it was just loaded; whoever calls holds a lock.
///
/// What cannot be read is in the report, and everything else is saved. [`Error::NotFound`] where no source is there;
/// [`Error::Cancelled`]; any error of the place, after all retries. After an error there is no snapshot, and the repository is whole:
/// what was stored already serves the next run.
pub fn backup(
    repository: &Repository,
    index: Index,
    sources: &[PathBuf],
    options: &Options<'_>,
    cancel: &Cancel,
    progress: &dyn Progress,
) -> Result<Report, Error> {
    let started = Timestamp::now();
    let run = Run { repository, index: Mutex::new(index), options, cancel, progress, failures: Failures::default() };
    let (tree, count, stored) = if options.is_dry_run {
        run.save(sources, None).map(|(tree, count)| (tree, count, Stored::default()))?
    } else {
        let ((tree, count), stored) = write_packs(repository, options.guard, |writer| run.save(sources, Some(writer)))?;
        (tree, count, stored)
    };
    let (failures, failures_left_out) = run.failures.into_inner();
    let parent = options.parent.map(|(id, _)| id);
    let is_empty = options.skip_if_empty && count.files() + count.others == 0;
    let is_unchanged = options.skip_if_unchanged && options.parent.is_some_and(|(_, before)| before == tree);
    let mut report = Report {
        snapshot: None,
        tree,
        parent,
        started,
        ended: Timestamp::now(),
        count,
        bytes_stored: stored.bytes,
        failures,
        failures_left_out,
    };
    if !options.is_dry_run && !is_unchanged && !is_empty {
        cancel.check()?;
        options.guard.map_or(Ok(()), Guard::confirm)?;
        let snapshot = Snapshot { tree, parent, summary: Some(report.summary()), ..options.snapshot.clone() };
        report.snapshot = Some(repository.save_file(Kind::Snapshot, &snapshot.to_bytes())?);
        report.ended = Timestamp::now();
    }
    Ok(report)
}

impl Run<'_> {
    /// Blobs of all that the sources hold, handed to the writer. The root's tree.
    fn save(&self, sources: &[PathBuf], writer: Option<&PackWriter<'_>>) -> Result<(Id, Count), Error> {
        let compression = self.repository.can_compress().then_some(self.options.compression);
        let saver = Saver { repository: self.repository, index: &self.index, writer, compression, added: Added::default() };
        let pool = Pool::default();
        let worker = Worker {
            pool: &pool,
            saver: &saver,
            failures: &self.failures,
            progress: self.progress,
            cancel: self.cancel,
            home: Arc::default(),
            with_atime: self.options.with_atime,
        };
        let (send, receive) = sync_channel(WAITING_BATCHES);
        let (root, mut count) = std::thread::scope(|scope| {
            let threads = std::thread::available_parallelism().map_or(1, |count| count.get());
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| worker.run())).collect();
            let (failures, progress) = (&self.failures, self.progress);
            let fail = move |failure| {
                progress.failed();
                failures.push(failure);
            };
            let saver = &saver;
            let trees = scope.spawn(move || make_trees(receive, saver, &fail));
            let stop = OnPanic(|| pool.stop());
            let walked = self.walk(sources, saver, &pool, send);
            drop(stop);
            if walked.is_err() {
                pool.stop();
            }
            pool.close();
            // A worker's error or panic stops the walk and the trees, and not the other way round: so theirs say more.
            let worked: Result<(), Error> = join_all(workers).into_iter().collect();
            let made = trees.join().unwrap_or_else(|panic| resume_unwind(panic));
            worked?;
            walked.and(made)
        })?;
        count.chunks_added = saver.added.chunks.load(Ordering::Relaxed);
        count.trees_added = saver.added.trees.load(Ordering::Relaxed);
        count.bytes_added = saver.added.bytes.load(Ordering::Relaxed);
        Ok((root, count))
    }

    fn walk(&self, sources: &[PathBuf], saver: &Saver<'_>, pool: &Pool, entries: SyncSender<Vec<Entry>>) -> Result<(), Error> {
        let mut batch = Vec::with_capacity(BATCH);
        // It is gone only after an error of its own, which is the one that is told.
        let send = |batch| entries.send(batch).map_err(|_| Error::Cancelled);
        let mut parent = Parent::new(self.repository, &self.index, self.options.parent.map(|(_, tree)| tree));
        let mut links = HashMap::new();
        let walk = Walk { select: self.options.select, cancel: self.cancel, with_atime: self.options.with_atime };
        walk.run(sources, &mut |step| {
            let entry = match step {
                Step::Enter { name, .. } => {
                    parent.enter(name);
                    Entry::Enter
                }
                Step::Leave { node, .. } => Entry::Leave { node, before: parent.leave() },
                Step::Failed(failure) => {
                    self.fail(failure);
                    return Ok(());
                }
                Step::Entry(entry) => match self.take(entry, &parent, saver, pool, &mut links)? {
                    Some(entry) => entry,
                    None => return Ok(()),
                },
            };
            batch.push(entry);
            if batch.len() == BATCH { send(std::mem::replace(&mut batch, Vec::with_capacity(BATCH))) } else { Ok(()) }
        })?;
        send(batch)
    }

    /// What becomes of an entry that is no folder.
    fn take(
        &self,
        entry: walk::Entry<'_>,
        parent: &Parent<'_>,
        saver: &Saver<'_>,
        pool: &Pool,
        links: &mut HashMap<(u64, u64), (Stamp, Arc<Pending>)>,
    ) -> Result<Option<Entry>, Error> {
        let Some(stamp) = Stamp::of_node(&entry.node) else { return Ok(Some(Entry::Ready(entry.node))) };
        self.progress.found(1, stamp.size_bytes);
        let before = parent.find(&entry.node.name);
        if let Some(node) = unchanged(&entry.node, stamp, before, self.options.ignored, saver) {
            self.progress.did(1, stamp.size_bytes);
            tracing::trace!(target: FILE_LOG, path = %entry.path.display(), "unchanged");
            return Ok(Some(Entry::Ready(node)));
        }
        let was_there = before.is_some();
        let name = entry.node.name.clone();
        let inode = (entry.node.metadata.links > 1).then_some((entry.node.metadata.device_id, entry.node.metadata.inode));
        // The number of a file that is gone may be given to another one. So what has changed meanwhile is read for itself.
        let other_name = inode.and_then(|inode| links.get(&inode)).filter(|(then, _)| *then == stamp);
        if let Some((_, pending)) = other_name {
            self.progress.did(1, stamp.size_bytes);
            let further = Some(entry.path.to_owned());
            return Ok(Some(Entry::File { name, pending: Arc::clone(pending), was_there, further }));
        }
        let (file, opened) = match entry.open() {
            Ok(opened) => opened,
            Err(error) => {
                self.fail(Failure::of_io(entry.path, "open", &error));
                return Ok(None);
            }
        };
        tracing::trace!(target: FILE_LOG, path = %entry.path.display(), "{}", if was_there { "changed" } else { "new" });
        let (promise, pending) = Promise::new();
        if let Some(inode) = inode {
            links.insert(inode, (stamp, Arc::clone(&pending)));
        }
        begin_reading(&file, opened.size_bytes);
        let path = entry.path.to_owned();
        let is_taken = pool.push_file(FileJob { path, node: entry.node, file, stamp: opened, promise });
        if is_taken { Ok(Some(Entry::File { name, pending, was_there, further: None })) } else { Err(Error::Cancelled) }
    }

    fn fail(&self, failure: Failure) {
        self.progress.failed();
        self.failures.push(failure);
    }
}

/// The file with the chunks that it had, where it is as it was and the repository has them all.
fn unchanged(node: &Node, stamp: Stamp, before: Option<&Node>, ignored: Ignored, saver: &Saver<'_>) -> Option<Node> {
    let before = before.filter(|before| stamp.is_unchanged_since(before, ignored))?;
    let Content::File { chunks, .. } = &before.content else { return None };
    saver.has_all(chunks).then(|| Node { content: before.content.clone(), ..node.clone() })
}

//! What the workers do, and how the maker of trees learns that it is done.

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use bytes::Bytes;

use crate::vault::failure::Failure;
use crate::vault::id::Id;
use crate::vault::source::stamp::Stamp;
use crate::vault::tree::Node;

/// A file to be read.
pub(super) struct FileJob {
    pub path: PathBuf,
    /// As the walk found it; without chunks.
    pub node: Node,
    /// Opened through its folder, so a path that has changed since leads nowhere else.
    pub file: File,
    /// As it was when it was opened.
    pub stamp: Stamp,
    pub promise: Promise,
}

/// A chunk of a large file to be saved.
pub(super) struct ChunkJob {
    pub file: Arc<LargeFile>,
    /// Its place among the file's chunks.
    pub number: usize,
    pub bytes: Bytes,
}

pub(super) enum Job {
    File(FileJob),
    /// A file of which only its chunks become jobs. Whoever takes it says when it is read: [`super::pool::Pool::large_is_read`].
    LargeFile(FileJob),
    Chunks(Chunks),
}

/// What one worker saves at once: two chunks are hashed in less time than one after the other.
pub(super) enum Chunks {
    One(ChunkJob),
    Two([ChunkJob; 2]),
}

/// A file that is being read: whoever waits gets its node, or `None` where there is nothing to save. It is made with its [`Promise`].
pub(super) struct Pending {
    state: Mutex<State>,
    changed: Condvar,
    failures: Mutex<Vec<Failure>>,
}

enum State {
    Open,
    Done(Option<Box<Node>>),
}

/// The other end of a [`Pending`]: whoever holds it says once what becomes of the file. Where it is dropped before, as in a panic or
/// with the jobs of a run that was stopped, there is nothing to save; so nobody waits for ever.
pub(super) struct Promise(Arc<Pending>);

impl Promise {
    pub(super) fn new() -> (Self, Arc<Pending>) {
        let pending = Arc::new(Pending { state: Mutex::new(State::Open), changed: Condvar::new(), failures: Mutex::default() });
        (Self(Arc::clone(&pending)), pending)
    }

    /// Keeps what could not be done for the file, before it is finished.
    pub(super) fn note(&self, failure: Failure) {
        self.0.failures.lock().expect(NO_PANIC).push(failure);
    }

    pub(super) fn keep(self, node: Option<Node>) {
        self.0.finish(node);
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.0.finish(None);
    }
}

impl Pending {
    /// What was kept, once it is finished: it concerns every name of the file.
    pub(super) fn failures(&self) -> Vec<Failure> {
        self.failures.lock().expect(NO_PANIC).clone()
    }

    /// The first time counts.
    fn finish(&self, node: Option<Node>) {
        let mut state = self.state.lock().expect(NO_PANIC);
        if matches!(*state, State::Open) {
            *state = State::Done(node.map(Box::new));
            self.changed.notify_all();
        }
    }

    /// Waits for it. Every name of a file gets the same answer.
    pub(super) fn wait(&self) -> Option<Node> {
        let is_open = |state: &mut State| matches!(state, State::Open);
        match &*self.changed.wait_while(self.state.lock().expect(NO_PANIC), is_open).expect(NO_PANIC) {
            State::Done(node) => node.as_deref().cloned(),
            State::Open => None,
        }
    }
}

const NO_PANIC: &str = "nothing panics while it holds a file's state";

/// The ids of a large file's chunks, as they come.
pub(super) struct LargeFile {
    ids: Mutex<Vec<Option<Id>>>,
    /// Chunks that are not saved, and one for its reader.
    open: AtomicUsize,
    end: Mutex<Option<(Node, Promise)>>,
}

impl LargeFile {
    pub(super) fn new() -> Self {
        Self { ids: Mutex::default(), open: AtomicUsize::new(1), end: Mutex::default() }
    }

    /// Room for one more chunk; its number.
    pub(super) fn begin_chunk(&self) -> usize {
        self.open.fetch_add(1, Ordering::Relaxed);
        let mut ids = self.ids.lock().expect(NO_PANIC);
        ids.push(None);
        ids.len() - 1
    }

    /// `None` where it could not be saved: then the run has failed, and the file is of no matter.
    pub(super) fn end_chunk(&self, number: usize, id: Option<Id>) {
        self.ids.lock().expect(NO_PANIC)[number] = id;
        self.close_one();
    }

    /// All of it is read. When its last chunk is saved, the promise is kept with its node and the chunks. Where a chunk is dropped without
    /// [`Self::end_chunk`], it is broken once all are gone.
    pub(super) fn end(&self, node: Node, promise: Promise) {
        *self.end.lock().expect(NO_PANIC) = Some((node, promise));
        self.close_one();
    }

    fn close_one(&self) {
        if self.open.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        let Some((mut node, promise)) = self.end.lock().expect(NO_PANIC).take() else { return };
        let ids = std::mem::take(&mut *self.ids.lock().expect(NO_PANIC));
        let ids: Option<Vec<Id>> = ids.into_iter().collect();
        promise.keep(ids.map(|ids| {
            node.set_file(node.size_bytes(), ids);
            node
        }));
    }
}

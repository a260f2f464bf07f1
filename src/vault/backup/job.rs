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
    pub pending: Arc<Pending>,
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
    Chunk(ChunkJob),
}

/// A file that is being read: whoever waits gets its node, or `None` where there is nothing to save.
#[derive(Default)]
pub(super) struct Pending {
    state: Mutex<State>,
    changed: Condvar,
    failures: Mutex<Vec<Failure>>,
}

#[derive(Default)]
enum State {
    #[default]
    Open,
    Done(Option<Box<Node>>),
}

impl Pending {
    /// Keeps what could not be done for the file, before it is finished.
    pub(super) fn note(&self, failure: Failure) {
        self.failures.lock().expect(NO_PANIC).push(failure);
    }

    /// What was kept, once it is finished: it concerns every name of the file.
    pub(super) fn failures(&self) -> Vec<Failure> {
        self.failures.lock().expect(NO_PANIC).clone()
    }

    pub(super) fn finish(&self, node: Option<Node>) {
        *self.state.lock().expect(NO_PANIC) = State::Done(node.map(Box::new));
        self.changed.notify_all();
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
    end: Mutex<Option<(Node, Arc<Pending>)>>,
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

    /// All of it is read. When its last chunk is saved, `pending` is told its node with the chunks. Without this nobody is told.
    pub(super) fn end(&self, node: Node, pending: Arc<Pending>) {
        *self.end.lock().expect(NO_PANIC) = Some((node, pending));
        self.close_one();
    }

    fn close_one(&self) {
        if self.open.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        let Some((mut node, pending)) = self.end.lock().expect(NO_PANIC).take() else { return };
        let ids = std::mem::take(&mut *self.ids.lock().expect(NO_PANIC));
        let ids: Option<Vec<Id>> = ids.into_iter().collect();
        pending.finish(ids.map(|ids| {
            node.set_file(node.size_bytes(), ids);
            node
        }));
    }
}

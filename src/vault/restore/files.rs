//! The files that are to be filled, and how far each is.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use super::records::Records;
use crate::vault::tree::Metadata;

/// Files by number.
#[derive(Default)]
pub(super) struct Files {
    pub records: Records,
    files: Vec<File>,
}

struct File {
    size_bytes: u64,
    /// Chunks that are not written yet.
    chunks_left: AtomicU32,
    state: AtomicU8,
}

/// How far a file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum State {
    /// Nothing was done for it.
    Planned,
    /// It may be there under its temporary name.
    Begun,
    /// It has its bytes and its name.
    Done,
    /// It was there before, with all its bytes.
    Kept,
    Failed,
}

impl Files {
    pub(super) fn push(&mut self, folder: u32, name: &[u8], metadata: &Metadata, size_bytes: u64, chunks: u32) -> u32 {
        let (chunks_left, state) = (AtomicU32::new(chunks), AtomicU8::new(State::Planned as u8));
        self.files.push(File { size_bytes, chunks_left, state });
        self.records.push(folder, name, metadata)
    }

    pub(super) fn size_bytes(&self, file: u32) -> u64 {
        self.files[file as usize].size_bytes
    }

    pub(super) fn chunks_left(&self, file: u32) -> u32 {
        self.files[file as usize].chunks_left.load(Ordering::Acquire)
    }

    /// Tells that some chunks are written; whether they were the last ones.
    pub(super) fn wrote_chunks(&self, file: u32, count: u32) -> bool {
        self.files[file as usize].chunks_left.fetch_sub(count, Ordering::AcqRel) == count
    }

    pub(super) fn state(&self, file: u32) -> State {
        let state = self.files[file as usize].state.load(Ordering::Acquire);
        [State::Planned, State::Begun, State::Done, State::Kept].into_iter().find(|one| *one as u8 == state).unwrap_or(State::Failed)
    }

    /// The state that it had.
    pub(super) fn set_state(&self, file: u32, state: State) -> State {
        let before = self.state(file);
        self.files[file as usize].state.store(state as u8, Ordering::Release);
        before
    }
}

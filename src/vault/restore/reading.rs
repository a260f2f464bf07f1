//! Packs, read once each and in order: blobs that lie near one another come in one read. What has been read waits for the workers, a
//! bounded number of bytes at once.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};

use super::Source;
use super::blobs::Order;
use crate::vault::backend::content::Content;
use crate::vault::cancel::Cancel;
use crate::vault::error::Error;
use crate::vault::parallel::OnPanic;

/// Threads that read.
pub(super) const READERS: usize = 4;
/// One read ends before this, unless a single blob is larger.
const MOST_BYTES: u64 = 6 << 20;
/// What lies between two blobs is read with them up to this.
const MOST_GAP: u64 = 128 << 10;
/// What is being read or waits to be used, all in all, unless a single read is larger.
const MOST_WAITING: u64 = 24 << 20;
/// Reads that fail because the place does not answer, one after the other, before the restore ends.
const MOST_UNANSWERED: u32 = 4;

/// Some blobs of one pack and their bytes.
pub(super) struct Batch {
    pub blobs: Range<u32>,
    /// Where the bytes begin in the pack.
    pub start: u64,
    pub bytes: Result<Content, Error>,
    size: u64,
}

pub(super) struct Reading<'a> {
    source: &'a Source<'a>,
    order: &'a Order,
    cancel: &'a Cancel,
    state: Mutex<State>,
    changed: Condvar,
    /// Whether `State::ended_by` is set.
    ended: AtomicBool,
}

#[derive(Default)]
struct State {
    next_blob: u32,
    waiting: VecDeque<Batch>,
    bytes: u64,
    readers: usize,
    unanswered: u32,
    ended_by: Option<Error>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(source: &'a Source<'a>, order: &'a Order, cancel: &'a Cancel) -> Self {
        let state = Mutex::new(State { readers: READERS, ..State::default() });
        Self { source, order, cancel, state, changed: Condvar::new(), ended: AtomicBool::new(false) }
    }

    /// Reads until all is read or the restore ends; one of [`READERS`].
    pub(super) fn read(&self) {
        let _end = OnPanic(|| {
            self.lock().readers -= 1;
            self.give_up();
        });
        while let Some((blobs, range)) = self.next_range() {
            let pack = self.order.place(blobs.start).pack;
            let size = range.end - range.start;
            let read = self.source.read_pack(pack, range.clone());
            let bytes = self.note(read);
            let mut state = self.lock();
            state.waiting.push_back(Batch { blobs, start: range.start, bytes, size });
            self.changed.notify_all();
        }
        self.lock().readers -= 1;
        self.changed.notify_all();
    }

    /// The next batch, in about the order of packs; nothing when there will be no more.
    pub(super) fn take(&self) -> Option<Batch> {
        let mut state = self.lock();
        loop {
            if let Some(batch) = state.waiting.pop_front() {
                return Some(batch);
            }
            if state.readers == 0 {
                return None;
            }
            state = self.changed.wait(state).expect("nobody panics while holding it");
        }
    }

    /// Tells that a batch is no longer in memory.
    pub(super) fn used(&self, size: u64) {
        self.lock().bytes -= size;
        self.changed.notify_all();
    }

    /// Passes on what a read came to. Where the place does not answer again and again, the restore ends.
    pub(super) fn note<T>(&self, read: Result<T, Error>) -> Result<T, Error> {
        let mut state = self.lock();
        match &read {
            Err(Error::Cancelled) => self.end(&mut state, Error::Cancelled),
            // A disk that cannot read one place is damage, not an absence.
            Err(error @ Error::Unavailable { doing, source }) if !error.is_bad_disk() => {
                state.unanswered += 1;
                if state.unanswered >= MOST_UNANSWERED {
                    self.end(&mut state, Error::Unavailable { doing: doing.clone(), source: source.to_string().into() });
                }
            }
            _ => state.unanswered = 0,
        }
        drop(state);
        read
    }

    /// For a thread that panics: the others end, too.
    pub(super) fn give_up(&self) {
        self.end(&mut self.lock(), Error::Cancelled);
        self.changed.notify_all();
    }

    fn end(&self, state: &mut State, error: Error) {
        state.ended_by.get_or_insert(error);
        self.ended.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.cancel.is_raised() || self.ended.load(Ordering::Relaxed)
    }

    /// Why the restore ends early.
    pub(super) fn ended_by(self) -> Option<Error> {
        let ended_by = self.state.into_inner().expect("nobody panics while holding it").ended_by;
        ended_by.or_else(|| self.cancel.check().err())
    }

    /// What is to be read next, once there is room for it.
    fn next_range(&self) -> Option<(Range<u32>, Range<u64>)> {
        let mut state = self.lock();
        loop {
            if self.cancel.is_raised() || state.ended_by.is_some() {
                return None;
            }
            let (blobs, range) = self.range_from(state.next_blob)?;
            let size = range.end - range.start;
            if state.bytes == 0 || state.bytes + size <= MOST_WAITING {
                state.bytes += size;
                state.next_blob = blobs.end;
                return Some((blobs, range));
            }
            state = self.changed.wait(state).expect("nobody panics while holding it");
        }
    }

    fn range_from(&self, first: u32) -> Option<(Range<u32>, Range<u64>)> {
        let blobs = self.order.blobs.get(first as usize..)?;
        let begin = blobs.first()?;
        let (start, mut end) = (u64::from(begin.offset), begin.end());
        let mut count = 1;
        for blob in &blobs[1..] {
            let near = blob.pack == begin.pack && u64::from(blob.offset) <= end + MOST_GAP && blob.end() - start <= MOST_BYTES;
            if !near {
                break;
            }
            end = end.max(blob.end());
            count += 1;
        }
        Some((first..first + count, start..end))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding it")
    }
}

impl Batch {
    pub(super) const fn size(&self) -> u64 {
        self.size
    }
}

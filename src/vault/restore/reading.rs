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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::id::Id;
    use crate::vault::pack::BlobKind;
    use crate::vault::restore::blobs::{Blobs, Place};
    use crate::vault::testing::Vault;

    #[test]
    fn packs_are_read_one_after_the_other_and_no_byte_twice() {
        let vault = Vault::new();
        // A pack of many reads, one with a long gap of what nobody needs, and a blob that is longer than a read.
        let many: Vec<Vec<u8>> = (0..15).map(|n| vec![n; 1 << 20]).collect();
        let gap = [vec![100; 1_000], vec![101; 200 << 10], vec![102; 1_000], vec![103; 100 << 10], vec![104; 1_000]];
        let long = vec![105; 7 << 20];
        let wanted: Vec<&Vec<u8>> = many.iter().chain([&gap[0], &gap[2], &gap[4], &long]).collect();
        for pack in [&many[..], &gap, std::slice::from_ref(&long)] {
            vault.chunks(&pack.iter().map(Vec::as_slice).collect::<Vec<_>>());
        }
        let index = vault.index();
        let mut blobs = Blobs::default();
        let mut places = Vec::new();
        // Files need them in another order, and some of them twice.
        for bytes in wanted.iter().rev().chain(&wanted[..5]) {
            let blob = Id::of(bytes);
            let number = blobs.number(&blob).unwrap_or_else(|| blobs.add(&index.find(BlobKind::Data, blob).expect("it is stored")));
            places.push(Place { blob: number, file: 0, offset: 0 });
        }
        let order = blobs.in_order(places);
        let (source, cancel) = (Source { repository: &vault.repository, index: &index }, Cancel::default());
        let reading = Reading::new(&source, &order, &cancel);
        let mut reads: Vec<(Id, Range<u64>)> = Vec::new();
        let mut taken = 0;
        while let Some((blobs, range)) = reading.next_range() {
            assert_eq!(blobs.start, taken);
            taken = blobs.end;
            let pack = order.place(blobs.start).pack;
            for blob in blobs.clone().map(|blob| order.place(blob)) {
                let begin = u64::from(blob.blob.offset);
                assert!(blob.pack == pack && range.start <= begin && begin + u64::from(blob.blob.length) <= range.end);
            }
            reading.used(range.end - range.start);
            reads.push((pack, range));
        }
        assert_eq!(taken as usize, wanted.len());
        for pair in reads.windows(2) {
            assert!(pair[0].0 != pair[1].0 || pair[0].1.end <= pair[1].1.start, "{pair:?}");
        }
        let mut packs: Vec<Id> = reads.iter().map(|(pack, _)| *pack).collect();
        packs.dedup();
        assert_eq!(packs.len(), 3, "whoever has begun a pack ends it");
        let mut sizes: Vec<Vec<u64>> = packs.iter().map(|pack| lengths(&reads, pack)).collect();
        sizes.sort_unstable();
        let mib = |count: u64| count * ((1 << 20) + 32);
        let (before, behind) = (1_032, 1_032 + (100 << 10) + 32 + 1_032);
        assert_eq!(sizes, [vec![before, behind], vec![mib(5), mib(5), mib(5)], vec![(7 << 20) + 32]]);
    }

    fn lengths(reads: &[(Id, Range<u64>)], pack: &Id) -> Vec<u64> {
        reads.iter().filter(|(of, _)| of == pack).map(|(_, range)| range.end - range.start).collect()
    }
}

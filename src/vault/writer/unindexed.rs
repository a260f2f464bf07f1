//! Stored packs that no index file names yet. An index file is written from time to time, so that a run that is killed loses little.

use std::time::{Duration, Instant};

use crate::vault::id::Id;
use crate::vault::index::file::IndexedPack;
use crate::vault::pack::PackedBlob;

/// An index file is written for so many blobs: about 8 MiB of it.
const BLOBS: usize = 50_000;
/// Or after this time.
const AGE: Duration = Duration::from_secs(300);

pub(super) struct Unindexed {
    packs: Vec<IndexedPack>,
    /// When the last index file was written, or the run began.
    since: Instant,
}

impl Unindexed {
    pub(super) const fn since(now: Instant) -> Self {
        Self { packs: Vec::new(), since: now }
    }

    pub(super) fn add(&mut self, pack: Id, blobs: Vec<PackedBlob>) {
        self.packs.push((pack, blobs));
    }

    /// All of them, where there are any and it is time for an index file.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Vec<IndexedPack>> {
        let blobs: usize = self.packs.iter().map(|(_, blobs)| blobs.len()).sum();
        let is_due = blobs >= BLOBS || now.duration_since(self.since) >= AGE;
        if is_due { self.take(now) } else { None }
    }

    /// All of them, where there are any.
    pub(super) fn take(&mut self, now: Instant) -> Option<Vec<IndexedPack>> {
        if self.packs.is_empty() {
            return None;
        }
        self.since = now;
        Some(std::mem::take(&mut self.packs))
    }

    /// Those that were taken, where their index file could not be written.
    pub(super) fn put_back(&mut self, packs: Vec<IndexedPack>) {
        self.packs.extend(packs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::index::file::to_bytes;
    use crate::vault::pack::BlobKind;

    fn blobs(count: usize) -> Vec<PackedBlob> {
        let blob = |number: usize| PackedBlob {
            kind: BlobKind::Data,
            id: Id::of(&number.to_le_bytes()),
            offset: 10_000_000,
            length: 1_000_000,
            raw_length: Some(1_500_000),
        };
        (0..count).map(blob).collect()
    }

    fn taken(packs: Option<Vec<IndexedPack>>) -> Option<usize> {
        packs.map(|packs| packs.iter().map(|(_, blobs)| blobs.len()).sum())
    }

    #[test]
    fn an_index_is_written_for_about_8_mib_of_it() {
        let begin = Instant::now();
        let mut unindexed = Unindexed::since(begin);
        for part in [20_000, 20_000, 9_999] {
            unindexed.add(Id::of(b"pack"), blobs(part));
            assert!(unindexed.take_due(begin).is_none());
        }
        unindexed.add(Id::of(b"pack"), blobs(1));
        let due = unindexed.take_due(begin).expect("50,000 blobs");
        let bytes = to_bytes(&due).len();
        assert!((7 << 20..9 << 20).contains(&bytes), "{bytes}");
        assert!(unindexed.take_due(begin).is_none(), "all were taken");
        unindexed.put_back(due);
        assert_eq!(taken(unindexed.take_due(begin)), Some(50_000), "it could not be written");
    }

    #[test]
    fn what_is_stored_waits_five_minutes_for_its_index_at_most() {
        let begin = Instant::now();
        let after = |seconds| begin + Duration::from_secs(seconds);
        let mut unindexed = Unindexed::since(begin);
        assert!(unindexed.take_due(after(1_000)).is_none(), "nothing is no index");
        unindexed.add(Id::of(b"pack"), blobs(1));
        assert!(unindexed.take_due(after(299)).is_none());
        assert_eq!(taken(unindexed.take_due(after(300))), Some(1));
        unindexed.add(Id::of(b"pack"), blobs(2));
        assert!(unindexed.take_due(after(599)).is_none());
        assert_eq!(taken(unindexed.take_due(after(600))), Some(2));
        unindexed.add(Id::of(b"pack"), blobs(3));
        assert_eq!(taken(unindexed.take(after(601))), Some(3), "the end of a run does not wait");
    }
}

//! The index's memory: entries of 48 bytes in blocks that never move, found through a table of numbers with open addressing (linear
//! probing). Ids are hashes, so they serve as such; to find many that fall together somebody would have to break SHA-256.

use crate::vault::id::Id;
use crate::vault::pack::{BlobKind, PackedBlob};

/// Entries in a block.
const BLOCK: usize = 512;
/// In `Entry::length`.
const IS_TREE: u32 = 1 << 31;
/// In `Entry::pack`: no pack yet.
const CLAIMED: u32 = u32::MAX;

/// A blob and its pack's number.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    id: Id,
    pack: u32,
    offset: u32,
    /// The highest bit says that it is a tree.
    length: u32,
    /// 0 where it is not compressed.
    raw_length: u32,
}

#[derive(Default)]
pub(super) struct Table {
    blocks: Vec<Vec<Entry>>,
    /// Number of an entry plus one; 0 is free.
    slots: Vec<u32>,
}

impl Entry {
    pub(super) fn new(blob: &PackedBlob, pack: u32) -> Self {
        let is_tree = if blob.kind == BlobKind::Tree { IS_TREE } else { 0 };
        let length = blob.length & !IS_TREE | is_tree;
        Self { id: blob.id, pack, offset: blob.offset, length, raw_length: blob.raw_length.unwrap_or_default() }
    }

    pub(super) fn claimed(kind: BlobKind, id: Id) -> Self {
        Self::new(&PackedBlob { kind, id, offset: 0, length: 0, raw_length: None }, CLAIMED)
    }

    pub(super) fn pack(&self) -> Option<u32> {
        (self.pack != CLAIMED).then_some(self.pack)
    }

    pub(super) fn blob(&self) -> PackedBlob {
        let raw_length = (self.raw_length != 0).then_some(self.raw_length);
        PackedBlob { kind: self.kind(), id: self.id, offset: self.offset, length: self.length & !IS_TREE, raw_length }
    }

    fn kind(&self) -> BlobKind {
        if self.length & IS_TREE != 0 { BlobKind::Tree } else { BlobKind::Data }
    }
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.blocks.last().map_or(0, |last| (self.blocks.len() - 1) * BLOCK + last.len())
    }

    pub(super) fn insert(&mut self, entry: Entry) {
        if self.blocks.last().is_none_or(|last| last.len() == BLOCK) {
            self.blocks.push(Vec::with_capacity(BLOCK));
        }
        self.blocks.last_mut().expect("pushed above").push(entry);
        // Seven of eight are in use at most: probes stay short, and the table small.
        if self.len() * 8 > self.slots.len() * 7 {
            self.grow();
        } else {
            self.enter(self.len() - 1);
        }
    }

    /// The entries of a blob, in the order in which they were inserted but for a table that has grown since.
    pub(super) fn find(&self, kind: BlobKind, id: Id) -> impl Iterator<Item = &Entry> {
        self.numbers(kind, id).map(|number| self.entry(number))
    }

    /// Their numbers: how many entries were inserted before them.
    pub(super) fn numbers(&self, kind: BlobKind, id: Id) -> impl Iterator<Item = usize> {
        let filled = self.probe(&id).map(|slot| self.slots[slot] as usize).take_while(|number| *number != 0);
        filled.map(|number| number - 1).filter(move |number| self.entry(*number).id == id && self.entry(*number).kind() == kind)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.blocks.iter().flatten()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.blocks.len() * (BLOCK * size_of::<Entry>() + size_of::<Vec<Entry>>()) + self.slots.capacity() * size_of::<u32>()
    }

    pub(super) fn entry(&self, number: usize) -> &Entry {
        &self.blocks[number / BLOCK][number % BLOCK]
    }

    /// The slots in which an id may be, in order.
    fn probe(&self, id: &Id) -> impl Iterator<Item = usize> + use<> {
        let count = self.slots.len();
        let hash = u64::from_le_bytes(*id.0.first_chunk().expect("an id has 32 bytes"));
        let first = ((u128::from(hash) * count as u128) >> 64) as usize;
        (first..count).chain(0..first)
    }

    fn enter(&mut self, number: usize) {
        let id = self.entry(number).id;
        let free = self.probe(&id).find(|slot| self.slots[*slot] == 0).expect("the table is never full");
        self.slots[free] = u32::try_from(number + 1).expect("fewer than 2^32 blobs");
    }

    fn grow(&mut self) {
        let count = (self.slots.len() * 6 / 5).max(64);
        self.slots = Vec::new();
        self.slots.resize(count, 0);
        for number in 0..self.len() {
            self.enter(number);
        }
    }
}

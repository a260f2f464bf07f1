//! Which pack holds which blob. Index files (`file`) say it for some packs each; together they are the index, which a run holds in
//! memory: at most 56 bytes a blob where packs are full.

pub mod file;
mod table;

use super::id::Id;
use super::pack::{BlobKind, PackedBlob};
use table::{Entry, Table};

/// Where a blob lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    pub pack: Id,
    pub blob: PackedBlob,
}

/// Packs and their blobs. A blob may lie in several packs, and in one pack twice.
#[derive(Default)]
pub struct Index {
    packs: Vec<Id>,
    table: Table,
}

impl Index {
    /// Takes over what a pack holds. Does nothing where the pack is known.
    pub fn add(&mut self, pack: Id, blobs: &[PackedBlob]) {
        if self.knows(pack, blobs) {
            return;
        }
        let number = u32::try_from(self.packs.len()).expect("fewer than 2^32 packs");
        if self.packs.len() == self.packs.capacity() {
            self.packs.reserve_exact(self.packs.len() / 16 + 64);
        }
        self.packs.push(pack);
        for blob in blobs {
            self.table.insert(Entry::new(blob, number));
        }
    }

    fn knows(&self, pack: Id, blobs: &[PackedBlob]) -> bool {
        match blobs.first() {
            Some(first) => self.places(first.kind, first.id).any(|place| place.pack == pack && place.blob.offset == first.offset),
            None => self.packs.contains(&pack),
        }
    }

    /// Marks a blob as on its way into a pack. `false` where it is on its way already, or lies in one: then there is nothing to do.
    pub fn claim(&mut self, kind: BlobKind, id: Id) -> bool {
        let is_new = !self.has(kind, id);
        if is_new {
            self.table.insert(Entry::claimed(kind, id));
        }
        is_new
    }

    /// Whether it lies in a pack or is claimed.
    pub fn has(&self, kind: BlobKind, id: Id) -> bool {
        self.table.find(kind, id).next().is_some()
    }

    /// Where a blob lies; one place of several.
    pub fn find(&self, kind: BlobKind, id: Id) -> Option<Place> {
        self.places(kind, id).next()
    }

    /// Everywhere that it lies.
    pub fn places(&self, kind: BlobKind, id: Id) -> impl Iterator<Item = Place> + '_ {
        self.table.find(kind, id).filter_map(|entry| self.place(entry))
    }

    /// The numbers of the entries that say where it lies, below [`Self::len`]. They never change, so a set of bits can speak of blobs.
    pub fn numbers(&self, kind: BlobKind, id: Id) -> impl Iterator<Item = u32> + '_ {
        let number = |number: usize| u32::try_from(number).expect("fewer than 2^32 blobs");
        self.table.numbers(kind, id).filter(|number| self.table.entry(*number).pack().is_some()).map(number)
    }

    /// What the entry of a number says. `None` for a blob that is only claimed.
    ///
    /// # Panics
    /// Where no entry has this number.
    pub fn at(&self, number: u32) -> Option<Place> {
        self.place(self.table.entry(number as usize))
    }

    /// Every blob of every pack, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = Place> + '_ {
        self.table.iter().filter_map(|entry| self.place(entry))
    }

    /// Every pack that it names, in the order in which they were added.
    pub fn packs(&self) -> &[Id] {
        &self.packs
    }

    /// How many blobs it knows, claimed ones among them.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that it takes in memory.
    pub fn memory_bytes(&self) -> usize {
        self.table.memory_bytes() + self.packs.capacity() * size_of::<Id>()
    }

    fn place(&self, entry: &Entry) -> Option<Place> {
        let pack = *self.packs.get(entry.pack()? as usize).expect("an entry names a pack that was added");
        Some(Place { pack, blob: entry.blob() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn blob(name: u64, offset: u32) -> PackedBlob {
        let kind = if name.is_multiple_of(3) { BlobKind::Tree } else { BlobKind::Data };
        let raw_length = name.is_multiple_of(2).then_some(77);
        PackedBlob { kind, id: Id::of(&name.to_le_bytes()), offset, length: 100, raw_length }
    }

    proptest! {
        #[test]
        fn it_knows_what_a_list_knows(packs in proptest::collection::vec(proptest::collection::vec(0_u64..60, 1..20), 0..20)) {
            let mut index = Index::default();
            let mut list = Vec::new();
            for (number, names) in packs.iter().enumerate() {
                let pack = Id::of(&[number as u8]);
                let blobs: Vec<PackedBlob> = names.iter().zip(0..).map(|(name, at)| blob(*name, at * 100)).collect();
                index.add(pack, &blobs);
                index.add(pack, &blobs);
                list.extend(blobs.iter().map(|blob| Place { pack, blob: *blob }));
            }
            prop_assert_eq!(index.iter().collect::<Vec<_>>(), list.clone());
            prop_assert_eq!((index.len(), index.packs().len()), (list.len(), packs.len()));
            for name in 0..61 {
                let PackedBlob { kind, id, .. } = blob(name, 0);
                let expected: Vec<Place> = list.iter().filter(|place| place.blob.id == id).copied().collect();
                let mut found: Vec<Place> = index.places(kind, id).collect();
                prop_assert_eq!(index.numbers(kind, id).filter_map(|number| index.at(number)).collect::<Vec<_>>(), found.clone());
                found.sort_by_key(|place| list.iter().position(|other| other == place));
                prop_assert_eq!(found, expected.clone());
                prop_assert_eq!(index.find(kind, id).is_some(), !expected.is_empty());
                let other = if kind == BlobKind::Tree { BlobKind::Data } else { BlobKind::Tree };
                prop_assert_eq!(index.find(other, id), None);
            }
        }
    }

    #[test]
    fn a_blob_is_claimed_once_and_then_has_a_place() {
        let mut index = Index::default();
        let blob = blob(1, 0);
        assert!(index.claim(blob.kind, blob.id));
        assert!(!index.claim(blob.kind, blob.id));
        assert!(index.claim(BlobKind::Tree, blob.id), "the same bytes may be a tree, too");
        assert_eq!((index.find(blob.kind, blob.id), index.iter().count()), (None, 0));
        assert_eq!((index.numbers(blob.kind, blob.id).count(), index.at(0)), (0, None));
        index.add(Id::of(b"pack"), &[blob]);
        assert_eq!(index.find(blob.kind, blob.id), Some(Place { pack: Id::of(b"pack"), blob }));
        assert!(!index.claim(blob.kind, blob.id));
    }

    #[test]
    fn a_blob_takes_at_most_56_bytes() {
        let mut index = Index::default();
        let mut worst = 0.0_f64;
        for number in 0..40_000_u64 {
            let blobs: Vec<PackedBlob> = (0..16).map(|at| blob(number * 16 + u64::from(at), at * 100)).collect();
            index.add(Id::of(&number.to_le_bytes()), &blobs);
            if number > 10_000 {
                worst = worst.max(index.memory_bytes() as f64 / index.len() as f64);
            }
        }
        assert!(worst <= 56.0, "{worst} bytes a blob");
    }
}

//! What the index says of each pack: which entries are its blobs, and how many bytes it must have. About 100 bytes a pack.

use std::collections::HashMap;
use std::ops::Range;

use super::crypto::OVERHEAD_BYTES;
use super::id::Id;
use super::index::Index;
use super::pack::{BlobKind, PackedBlob};

/// The packs of an index, in the order in which they were added.
pub(super) struct PackTable {
    pub(super) packs: Vec<Pack>,
    numbers: HashMap<Id, u32>,
}

/// One pack, as the index has it.
pub(super) struct Pack {
    pub(super) id: Id,
    /// Its blobs: numbers of the index's entries. More than one range where several index files name different parts of it.
    pub(super) entries: Vec<Range<u32>>,
    /// What its file must have: blobs, header, and the length of that.
    pub(super) size_bytes: u64,
    pub(super) has_data: bool,
    pub(super) has_trees: bool,
    /// Whether a blob of it is not compressed.
    pub(super) has_plain: bool,
}

impl PackTable {
    pub(super) fn new(index: &Index) -> Self {
        let mut table = Self { packs: Vec::new(), numbers: HashMap::new() };
        // A pack without blobs has no entry, and is a pack all the same.
        for pack in index.packs() {
            table.number_of(*pack);
        }
        for (place, number) in (0..).map(|number| (index.at(number), number)).take(index.len()) {
            if let Some(place) = place {
                let pack = table.number_of(place.pack);
                table.packs[pack].take(number, &place.blob);
            }
        }
        table
    }

    pub(super) fn find(&self, id: Id) -> Option<&Pack> {
        self.numbers.get(&id).map(|number| &self.packs[*number as usize])
    }

    fn number_of(&mut self, id: Id) -> usize {
        let new = u32::try_from(self.packs.len()).expect("fewer than 2^32 packs");
        let number = *self.numbers.entry(id).or_insert(new);
        if number == new {
            let size_bytes = (OVERHEAD_BYTES + size_of::<u32>()) as u64;
            self.packs.push(Pack { id, entries: Vec::new(), size_bytes, has_data: false, has_trees: false, has_plain: false });
        }
        number as usize
    }
}

impl Pack {
    fn take(&mut self, number: u32, blob: &PackedBlob) {
        match self.entries.last_mut() {
            Some(last) if last.end == number => last.end += 1,
            _ => self.entries.push(number..number + 1),
        }
        self.size_bytes += u64::from(blob.length) + blob.header_bytes();
        match blob.kind {
            BlobKind::Data => self.has_data = true,
            BlobKind::Tree => self.has_trees = true,
        }
        self.has_plain |= blob.raw_length.is_none();
    }

    /// The numbers of its entries.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        self.entries.iter().flat_map(Clone::clone)
    }

    /// How many blobs it has.
    pub(super) fn len(&self) -> usize {
        self.entries.iter().map(ExactSizeIterator::len).sum()
    }

    /// Its blobs, in the order in which they lie in it.
    pub(super) fn blobs(&self, index: &Index) -> Vec<(u32, PackedBlob)> {
        let blob = |number| (number, index.at(number).expect("the table holds entries that have a place").blob);
        let mut blobs: Vec<_> = self.numbers().map(blob).collect();
        blobs.sort_by_key(|(_, blob)| blob.offset);
        blobs
    }
}

impl PackedBlob {
    /// Bytes that the header of a pack needs for it.
    const fn header_bytes(&self) -> u64 {
        if self.raw_length.is_some() { 41 } else { 37 }
    }
}

#[cfg(test)]
mod tests {
    use super::super::crypto::{KeyBytes, Sealer};
    use super::super::pack::Builder;
    use super::*;

    #[test]
    fn a_packs_size_is_known_from_the_index_whoever_names_its_parts() {
        let sealer = Sealer::new(&KeyBytes::random());
        let mut builder = Builder::new(BlobKind::Data);
        builder.push(Id::of(b"one"), &sealer.seal(b"one"), None);
        builder.push(Id::of(b"two"), &sealer.seal(b"packed"), Some(99));
        let pack = builder.finish(&sealer);
        let id = Id::of(&pack.bytes);
        let mut index = Index::default();
        index.add(id, &pack.blobs[..1]);
        index.add(Id::of(b"other"), &pack.blobs[..1]);
        index.add(id, &pack.blobs[1..]);
        let table = PackTable::new(&index);
        let found = table.find(id).unwrap();
        assert_eq!((found.size_bytes, found.len(), table.packs.len()), (pack.bytes.len() as u64, 2, 2));
        assert_eq!(found.numbers().collect::<Vec<_>>(), [0, 2]);
        assert_eq!(found.blobs(&index).into_iter().map(|(_, blob)| blob).collect::<Vec<_>>(), pack.blobs);
        assert!(found.has_plain && found.has_data && !found.has_trees);
    }
}

//! Which blobs a restore needs, each once, and where in which files they go: 52 bytes a blob and 16 bytes a place.

use std::collections::HashMap;

use crate::vault::id::Id;
use crate::vault::index;
use crate::vault::pack::{BlobKind, PackedBlob};

/// A blob that is needed.
#[derive(Debug)]
pub(super) struct Blob {
    pub id: Id,
    /// The number of its pack, in the order in which packs were first met.
    pub pack: u32,
    pub offset: u32,
    pub length: u32,
    /// 0 where it is not compressed.
    pub raw_length: u32,
    number: u32,
}

impl Blob {
    /// Where its sealed bytes end in the pack.
    pub(super) fn end(&self) -> u64 {
        u64::from(self.offset) + u64::from(self.length)
    }

    fn plain_length(&self) -> u64 {
        packed(self).plain_length().into()
    }
}

fn packed(blob: &Blob) -> PackedBlob {
    let Blob { id, offset, length, raw_length, .. } = *blob;
    PackedBlob { kind: BlobKind::Data, id, offset, length, raw_length: (raw_length != 0).then_some(raw_length) }
}

/// One place where a blob goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Place {
    pub blob: u32,
    pub file: u32,
    pub offset: u64,
}

/// Blobs in the order in which they were met, until [`Blobs::in_order`].
#[derive(Default)]
pub(super) struct Blobs {
    pub blobs: Vec<Blob>,
    packs: Vec<Id>,
    numbers_of_packs: HashMap<Id, u32>,
    /// Numbers of blobs plus one, at the places that their ids name or at the next free ones.
    slots: Vec<u32>,
}

impl Blobs {
    /// The number of a blob that was met before.
    pub(super) fn number(&self, id: &Id) -> Option<u32> {
        self.slots_of(id).map_while(|slot| self.slots[slot].checked_sub(1)).find(|number| self.blobs[*number as usize].id == *id)
    }

    /// The number of a blob, which gets one here; it must not have one.
    pub(super) fn add(&mut self, place: &index::Place) -> u32 {
        let number = u32::try_from(self.blobs.len()).expect("memory ends before four thousand million blobs");
        let pack = *self.numbers_of_packs.entry(place.pack).or_insert_with(|| {
            self.packs.push(place.pack);
            u32::try_from(self.packs.len() - 1).expect("not more than blobs")
        });
        let PackedBlob { id, offset, length, raw_length, .. } = place.blob;
        self.blobs.push(Blob { id, pack, offset, length, raw_length: raw_length.unwrap_or_default(), number });
        if self.blobs.len() * 2 > self.slots.len() {
            self.slots = vec![0; (self.slots.len() * 2).max(1024)];
            for number in 0..self.blobs.len() {
                self.fill_slot(number);
            }
        } else {
            self.fill_slot(number as usize);
        }
        number
    }

    /// How many bytes a blob has when it is opened.
    pub(super) fn plain_length(&self, blob: u32) -> u64 {
        self.blobs[blob as usize].plain_length()
    }

    /// Blobs in the order in which they lie in their packs, and places in the order of their blobs; blobs without a place are left out.
    pub(super) fn in_order(mut self, mut places: Vec<Place>) -> Order {
        self.slots = Vec::new();
        let mut ranks = vec![u32::MAX; self.blobs.len()];
        places.iter().for_each(|place| ranks[place.blob as usize] = 0);
        self.blobs.retain(|blob| ranks[blob.number as usize] == 0);
        self.blobs.sort_unstable_by_key(|blob| (blob.pack, blob.offset));
        for (rank, blob) in self.blobs.iter().enumerate() {
            ranks[blob.number as usize] = u32::try_from(rank).expect("not more than blobs");
        }
        places.iter_mut().for_each(|place| place.blob = ranks[place.blob as usize]);
        places.sort_unstable();
        Order { blobs: self.blobs, packs: self.packs, places }
    }

    fn fill_slot(&mut self, number: usize) {
        let slot = self.slots_of(&self.blobs[number].id).find(|slot| self.slots[*slot] == 0).expect("half of the slots are free");
        self.slots[slot] = u32::try_from(number + 1).expect("not more than blobs");
    }

    fn slots_of(&self, id: &Id) -> impl Iterator<Item = usize> + use<> {
        let [a, b, c, d, e, f, g, h, ..] = id.0;
        let count = self.slots.len();
        let first = u64::from_le_bytes([a, b, c, d, e, f, g, h]).checked_rem(count as u64).unwrap_or_default();
        let first = usize::try_from(first).expect("less than the number of slots");
        (first..count).chain(0..first)
    }
}

/// All that has to be read, in the order of reading.
pub(super) struct Order {
    pub blobs: Vec<Blob>,
    packs: Vec<Id>,
    pub places: Vec<Place>,
}

impl Order {
    /// Where a blob lies.
    pub(super) fn place(&self, blob: u32) -> index::Place {
        let blob = &self.blobs[blob as usize];
        index::Place { pack: self.packs[blob.pack as usize], blob: packed(blob) }
    }

    pub(super) fn places_of(&self, blob: u32) -> &[Place] {
        let start = self.places.partition_point(|place| place.blob < blob);
        let rest = &self.places[start..];
        // A blob has few places, nearly always.
        let len = rest.iter().take_while(|place| place.blob == blob).count();
        &rest[..len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u32) -> Id {
        Id::of(&number.to_le_bytes())
    }

    fn at(blob: u32, pack: u32, offset: u32) -> index::Place {
        let blob = PackedBlob { kind: BlobKind::Data, id: id(blob), offset, length: 10, raw_length: Some(5) };
        index::Place { pack: id(pack + 1_000_000), blob }
    }

    #[test]
    fn a_chunk_takes_no_more_memory_than_is_promised() {
        assert!(size_of::<Blob>() <= 52 && size_of::<Place>() <= 16);
    }

    #[test]
    fn every_blob_is_found_again_and_no_other() {
        let mut blobs = Blobs::default();
        assert_eq!(blobs.number(&id(0)), None);
        for number in 0..5000 {
            assert_eq!(blobs.add(&at(number, number % 7, number)), number);
        }
        for number in 0..5000 {
            assert_eq!(blobs.number(&id(number)), Some(number));
            assert_eq!(blobs.number(&id(number + 5000)), None);
        }
    }

    #[test]
    fn blobs_are_read_as_they_lie_in_packs_and_unused_ones_not_at_all() {
        let mut blobs = Blobs::default();
        for place in [at(0, 1, 30), at(1, 2, 0), at(2, 1, 10), at(3, 1, 20)] {
            blobs.add(&place);
        }
        let place = |blob, file| Place { blob, file, offset: 0 };
        let order = blobs.in_order(vec![place(0, 0), place(1, 1), place(2, 2), place(0, 3)]);
        let ids: Vec<_> = order.blobs.iter().map(|blob| blob.id).collect();
        assert_eq!(ids, [id(2), id(0), id(1)]);
        assert_eq!(order.place(1), at(0, 1, 30));
        assert_eq!(order.places_of(1).iter().map(|place| place.file).collect::<Vec<_>>(), [0, 3]);
        assert_eq!(order.places_of(2).len(), 1);
    }
}

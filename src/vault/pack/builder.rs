//! A pack under construction.

use std::sync::Arc;

use bytes::Bytes;

use super::memory::Memory;
use super::{BlobKind, PackedBlob, header_bytes};
use crate::vault::crypto::Sealer;
use crate::vault::id::Id;
use crate::vault::room::Home;

/// A pack ends when it has this many bytes.
pub const PACK_BYTES: usize = 16 << 20;
/// Or this many blobs, so that its header stays far below what restic refuses.
pub const MAX_BLOBS: usize = 10_000;

/// Room for a whole pack, for its last blob beyond the limit, and for the header.
const ROOM_BYTES: usize = PACK_BYTES + (9 << 20);

/// Blobs of one kind, sealed, one after the other.
pub struct Builder {
    kind: BlobKind,
    memory: Memory,
    blobs: Vec<PackedBlob>,
}

/// A whole pack; its SHA-256 is its name.
pub struct FinishedPack {
    pub bytes: Bytes,
    pub blobs: Vec<PackedBlob>,
}

impl Builder {
    pub fn new(kind: BlobKind) -> Self {
        Self::reusing(kind, &Arc::default())
    }

    /// The same with memory that a pack before it used, where there is some.
    pub fn reusing(kind: BlobKind, home: &Arc<Home>) -> Self {
        Self { kind, memory: Memory::new(Arc::clone(home)), blobs: Vec::new() }
    }

    /// Adds a sealed blob.
    pub fn push(&mut self, id: Id, sealed: &[u8], raw_length: Option<u32>) {
        let offset = u32::try_from(self.len_bytes()).expect("a pack ends long before 4 GiB");
        let length = u32::try_from(sealed.len()).expect("a blob is shorter than 4 GiB");
        // What is not used of it takes no memory.
        self.memory.reserve(ROOM_BYTES);
        self.memory.extend_from_slice(sealed);
        self.blobs.push(PackedBlob { kind: self.kind, id, offset, length, raw_length });
    }

    /// Whether it is to be finished before more comes.
    pub fn is_full(&self) -> bool {
        self.len_bytes() >= PACK_BYTES || self.blobs.len() >= MAX_BLOBS
    }

    pub const fn kind(&self) -> BlobKind {
        self.kind
    }

    pub fn is_empty(&self) -> bool {
        self.blobs.is_empty()
    }

    /// How many bytes it holds so far.
    pub fn len_bytes(&self) -> usize {
        self.memory.as_ref().len()
    }

    pub fn finish(mut self, sealer: &Sealer) -> FinishedPack {
        self.memory.extend_from_slice(&header_bytes(&self.blobs, sealer));
        FinishedPack { bytes: self.memory.into_bytes(), blobs: self.blobs }
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse_header;
    use super::*;
    use crate::vault::crypto::KeyBytes;
    use crate::vault::room::ALIGNED_BYTES;

    #[test]
    fn a_pack_tells_what_it_holds_from_its_own_end() {
        let sealer = Sealer::new(&KeyBytes::random());
        let mut pack = Builder::new(BlobKind::Data);
        assert!(pack.is_empty());
        pack.push(Id::of(b"one"), &sealer.seal(b"one"), None);
        pack.push(Id::of(b"two"), &sealer.seal(b"compressed two"), Some(3));
        let pack = pack.finish(&sealer);
        assert_eq!(pack.bytes.as_ptr().align_offset(ALIGNED_BYTES), 0, "a disk can take it from there");
        assert_eq!(parse_header(&pack.bytes, pack.bytes.len() as u64, &sealer), Ok(pack.blobs.clone()));
        let second = &pack.blobs[1];
        let mut sealed = pack.bytes[second.offset as usize..][..second.length as usize].to_vec();
        assert_eq!(sealer.open_in_place(&mut sealed).unwrap(), b"compressed two");
        assert_eq!(pack.blobs.iter().map(PackedBlob::plain_length).collect::<Vec<_>>(), [3, 3]);
    }

    #[test]
    fn a_pack_is_full_at_16_mib_or_10_000_blobs() {
        let mut by_size = Builder::new(BlobKind::Data);
        by_size.push(Id::of(b""), &vec![0; PACK_BYTES - 1], None);
        assert!(!by_size.is_full());
        by_size.push(Id::of(b"x"), &[0], None);
        assert!(by_size.is_full());
        let mut by_count = Builder::new(BlobKind::Tree);
        for number in 0..MAX_BLOBS {
            assert!(!by_count.is_full(), "{number}");
            by_count.push(Id::of(b"x"), &[0], None);
        }
        assert!(by_count.is_full());
    }
}

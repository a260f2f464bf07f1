//! Packs: blobs one after the other, each sealed; then the sealed header, which says what they are; then the length of that, four bytes,
//! little-endian (`doc/design.rst`, "Pack Format").

mod builder;
mod header;
mod memory;

pub use builder::{Builder, FinishedPack, MAX_BLOBS, PACK_BYTES};
pub use header::{header_bytes, parse_header};

use super::id::Id;

/// The two kinds of blobs. The same bytes may be both.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum BlobKind {
    /// A chunk of a file.
    Data,
    /// A folder.
    Tree,
}

/// A blob in a pack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PackedBlob {
    pub kind: BlobKind,
    pub id: Id,
    /// Where its sealed bytes begin in the pack.
    pub offset: u32,
    /// How many they are.
    pub length: u32,
    /// How many its plain bytes are, where it is compressed; never 0.
    pub raw_length: Option<u32>,
}

impl PackedBlob {
    /// How many bytes it has when it is opened.
    pub const fn plain_length(&self) -> u32 {
        match self.raw_length {
            Some(raw) => raw,
            None => self.length.saturating_sub(super::crypto::OVERHEAD_BYTES as u32),
        }
    }
}

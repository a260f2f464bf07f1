//! Reading many trees, one after the other. They lie close together in few packs, so packs are read in blocks, and the last blocks are
//! kept: a walk over a hundred thousand folders asks the place some hundred times.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use bytes::Bytes;

use super::backend::{Kind, Name};
use super::error::Error;
use super::id::Id;
use super::index::Place;
use super::repository::Repository;
use super::tree::Tree;

/// Bytes read at once.
const BLOCK_BYTES: u64 = 1 << 20;
/// Blocks kept.
const KEPT: usize = 16;

/// Reads trees by the places of their blobs.
pub struct TreeReader<'a> {
    repository: &'a Repository,
    /// The newest last.
    blocks: VecDeque<(Id, u64, Bytes)>,
    pack_bytes: HashMap<Id, u64>,
}

impl<'a> TreeReader<'a> {
    pub fn new(repository: &'a Repository) -> Self {
        Self { repository, blocks: VecDeque::new(), pack_bytes: HashMap::new() }
    }

    /// The tree at a place, checked. Another place of the same tree may be whole where this one is not.
    pub fn read(&mut self, place: &Place) -> Result<Tree, Error> {
        let start = u64::from(place.blob.offset);
        let mut sealed = self.bytes(place.pack, start..start + u64::from(place.blob.length))?;
        let plain = self.repository.open_blob(&mut sealed, place)?;
        Tree::parse(&plain, &place.blob.id)
    }

    fn bytes(&mut self, pack: Id, range: Range<u64>) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::with_capacity((range.end - range.start) as usize);
        for number in range.start / BLOCK_BYTES..=range.end.saturating_sub(1) / BLOCK_BYTES {
            let block = self.block(pack, number)?;
            let begin = number * BLOCK_BYTES;
            let from = range.start.saturating_sub(begin) as usize;
            let to = (range.end - begin).min(block.len() as u64) as usize;
            bytes.extend_from_slice(block.get(from..to).ok_or_else(|| too_short(pack))?);
        }
        Ok(bytes)
    }

    fn block(&mut self, pack: Id, number: u64) -> Result<Bytes, Error> {
        let kept = self.blocks.iter().position(|(of, block, _)| *of == pack && *block == number);
        if let Some(block) = kept.and_then(|at| self.blocks.remove(at)) {
            let bytes = block.2.clone();
            self.blocks.push_back(block);
            return Ok(bytes);
        }
        let pack_bytes = self.size_of(pack)?;
        let start = number * BLOCK_BYTES;
        if start >= pack_bytes {
            return Err(too_short(pack));
        }
        let range = start..(start + BLOCK_BYTES).min(pack_bytes);
        let bytes = self.repository.backend().read(Name::Of(Kind::Data, pack), Some(range))?;
        if self.blocks.len() == KEPT {
            self.blocks.pop_front();
        }
        self.blocks.push_back((pack, number, bytes.clone()));
        Ok(bytes)
    }

    fn size_of(&mut self, pack: Id) -> Result<u64, Error> {
        if let Some(bytes) = self.pack_bytes.get(&pack) {
            return Ok(*bytes);
        }
        let bytes = self.repository.backend().size_bytes(Name::Of(Kind::Data, pack))?;
        self.pack_bytes.insert(pack, bytes);
        Ok(bytes)
    }
}

fn too_short(pack: Id) -> Error {
    Error::damaged(format!("pack {}", pack.short()), "it is shorter than the index says")
}

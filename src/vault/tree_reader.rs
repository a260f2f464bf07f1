//! Reading many trees, by many threads. They lie close together in few packs, so packs are read in blocks, and the last blocks are kept: a
//! walk over a hundred thousand folders asks the place some hundred times. The first tree of a pack is read for itself, as it may be the
//! only one that is wanted of it; and so is each where they lie far apart, as after years of prunes.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard};

use bytes::Bytes;

use super::backend::content::Content;
use super::backend::{Kind, Name};
use super::error::Error;
use super::id::Id;
use super::index::{Index, Place};
use super::pack::BlobKind;
use super::repository::Repository;
use super::tree::Tree;

/// Bytes read at once.
const BLOCK_BYTES: u64 = 1 << 20;
/// Blocks kept.
const KEPT: usize = 16;
/// So many times the bytes that were of use may be read in blocks, and [`SPARE_BYTES`] more, before blocks are given up.
const WASTE: u64 = 16;
const SPARE_BYTES: u64 = 16 << 20;

/// A pack, and a block's number in it.
type BlockId = (Id, u64);

/// Reads trees by the places of their blobs.
pub struct TreeReader<'a> {
    repository: &'a Repository,
    block_bytes: u64,
    spare_bytes: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The one that was used last comes last.
    blocks: VecDeque<(BlockId, Bytes)>,
    /// Being read: whoever needs one of them waits.
    coming: HashSet<BlockId>,
    pack_bytes: HashMap<Id, u64>,
    /// Packs of which something was wanted.
    met: HashSet<Id>,
    bytes_read: u64,
    bytes_used: u64,
}

impl<'a> TreeReader<'a> {
    pub fn new(repository: &'a Repository) -> Self {
        Self::with(repository, BLOCK_BYTES, SPARE_BYTES)
    }

    fn with(repository: &'a Repository, block_bytes: u64, spare_bytes: u64) -> Self {
        Self { repository, block_bytes, spare_bytes, state: Mutex::default(), changed: Condvar::new() }
    }

    /// A tree, checked, from wherever it is whole. Errors are those of [`Repository::read_tree`].
    pub fn read_tree(&self, index: &Index, id: Id) -> Result<Tree, Error> {
        match index.find(BlobKind::Tree, id).map(|place| self.read(&place)) {
            Some(Ok(tree)) => Ok(tree),
            // The place was asked for as long as anybody asks.
            Some(Err(error @ (Error::Cancelled | Error::Unavailable { .. }))) if !error.is_bad_disk() => Err(error),
            _ => self.repository.read_tree(index, id),
        }
    }

    /// The tree at a place, checked. Another place of the same tree may be whole where this one is not.
    pub fn read(&self, place: &Place) -> Result<Tree, Error> {
        let start = u64::from(place.blob.offset);
        let range = start..start + u64::from(place.blob.length);
        let mut sealed = if self.is_worth_blocks(place) {
            self.through_blocks(place.pack, range)?.into()
        } else {
            self.repository.backend().read(Name::Of(Kind::Data, place.pack), Some(range))?
        };
        let mut room = Vec::new();
        Tree::parse(self.repository.open_blob(&mut sealed, place, &mut room)?, &place.blob.id)
    }

    fn is_worth_blocks(&self, place: &Place) -> bool {
        let mut state = self.lock();
        state.bytes_used += u64::from(place.blob.length);
        let is_first = state.met.insert(place.pack);
        !is_first && state.bytes_read <= self.spare_bytes + WASTE * state.bytes_used
    }

    fn through_blocks(&self, pack: Id, range: Range<u64>) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::with_capacity((range.end - range.start) as usize);
        for number in range.start / self.block_bytes..=range.end.saturating_sub(1) / self.block_bytes {
            let block = self.block((pack, number))?;
            let begin = number * self.block_bytes;
            let from = range.start.saturating_sub(begin) as usize;
            let to = (range.end - begin).min(block.len() as u64) as usize;
            bytes.extend_from_slice(block.get(from..to).ok_or_else(|| too_short(pack))?);
        }
        Ok(bytes)
    }

    /// A block that is kept, or that is read here, by one thread for all that need it.
    fn block(&self, id: BlockId) -> Result<Bytes, Error> {
        let mut state = self.lock();
        loop {
            let kept = state.blocks.iter().position(|(of, _)| *of == id);
            if let Some(block) = kept.and_then(|at| state.blocks.remove(at)) {
                let bytes = block.1.clone();
                state.blocks.push_back(block);
                return Ok(bytes);
            }
            if state.coming.insert(id) {
                break;
            }
            state = self.changed.wait(state).expect(NO_PANIC);
        }
        drop(state);
        let _coming = Coming { reader: self, id };
        let bytes = self.fetch(id)?;
        let mut state = self.lock();
        if state.blocks.len() == KEPT {
            state.blocks.pop_front();
        }
        state.bytes_read += bytes.len() as u64;
        state.blocks.push_back((id, bytes.clone()));
        Ok(bytes)
    }

    fn fetch(&self, (pack, number): BlockId) -> Result<Bytes, Error> {
        let pack_bytes = self.size_of(pack)?;
        let start = number * self.block_bytes;
        if start >= pack_bytes {
            return Err(too_short(pack));
        }
        let range = start..(start + self.block_bytes).min(pack_bytes);
        self.repository.backend().read(Name::Of(Kind::Data, pack), Some(range)).map(Content::share)
    }

    fn size_of(&self, pack: Id) -> Result<u64, Error> {
        if let Some(bytes) = self.lock().pack_bytes.get(&pack) {
            return Ok(*bytes);
        }
        let bytes = self.repository.backend().size_bytes(Name::Of(Kind::Data, pack))?;
        self.lock().pack_bytes.insert(pack, bytes);
        Ok(bytes)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect(NO_PANIC)
    }
}

const NO_PANIC: &str = "nothing panics while it holds the blocks";

/// A block on its way; when this is dropped it is there, or somebody else may try.
struct Coming<'a, 'b> {
    reader: &'a TreeReader<'b>,
    id: BlockId,
}

impl Drop for Coming<'_, '_> {
    fn drop(&mut self) {
        self.reader.lock().coming.remove(&self.id);
        self.reader.changed.notify_all();
    }
}

#[cfg(test)]
mod tests;

fn too_short(pack: Id) -> Error {
    Error::damaged(format!("pack {}", pack.short()), "it is shorter than the index says")
}

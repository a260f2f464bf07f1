//! One block of a blob: read whole and checked, then handed out a piece at a time.
//!
//! While memory is ample all of it stays in memory. In a crowd only its first pieces do. Of each other piece a sum stays, taken of the very
//! bytes that the block's own sum has vouched for: it is read again when its turn comes, and checked against that.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::blobs::{BlobError, BlobFault, BlobReader};
use super::pieces::{PIECE_BYTES, Piece, Pieces};
use crate::model::digest::{BLOCK_BYTES, BlockSum, BlockSums};

/// Pieces that a download holds whatever the crowd.
const HELD: usize = 2;

/// One block to read: where it lies, its sum, and which of its bytes are wanted.
pub(super) struct Block {
    pub(super) index: u64,
    length: usize,
    sum: Option<u64>,
    wanted: Range<usize>,
}

/// Wanted bytes of a block that was verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Part {
    Ready(Bytes),
    Later(Later),
}

/// A piece that was verified and is to be read again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Later {
    offset: u64,
    sum: u64,
    wanted: Range<usize>,
}

/// What reading gives: `None` where the bytes are not those that were stored.
pub(super) type Parts = Result<Option<VecDeque<Part>>, BlobError>;

/// Where the block ends that holds the byte at `offset`.
pub(super) const fn end_of_block(offset: u64) -> u64 {
    (offset / BLOCK_BYTES + 1) * BLOCK_BYTES
}

impl Block {
    /// The block with the byte at `offset`; `None` where `range` wants nothing from there on.
    pub(super) fn holding(offset: u64, range: &Range<u64>, size_bytes: u64, sums: &BlockSums) -> Option<Self> {
        if offset >= range.end {
            return None;
        }
        let index = offset / BLOCK_BYTES;
        let first = index * BLOCK_BYTES;
        let length = BLOCK_BYTES.min(size_bytes - first);
        let within = |offset: u64| usize::try_from(offset.saturating_sub(first).min(length)).expect("a block is 1 MiB");
        let sum = usize::try_from(index).ok().and_then(|index| sums.block(index));
        Some(Self { index, length: within(first + length), sum, wanted: within(range.start)..within(range.end) })
    }

    /// Reads it whole and checks its sum, past the cache a second time where that does not match. Blocking.
    pub(super) fn read(&self, reader: &mut dyn BlobReader, memory: &Arc<Pieces>) -> Parts {
        twice(reader, self.first(), self.length, |reader| self.parts(reader, memory))
    }

    /// The wanted bytes of a block that is one piece and at hand; `None` where they are not those that were stored.
    pub(super) fn of_piece(&self, bytes: Bytes) -> Option<VecDeque<Part>> {
        let matches = bytes.len() == self.length && Some(BlockSums::sum(&bytes)) == self.sum;
        matches.then(|| VecDeque::from([Part::Ready(bytes.slice(self.wanted_of(0, bytes.len())))]))
    }

    fn parts(&self, reader: &mut dyn BlobReader, memory: &Arc<Pieces>) -> Parts {
        let (mut sum, mut parts) = (BlockSum::default(), VecDeque::new());
        // What comes after the pieces that are held goes through one piece of memory.
        let mut passing: Option<Piece> = None;
        for start in (0..self.length).step_by(PIECE_BYTES) {
            let length = PIECE_BYTES.min(self.length - start);
            let wanted = self.wanted_of(start, length);
            if length < PIECE_BYTES {
                let end = self.end(start, reader)?;
                sum.update(&end);
                parts.extend((!wanted.is_empty() && end.len() == length).then(|| Part::Ready(end.slice(wanted))));
                break;
            }
            let held = if parts.len() < HELD { Some(memory.take()) } else { memory.take_spare() };
            let is_held = held.is_some();
            let mut piece = held.or_else(|| passing.take()).unwrap_or_else(|| memory.take());
            piece.bytes_mut().clear();
            reader.append_at(piece.bytes_mut(), self.first() + start as u64, length)?;
            sum.update(&piece);
            if piece.len() != length {
                return Ok(None);
            }
            match (wanted.is_empty(), is_held) {
                (true, _) => passing = Some(piece),
                (false, true) => parts.push_back(Part::Ready(piece.into_bytes().slice(wanted))),
                (false, false) => {
                    let later = Later { offset: self.first() + start as u64, sum: BlockSums::sum(&piece), wanted };
                    parts.push_back(Part::Later(later));
                    passing = Some(piece);
                }
            }
        }
        Ok((Some(sum.finish()) == self.sum).then_some(parts))
    }

    /// The end of a blob lies in memory of its own, which is no more than it needs.
    fn end(&self, start: usize, reader: &mut dyn BlobReader) -> Result<Bytes, BlobError> {
        let mut end = Vec::new();
        reader.append_at(&mut end, self.first() + start as u64, self.length - start)?;
        Ok(end.into())
    }

    const fn first(&self) -> u64 {
        self.index * BLOCK_BYTES
    }

    /// What is wanted of the piece at `start`, counted from there.
    fn wanted_of(&self, start: usize, length: usize) -> Range<usize> {
        let within = |offset: usize| offset.saturating_sub(start).min(length);
        within(self.wanted.start)..within(self.wanted.end)
    }
}

impl Later {
    /// The first of these in `parts`, as many as a download holds in a crowd.
    pub(super) fn first(parts: &VecDeque<Part>) -> Vec<Self> {
        let later = |part: &Part| match part {
            Part::Later(later) => Some(later.clone()),
            Part::Ready(_) => None,
        };
        parts.iter().map_while(later).take(HELD).collect()
    }

    /// Reads them and checks each. Blocking.
    pub(super) fn read(these: &[Self], reader: &mut dyn BlobReader, memory: &Arc<Pieces>) -> Parts {
        let mut parts = VecDeque::new();
        for later in these {
            let Some(part) = twice(reader, later.offset, PIECE_BYTES, |reader| later.part(reader, memory))? else { return Ok(None) };
            parts.push_back(part);
        }
        Ok(Some(parts))
    }

    fn part(&self, reader: &mut dyn BlobReader, memory: &Arc<Pieces>) -> Result<Option<Part>, BlobError> {
        let mut piece = memory.take();
        reader.append_at(piece.bytes_mut(), self.offset, PIECE_BYTES)?;
        let matches = piece.len() == PIECE_BYTES && BlockSums::sum(&piece) == self.sum;
        Ok(matches.then(|| Part::Ready(piece.into_bytes().slice(self.wanted.clone()))))
    }
}

/// Reads once more, past the cache, what the disk could not read or what is not what was stored.
fn twice<T>(
    reader: &mut dyn BlobReader,
    offset: u64,
    length: usize,
    read: impl Fn(&mut dyn BlobReader) -> Result<Option<T>, BlobError>,
) -> Result<Option<T>, BlobError> {
    match read(reader) {
        Ok(Some(whole)) => return Ok(Some(whole)),
        Err(error) if error.fault != BlobFault::Io => return Err(error),
        Ok(None) | Err(_) => {}
    }
    reader.forget_cache(offset, length as u64);
    read(reader)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::pieces::AMPLE;

    /// A block and a bit.
    const SIZE: usize = (1 << 20) + 100;

    fn bytes() -> Vec<u8> {
        (0..SIZE).map(|place| u8::try_from(place / 7 % 251).expect("small")).collect()
    }

    struct Stored(Vec<u8>);

    impl BlobReader for Stored {
        fn size_bytes(&self) -> u64 {
            self.0.len() as u64
        }

        fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> Result<usize, BlobError> {
            let rest = usize::try_from(offset).ok().and_then(|offset| self.0.get(offset..)).unwrap_or_default();
            let count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            Ok(count)
        }

        fn forget_cache(&mut self, _offset: u64, _length: u64) {}
    }

    fn sums() -> BlockSums {
        BlockSums::new(bytes().chunks(1 << 20).map(BlockSums::sum).collect())
    }

    fn crowded() -> (Arc<Pieces>, Vec<Piece>) {
        let memory = Arc::new(Pieces::default());
        let crowd = (0..AMPLE).map(|_| memory.take()).collect();
        (memory, crowd)
    }

    /// What is handed out of a range, and how many pieces had to be read again.
    fn handed_out(range: Range<u64>, memory: &Arc<Pieces>) -> (Vec<u8>, usize) {
        let (mut reader, mut out, mut again, mut at) = (Stored(bytes()), Vec::new(), 0, range.start);
        while let Some(block) = Block::holding(at, &range, SIZE as u64, &sums()) {
            let mut parts = block.read(&mut reader, memory).expect("memory").expect("nothing is damaged");
            while let Some(part) = parts.front().cloned() {
                match part {
                    Part::Ready(bytes) => {
                        out.extend_from_slice(&bytes);
                        parts.pop_front();
                    }
                    Part::Later(_) => {
                        let these = Later::first(&parts);
                        again += these.len();
                        let read = Later::read(&these, &mut reader, memory).expect("memory").expect("nothing is damaged");
                        parts.iter_mut().zip(read).for_each(|(part, read)| *part = read);
                    }
                }
            }
            at = end_of_block(at);
        }
        (out, again)
    }

    #[test]
    fn a_crowd_changes_what_is_held_and_nothing_of_what_is_handed_out() {
        let (crowded, _crowd) = crowded();
        let bytes = bytes();
        for (range, again) in
            [(0..SIZE, 14), (0..1, 0), (70_000..200_000, 1), (65_536..131_072, 0), (1 << 20..SIZE, 0), (1_048_575..SIZE, 0)]
        {
            let (first, end) = (range.start as u64, range.end as u64);
            assert_eq!(handed_out(first..end, &Arc::default()), (bytes[range.clone()].to_vec(), 0), "{range:?} with ample memory");
            assert_eq!(handed_out(first..end, &crowded), (bytes[range.clone()].to_vec(), again), "{range:?} in a crowd");
        }
    }

    #[test]
    fn bytes_that_change_after_their_block_was_verified_are_not_handed_out() {
        let (crowded, _crowd) = crowded();
        let block = Block::holding(0, &(0..SIZE as u64), SIZE as u64, &sums()).expect("there are bytes");
        let mut parts = block.read(&mut Stored(bytes()), &crowded).expect("memory").expect("nothing is damaged");
        parts.drain(..HELD);
        let mut rotten = bytes();
        rotten[HELD * PIECE_BYTES + 5] ^= 1;
        let these = Later::first(&parts);
        assert_eq!((these.len(), parts.len()), (HELD, 16 - HELD));
        assert_eq!(Later::read(&these, &mut Stored(rotten.clone()), &crowded).expect("memory"), None);
        assert_eq!(Later::read(&these, &mut Stored(rotten[..HELD * PIECE_BYTES].to_vec()), &crowded).expect("memory"), None, "too short");
        assert_eq!(block.read(&mut Stored(rotten.clone()), &crowded).expect("memory"), None);
    }
}

//! Downloads: every block is checked against its sum before a byte of it is handed out.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::blobs::{BlobError, BlobFault, BlobKey, BlobReader};
use super::pieces::{PIECE_BYTES, Pieces};
use super::visit::Visit;
use super::{Error, Result, Store, rows};
use crate::model::digest::{BLOCK_BYTES, BlockSums};
use crate::model::stored_file::{FileState, StoredFile};

/// The next block is read as soon as no more than so many pieces of the one before are left, while memory is ample: a transfer
/// holds a block and a half, and of many at once each holds one block.
const PIECES_LEFT: usize = 8;

/// Verified bytes of one file, a piece at a time, while the next block is read.
pub struct Download {
    store: Store,
    file: StoredFile,
    sums: BlockSums,
    /// What is still to be handed out.
    left: Range<u64>,
    /// Where the first block begins that was not read yet.
    unread: u64,
    /// Verified, to be handed out.
    pieces: VecDeque<Bytes>,
    ahead: Ahead,
}

/// The block that comes next.
enum Ahead {
    Idle(Box<dyn BlobReader>),
    Reading(JoinHandle<ReadBlock>),
    Read(ReadBlock),
    /// The reader is gone: the download has failed, or has had all its bytes from the beginning.
    Gone,
}

/// A block that was read: its verified bytes as far as they are wanted, `None` where they do not match their sum.
struct ReadBlock {
    reader: Box<dyn BlobReader>,
    index: u64,
    outcome: Result<Option<VecDeque<Bytes>>, BlobError>,
}

impl Store {
    /// Opens `range` of the file's bytes. A missing blob of a file that is still live is `Corrupt`; of one that ended meanwhile `NotFound`.
    pub async fn open_file(&self, file: &StoredFile, range: Range<u64>) -> Result<Download> {
        let asked = file.clone();
        let sums = self.read(move |connection| rows::sums_of(connection, &asked)).await?;
        self.open_with(file, sums, range).await
    }

    /// The same for the file of a visit, which has looked its block sums up.
    pub async fn open_visited(&self, visit: Visit, range: Range<u64>) -> Result<Download> {
        let file = visit.holder.ok_or(Error::NotFound)?;
        match visit.sums {
            None => self.open_file(&file, range).await,
            sums => self.open_with(&file, sums, range).await,
        }
    }

    async fn open_with(&self, file: &StoredFile, sums: Option<BlockSums>, range: Range<u64>) -> Result<Download> {
        let sums = match sums {
            Some(sums) => sums,
            None if self.has_ended(file).await? => return Err(Error::NotFound),
            None => return Err(Error::Internal("a file's block sums are missing or of another format".into())),
        };
        let (key, size_bytes) = (BlobKey::of(file), file.size_bytes);
        if let Some(pieces) = self.cached(&key, size_bytes, &range, &sums) {
            let unread = end_of_block(range.start);
            return Ok(Download { store: self.clone(), file: file.clone(), sums, left: range, unread, pieces, ahead: Ahead::Gone });
        }
        let first = Block::holding(range.start, &range, size_bytes, &sums);
        let memory = Arc::clone(&self.inner.pieces);
        let opened = self
            .blocking(move |blobs| -> std::result::Result<_, BlobError> {
                let reader = blobs.open(&key)?;
                let found = reader.size_bytes();
                // The first block is read by the way: a small file costs one visit to a blocking thread.
                let ahead = match first {
                    Some(block) if found == size_bytes => Ahead::Read(block.read(reader, &memory)),
                    _ => Ahead::Idle(reader),
                };
                Ok((found, ahead))
            })
            .await?;
        let ahead = match opened {
            Ok((found, ahead)) if found == file.size_bytes => ahead,
            Ok((found, _)) => return Err(self.damaged(file, format!("{found} bytes on disk").into()).await),
            Err(error) if error.fault == BlobFault::NotFound && self.has_ended(file).await? => return Err(Error::NotFound),
            Err(error) => return Err(self.blob_read_failed(file, error).await),
        };
        let unread = match ahead {
            Ahead::Read(_) => end_of_block(range.start),
            _ => range.start,
        };
        Ok(Download { store: self.clone(), file: file.clone(), sums, left: range, unread, pieces: VecDeque::new(), ahead })
    }

    /// The wanted bytes of a small blob that lies in memory and matches its sum. Whatever is the matter with any other, a blocking thread
    /// finds out.
    fn cached(&self, key: &BlobKey, size_bytes: u64, range: &Range<u64>, sums: &BlockSums) -> Option<VecDeque<Bytes>> {
        let length = usize::try_from(size_bytes).ok().filter(|length| *length <= PIECE_BYTES)?;
        let block = Block::holding(range.start, range, size_bytes, sums)?;
        let bytes = Bytes::from(self.inner.blobs.read_cached(key, length)?);
        block.matches(std::slice::from_ref(&bytes)).then(|| block.wanted_of(vec![bytes]))
    }

    /// Whether the file's row or the time says that its bytes may be gone.
    async fn has_ended(&self, file: &StoredFile) -> Result<bool> {
        let id = file.id.clone();
        let row = self.read(move |connection| rows::file_of_blob(connection, None, &id)).await?;
        Ok(row.is_none_or(|row| row.state == FileState::Doomed) || file.has_expired(self.now()))
    }

    async fn blob_read_failed(&self, file: &StoredFile, error: BlobError) -> Error {
        match error.fault {
            BlobFault::Unavailable | BlobFault::Full => Error::Unavailable(error.into()),
            BlobFault::NotFound | BlobFault::Io | BlobFault::Failed => self.damaged(file, error.into()).await,
        }
    }

    /// Marks the file damaged, says so in the log, and returns the error for whoever reads it.
    async fn damaged(&self, file: &StoredFile, cause: Box<dyn std::error::Error + Send + Sync>) -> Error {
        tracing::error!(account.id = %file.account, file.name = %file.name, blob.id = %file.id, cause = %cause, "a stored file is damaged");
        if let Err(error) = self.mark_damaged(&file.id).await {
            tracing::warn!(error = %super::chain(&error), blob.id = %file.id, "the damage could not be marked");
        }
        Error::Corrupt(cause)
    }
}

impl Download {
    /// How many bytes are still to come.
    pub const fn left_bytes(&self) -> u64 {
        self.left.end.saturating_sub(self.left.start)
    }

    /// The next bytes; `None` after the last. `Corrupt` marks the file damaged first.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        if self.left.is_empty() {
            return Ok(None);
        }
        if self.pieces.is_empty() {
            self.pieces = self.block().await?;
        }
        let piece = self.pieces.pop_front().expect("a block that is read holds wanted bytes");
        self.left.start += piece.len() as u64;
        if self.pieces.len() <= PIECES_LEFT && self.store.inner.pieces.are_ample() {
            self.read_ahead();
        }
        Ok(Some(piece))
    }

    /// The pieces of the block that comes next.
    async fn block(&mut self) -> Result<VecDeque<Bytes>> {
        self.read_ahead();
        let ReadBlock { reader, index, outcome } = match std::mem::replace(&mut self.ahead, Ahead::Gone) {
            Ahead::Read(block) => block,
            Ahead::Reading(task) => task.await.map_err(|panic| Error::Internal(panic.into()))?,
            Ahead::Idle(_) | Ahead::Gone => return Err(Error::Internal("a download went on after it had failed".into())),
        };
        match outcome {
            Ok(Some(pieces)) => {
                self.ahead = Ahead::Idle(reader);
                Ok(pieces)
            }
            Ok(None) => Err(self.store.damaged(&self.file, format!("block {index} does not match its sum").into()).await),
            Err(error) => Err(self.store.blob_read_failed(&self.file, error).await),
        }
    }

    /// Has a blocking thread read the next block, unless one does already or there is none.
    fn read_ahead(&mut self) {
        self.ahead = match std::mem::replace(&mut self.ahead, Ahead::Gone) {
            Ahead::Idle(reader) => match Block::holding(self.unread, &self.left, self.file.size_bytes, &self.sums) {
                Some(block) => {
                    self.unread = end_of_block(self.unread);
                    let memory = Arc::clone(&self.store.inner.pieces);
                    Ahead::Reading(tokio::task::spawn_blocking(move || block.read(reader, &memory)))
                }
                None => Ahead::Idle(reader),
            },
            under_way => under_way,
        };
    }
}

/// Where the block ends that holds the byte at `offset`.
const fn end_of_block(offset: u64) -> u64 {
    (offset / BLOCK_BYTES + 1) * BLOCK_BYTES
}

/// One block to read: where it lies, its sum, and which of its bytes are wanted.
struct Block {
    index: u64,
    length: usize,
    sum: Option<u64>,
    wanted: Range<usize>,
}

impl Block {
    /// The block with the byte at `offset`; `None` where `range` wants nothing from there on.
    fn holding(offset: u64, range: &Range<u64>, size_bytes: u64, sums: &BlockSums) -> Option<Self> {
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
    fn read(self, mut reader: Box<dyn BlobReader>, memory: &Arc<Pieces>) -> ReadBlock {
        let outcome = self.verified(&mut *reader, memory);
        ReadBlock { reader, index: self.index, outcome }
    }

    fn verified(&self, reader: &mut dyn BlobReader, memory: &Arc<Pieces>) -> Result<Option<VecDeque<Bytes>>, BlobError> {
        let first = self.index * BLOCK_BYTES;
        for attempt in 0..2 {
            if attempt > 0 {
                reader.forget_cache(first, self.length as u64);
            }
            let pieces = match self.pieces(reader, memory, first) {
                Err(error) if attempt == 0 && error.fault == BlobFault::Io => continue,
                outcome => outcome?,
            };
            if self.matches(&pieces) {
                return Ok(Some(self.wanted_of(pieces)));
            }
        }
        Ok(None)
    }

    fn matches(&self, pieces: &[Bytes]) -> bool {
        let count: usize = pieces.iter().map(Bytes::len).sum();
        count == self.length && Some(BlockSums::sum_of(pieces.iter().map(|piece| &piece[..]))) == self.sum
    }

    /// The bytes of the block as they are now; fewer where the blob ends.
    fn pieces(&self, reader: &mut dyn BlobReader, memory: &Arc<Pieces>, first: u64) -> Result<Vec<Bytes>, BlobError> {
        let piece = |start: usize| {
            let (offset, length) = (first + start as u64, PIECE_BYTES.min(self.length - start));
            if length == PIECE_BYTES {
                let mut piece = memory.take();
                reader.append_at(piece.bytes_mut(), offset, length)?;
                return Ok(piece.into_bytes());
            }
            let mut bytes = Vec::new();
            reader.append_at(&mut bytes, offset, length)?;
            Ok(Bytes::from(bytes))
        };
        (0..self.length).step_by(PIECE_BYTES).map(piece).collect()
    }

    fn wanted_of(&self, pieces: Vec<Bytes>) -> VecDeque<Bytes> {
        let mut start = 0;
        let cut = |piece: Bytes| {
            let within = |offset: usize| offset.saturating_sub(start).min(piece.len());
            let wanted = within(self.wanted.start)..within(self.wanted.end);
            start += piece.len();
            piece.slice(wanted)
        };
        pieces.into_iter().map(cut).filter(|piece| !piece.is_empty()).collect()
    }
}

//! Downloads: every block is checked against its sum before a byte of it is handed out.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::blobs::{BlobError, BlobFault, BlobKey, BlobReader};
use super::block::{Block, Later, Part, Parts, end_of_block};
use super::pieces::{PIECE_BYTES, Pieces};
use super::visit::Visit;
use super::{Error, Result, Store, rows};
use crate::model::digest::{BLOCK_BYTES, BlockSums};
use crate::model::stored_file::{FileState, StoredFile};

/// The next block is read as soon as no more than so many pieces of the one before are left, while memory is ample: a transfer
/// holds a block and a half, and of many at once each holds the piece that it sends and a few more.
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
    parts: VecDeque<Part>,
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

/// A block that was read, or pieces of it again: the bytes that are wanted.
struct ReadBlock {
    reader: Box<dyn BlobReader>,
    index: u64,
    outcome: Parts,
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
        if let Some(parts) = self.cached(&key, size_bytes, &range, &sums) {
            let unread = end_of_block(range.start);
            return Ok(Download { store: self.clone(), file: file.clone(), sums, left: range, unread, parts, ahead: Ahead::Gone });
        }
        let first = Block::holding(range.start, &range, size_bytes, &sums);
        let memory = Arc::clone(&self.inner.pieces);
        let opened = self
            .blocking(move |blobs| -> std::result::Result<_, BlobError> {
                let reader = blobs.open(&key)?;
                let found = reader.size_bytes();
                // The first block is read by the way: a small file costs one visit to a blocking thread.
                let ahead = match first {
                    Some(block) if found == size_bytes => Ahead::Read(ReadBlock::read(reader, &block, &memory)),
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
        Ok(Download { store: self.clone(), file: file.clone(), sums, left: range, unread, parts: VecDeque::new(), ahead })
    }

    /// The wanted bytes of a small blob that lies in memory and matches its sum. Whatever is the matter with any other, a blocking thread
    /// finds out.
    fn cached(&self, key: &BlobKey, size_bytes: u64, range: &Range<u64>, sums: &BlockSums) -> Option<VecDeque<Part>> {
        let length = usize::try_from(size_bytes).ok().filter(|length| *length <= PIECE_BYTES)?;
        let block = Block::holding(range.start, range, size_bytes, sums)?;
        block.of_piece(self.inner.blobs.read_cached(key, length)?.into())
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
        if self.parts.is_empty() {
            self.read_ahead();
            self.parts = self.outcome().await?;
        }
        if let Some(Part::Later(_)) = self.parts.front() {
            self.read_again().await?;
        }
        let Some(Part::Ready(piece)) = self.parts.pop_front() else {
            return Err(Error::Internal("a block that is read holds no wanted bytes".into()));
        };
        self.left.start += piece.len() as u64;
        let is_in_memory = self.parts.len() <= PIECES_LEFT && self.parts.iter().all(|part| matches!(part, Part::Ready(_)));
        if is_in_memory && self.store.inner.pieces.are_ample() {
            self.read_ahead();
        }
        Ok(Some(piece))
    }

    /// Brings the first pieces of the block that lie in memory no more back into it.
    async fn read_again(&mut self) -> Result<()> {
        let Ahead::Idle(reader) = std::mem::replace(&mut self.ahead, Ahead::Gone) else {
            return Err(Error::Internal("a block was read ahead before the one before it was in memory".into()));
        };
        let (these, memory) = (Later::first(&self.parts), Arc::clone(&self.store.inner.pieces));
        let index = self.left.start / BLOCK_BYTES;
        self.ahead = Ahead::Reading(tokio::task::spawn_blocking(move || {
            let mut reader = reader;
            let outcome = Later::read(&these, &mut *reader, &memory);
            ReadBlock { reader, index, outcome }
        }));
        let again = self.outcome().await?;
        self.parts.iter_mut().zip(again).for_each(|(part, read)| *part = read);
        Ok(())
    }

    /// What was read.
    async fn outcome(&mut self) -> Result<VecDeque<Part>> {
        let ReadBlock { reader, index, outcome } = match std::mem::replace(&mut self.ahead, Ahead::Gone) {
            Ahead::Read(block) => block,
            Ahead::Reading(task) => task.await.map_err(|panic| Error::Internal(panic.into()))?,
            Ahead::Idle(_) | Ahead::Gone => return Err(Error::Internal("a download went on after it had failed".into())),
        };
        match outcome {
            Ok(Some(parts)) => {
                self.ahead = Ahead::Idle(reader);
                Ok(parts)
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
                    Ahead::Reading(tokio::task::spawn_blocking(move || ReadBlock::read(reader, &block, &memory)))
                }
                None => Ahead::Idle(reader),
            },
            under_way => under_way,
        };
    }
}

impl ReadBlock {
    /// Blocking.
    fn read(mut reader: Box<dyn BlobReader>, block: &Block, memory: &Arc<Pieces>) -> Self {
        let outcome = block.read(&mut *reader, memory);
        Self { reader, index: block.index, outcome }
    }
}

//! Downloads: every block is checked against its sum before a byte of it is handed out.

use std::ops::Range;

use bytes::Bytes;

use super::blobs::{BlobError, BlobFault, BlobKey, BlobReader};
use super::{Error, Result, Store, rows};
use crate::model::digest::{BLOCK_BYTES, BlockSums};
use crate::model::stored_file::{FileState, StoredFile};

/// Verified bytes of one file, a block of at most 1 MiB at a time.
pub struct Download {
    store: Store,
    file: StoredFile,
    sums: BlockSums,
    /// On loan to a blocking thread while a block is read.
    reader: Option<Box<dyn BlobReader>>,
    /// What is still to be handed out.
    left: Range<u64>,
}

impl Store {
    /// Opens `range` of the file's bytes. A missing blob of a file that is still live is `Corrupt`; of one that ended meanwhile `NotFound`.
    pub async fn open_file(&self, file: &StoredFile, range: Range<u64>) -> Result<Download> {
        let key = BlobKey::of(file);
        let reader = match self.blocking(move |blobs| blobs.open(&key)).await? {
            Ok(reader) if reader.size_bytes() == file.size_bytes => reader,
            Ok(reader) => return Err(self.damaged(file, format!("{} bytes on disk", reader.size_bytes()).into()).await),
            Err(error) if error.fault == BlobFault::NotFound && self.has_ended(file).await? => return Err(Error::NotFound),
            Err(error) => return Err(self.blob_read_failed(file, error).await),
        };
        let sums = self.sums_of(file).await?;
        Ok(Download { store: self.clone(), file: file.clone(), sums, reader: Some(reader), left: range })
    }

    /// Whether the file's row or the time says that its bytes may be gone.
    async fn has_ended(&self, file: &StoredFile) -> Result<bool> {
        let id = file.id.clone();
        let row = self.read(move |connection| rows::file_of_blob(connection, None, &id)).await?;
        Ok(row.is_none_or(|row| row.state == FileState::Doomed) || file.has_expired(self.now()))
    }

    async fn sums_of(&self, file: &StoredFile) -> Result<BlockSums> {
        let id = file.id.clone();
        let statement = "SELECT format, sums FROM block_sums WHERE random = $1";
        let found = self.read(move |connection| connection.query(statement, &[id.as_str().into()])).await?;
        let wrong = || Error::Internal("a file's block sums are missing or of another format".into());
        let row = found.first().ok_or_else(wrong)?;
        let format = row.int(0).map_err(|error| Error::Internal(error.into()))?;
        let sums = row.bytes(1).map_err(|error| Error::Internal(error.into()))?;
        Some(sums).filter(|_| format == BlockSums::FORMAT).and_then(|sums| BlockSums::from_bytes(sums, file.size_bytes)).ok_or_else(wrong)
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
        let index = self.left.start / BLOCK_BYTES;
        let first = index * BLOCK_BYTES;
        let length = BLOCK_BYTES.min(self.file.size_bytes - first);
        let sum = usize::try_from(index).ok().and_then(|index| self.sums.block(index));
        let mut reader = self.reader.take().ok_or_else(|| Error::Internal("a download went on after it had failed".into()))?;
        let (reader, outcome) = self
            .store
            .blocking(move |_| {
                let outcome = verified_block(&mut *reader, first, length, sum);
                (reader, outcome)
            })
            .await?;
        let block = match outcome {
            Ok(Some(block)) => block,
            Ok(None) => return Err(self.store.damaged(&self.file, format!("block {index} does not match its sum").into()).await),
            Err(error) => return Err(self.store.blob_read_failed(&self.file, error).await),
        };
        self.reader = Some(reader);
        let wanted = self.left.start - first..(self.left.end - first).min(length);
        self.left.start = first + wanted.end;
        let cut = |offset: u64| usize::try_from(offset).expect("a block is 1 MiB");
        Ok(Some(block.slice(cut(wanted.start)..cut(wanted.end))))
    }
}

/// One block whose sum matches; `None` when it does not, read a second time past the cache either.
fn verified_block(reader: &mut dyn BlobReader, first: u64, length: u64, sum: Option<u64>) -> Result<Option<Bytes>, BlobError> {
    let mut block = vec![0; usize::try_from(length).expect("a block is 1 MiB")];
    for attempt in 0..2 {
        if attempt > 0 {
            reader.forget_cache(first, length);
        }
        let count = match reader.read_at(&mut block, first) {
            Err(error) if attempt == 0 && error.fault == BlobFault::Io => continue,
            outcome => outcome?,
        };
        if count == block.len() && Some(BlockSums::sum(&block)) == sum {
            return Ok(Some(block.into()));
        }
    }
    Ok(None)
}

//! Uploads: admitted, received in bounded memory, committed once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::blobs::{BlobError, Blobs, Staged};
use super::promises::Promise;
use super::visit::{Asked, Visit};
use super::{Error, Result, Store};
use crate::fault_point;
use crate::model::account::Account;
use crate::model::digest::{BlockSums, Hasher, Sha256Digest};
use crate::model::file_name::FileName;
use crate::model::stored_file::StoredFile;

/// Bytes collected before a blocking thread hashes and writes them. Two such buffers are in use at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// An account that was closed breaks its uploads within about this time, while bytes come; those that stand still end at their
/// time-out or commit.
const STANDING_TIME: Duration = Duration::from_secs(1);

/// One upload in flight: unseen by everybody. Dropping it frees its space.
pub struct Upload {
    store: Store,
    pub(super) account: Account,
    pub(super) name: FileName,
    pub(super) promised: u64,
    received: u64,
    buffer: Vec<u8>,
    sink: Sinking,
    /// When the account was last seen open.
    seen_open_at: Instant,
}

/// Where the received bytes go: at rest, or on a blocking thread that takes a buffer in.
enum Sinking {
    Idle(Box<Sink>),
    Busy(JoinHandle<TakenIn>),
    Failed,
}

/// The sink again, the buffer that it emptied, and how that went.
type TakenIn = (Box<Sink>, Vec<u8>, Result<(), BlobError>);

pub(super) struct Sink {
    blobs: Arc<dyn Blobs>,
    /// Made for the first bytes, on the blocking thread that writes them.
    staged: Option<Box<dyn Staged>>,
    hasher: Hasher,
    promise: Promise,
}

impl Sink {
    fn take_in(&mut self, bytes: &[u8]) -> Result<(), BlobError> {
        let staged = match &mut self.staged {
            Some(staged) => staged,
            none => none.insert(self.blobs.stage()?),
        };
        self.hasher.update(bytes);
        staged.write(bytes)?;
        self.promise.wrote(bytes.len() as u64);
        Ok(())
    }

    /// Takes the last bytes in.
    pub(super) fn close(mut self, last_bytes: &[u8]) -> Result<Received, BlobError> {
        self.take_in(last_bytes)?;
        let staged = self.staged.expect("the last bytes have made it");
        let (sha256, sums) = self.hasher.finish();
        Ok(Received { staged, sha256, sums, promise: self.promise })
    }
}

/// All bytes of an upload, staged and hashed.
pub(super) struct Received {
    pub(super) staged: Box<dyn Staged>,
    pub(super) sha256: Sha256Digest,
    pub(super) sums: BlockSums,
    pub(super) promise: Promise,
}

impl Store {
    /// Admits an upload of exactly `size_bytes`: the name is free, quota and disk have room, counting what uploads in flight have
    /// promised. Errors: `NameTaken`, `OverQuota`, `DiskFull`, `WritesSuspended`, `AccountClosed`, `Unavailable`.
    pub async fn begin_upload(&self, account: &Account, name: &FileName, size_bytes: u64) -> Result<Upload> {
        let visit = self.visit(&account.id, Asked::Row(name.clone()), |_| true).await?;
        self.begin_visited(visit.ok_or(Error::NotFound)?, name, size_bytes).await
    }

    /// The same after a visit that has asked whether the name is free.
    pub async fn begin_visited(&self, visit: Visit, name: &FileName, size_bytes: u64) -> Result<Upload> {
        let Visit { account, holder, .. } = visit;
        if let Some(holder) = holder {
            return Err(Error::NameTaken(Box::new(holder)));
        }
        closed_reason(&account).map_or(Ok(()), |reason| Err(Error::AccountClosed { reason }))?;
        self.check_writes()?;
        let promise = self.admit(&account, name, size_bytes).await?;
        let blobs = Arc::clone(&self.inner.blobs);
        let sink = Box::new(Sink { blobs, staged: None, hasher: Hasher::default(), promise });
        fault_point::pass("admitted");
        let room = usize::try_from(size_bytes).unwrap_or(BUFFER_BYTES).min(BUFFER_BYTES);
        Ok(Upload {
            store: self.clone(),
            account,
            name: name.clone(),
            promised: size_bytes,
            received: 0,
            buffer: Vec::with_capacity(room),
            sink: Sinking::Idle(sink),
            seen_open_at: Instant::now(),
        })
    }
}

/// Why an account takes no uploads, where it does not.
pub(super) fn closed_reason(account: &Account) -> Option<String> {
    if account.removed_at.is_some() {
        return Some("it was removed".to_owned());
    }
    account.disabled.clone()
}

impl Upload {
    /// Takes the next bytes; at most about 1 MiB of memory is used, whatever the size. More than promised: `WrongSize`; the account
    /// was closed meanwhile: `AccountClosed`.
    pub async fn write(&mut self, bytes: Bytes) -> Result<()> {
        if self.seen_open_at.elapsed() > STANDING_TIME {
            self.check_account().await?;
        }
        self.received = self.received.saturating_add(bytes.len() as u64);
        if self.received > self.promised {
            return Err(Error::WrongSize { promised: self.promised, received: self.received });
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(BUFFER_BYTES - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            rest = later;
            if self.buffer.len() == BUFFER_BYTES {
                self.hand_over().await?;
            }
        }
        Ok(())
    }

    /// Syncs, publishes, commits; runs to its end even when the caller stops waiting. `expected` are digests that the client sent.
    /// After Ok the file is kept. Errors: `WrongSize`, `DigestMismatch`, `NameTaken`, `OverQuota`, `DiskFull`, `AccountClosed`,
    /// `InDoubt`, `WritesSuspended`, `Unavailable`.
    pub async fn finish(mut self, expected: Vec<Sha256Digest>) -> Result<StoredFile> {
        if self.received != self.promised {
            return Err(Error::WrongSize { promised: self.promised, received: self.received });
        }
        let (sink, _) = self.rest().await?;
        let Self { store, account, name, promised, buffer, .. } = self;
        let committing = store.clone();
        let keep = async move { committing.keep(account, name, promised, sink, buffer, expected).await };
        store.inner.tasks.spawn(keep).await.map_err(|panic| Error::Internal(panic.into()))?
    }

    async fn check_account(&mut self) -> Result<()> {
        self.seen_open_at = Instant::now();
        match self.store.account(&self.account.id).await {
            Ok(Some(account)) => closed_reason(&account).map_or(Ok(()), |reason| Err(Error::AccountClosed { reason })),
            Ok(None) => Err(Error::NotFound),
            // A catalog that does not answer just now is no reason to break an upload: the commit judges in the end.
            Err(_) => Ok(()),
        }
    }

    /// Gives the full buffer to a blocking thread and goes on with the one that comes back.
    async fn hand_over(&mut self) -> Result<()> {
        let (mut sink, recycled) = self.rest().await?;
        let place = self.store.writer_place().await;
        let full = std::mem::replace(&mut self.buffer, recycled);
        self.sink = Sinking::Busy(tokio::task::spawn_blocking(move || {
            let _place = place;
            let outcome = sink.take_in(&full);
            let mut empty = full;
            empty.clear();
            (sink, empty, outcome)
        }));
        Ok(())
    }

    /// Waits for the sink to come to rest and takes it out, with an empty buffer.
    async fn rest(&mut self) -> Result<(Box<Sink>, Vec<u8>)> {
        match std::mem::replace(&mut self.sink, Sinking::Failed) {
            Sinking::Idle(sink) => Ok((sink, Vec::with_capacity(self.buffer.capacity()))),
            Sinking::Busy(task) => {
                let (sink, buffer, outcome) = task.await.map_err(|panic| Error::Internal(panic.into()))?;
                outcome.map_err(|error| self.store.blob_write_failed(error, self.promised))?;
                Ok((sink, buffer))
            }
            Sinking::Failed => Err(Error::Internal("an upload went on after it had failed".into())),
        }
    }
}

//! Uploads: admitted, received in bounded memory, committed once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::blobs::{BlobError, Blobs, Staged};
use super::intake::{Intake, Lost, TakeIn};
use super::promises::Promise;
use super::visit::{Asked, Visit};
use super::{Error, Result, Store};
use crate::fault_point;
use crate::model::account::{Account, Kind};
use crate::model::digest::{BlockSums, Hasher, Sha256Digest};
use crate::model::file_name::FileName;
use crate::model::stored_file::StoredFile;

/// Bytes collected before a blocking thread hashes and writes them. Four such buffers are in use at once.
const BUFFER_BYTES: usize = 128 * 1024;
/// The same for whoever comes while so many uploads are under way: a crowd keeps the threads busy with less.
const CROWD: usize = 16;
const CROWD_BUFFER_BYTES: usize = 64 * 1024;

/// What an upload of unknown length promises at a time.
const STEP_BYTES: u64 = 16 << 20;

/// An account that was closed breaks its uploads within about this time, while bytes come; those that stand still end at their
/// time-out or commit.
const STANDING_TIME: Duration = Duration::from_secs(1);

/// One upload in flight: unseen by everybody. Dropping it frees its space.
pub struct Upload {
    store: Store,
    pub(super) account: Account,
    pub(super) name: FileName,
    length: Length,
    /// Bytes that room was promised for.
    promised: u64,
    received: u64,
    intake: Intake<Sink>,
    /// Counts this upload among those that are under way.
    _present: Arc<()>,
    /// When the account was last seen open.
    seen_open_at: Instant,
    /// The SHA-256 of the damaged file whose row this upload takes, where its bytes are the same.
    replaced: Option<Sha256Digest>,
    /// By how much it may pass the quota.
    slack_bytes: u64,
}

/// What a client has said of the length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Length {
    Exactly(u64),
    /// It is known when all has come; room is promised as it comes.
    AtMost(u64),
}

pub(super) struct Sink {
    blobs: Arc<dyn Blobs>,
    /// Made for the first bytes, on the blocking thread that writes them.
    staged: Option<Box<dyn Staged>>,
    hasher: Hasher,
    promise: Promise,
}

impl TakeIn for Sink {
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
}

impl Sink {
    /// Takes the last bytes in.
    pub(super) fn close(mut self, last_bytes: &[u8]) -> Result<Received, BlobError> {
        self.take_in(last_bytes)?;
        let staged = self.staged.expect("the last bytes have made it");
        let (sha256, sums) = self.hasher.finish();
        Ok(Received { staged, sha256, sums, promise: self.promise })
    }
}

/// What an upload is that has all its bytes.
pub(super) struct Whole {
    pub(super) account: Account,
    pub(super) name: FileName,
    pub(super) size_bytes: u64,
    /// Digests that the client sent.
    pub(super) expected: Vec<Sha256Digest>,
    /// The SHA-256 of the damaged file whose place it takes, where it is its own.
    pub(super) replaced: Option<Sha256Digest>,
    /// By how much it may pass the quota.
    pub(super) slack_bytes: u64,
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

    /// The same after a visit that has asked whether the name is free. In a vault the same bytes may come again for a damaged file.
    pub async fn begin_visited(&self, visit: Visit, name: &FileName, size_bytes: u64) -> Result<Upload> {
        self.begin(visit, name, Length::Exactly(size_bytes)).await
    }

    /// The same for at most so many bytes, where the client does not say how many.
    pub async fn begin_unsized(&self, visit: Visit, name: &FileName, most_bytes: u64) -> Result<Upload> {
        self.begin(visit, name, Length::AtMost(most_bytes)).await
    }

    async fn begin(&self, visit: Visit, name: &FileName, length: Length) -> Result<Upload> {
        let Visit { mut account, holder, passes_quota, .. } = visit;
        let replaced = match holder {
            Some(holder) if account.kind == Kind::Vault && holder.damaged_at.is_some() => Some(holder.sha256),
            Some(holder) => return Err(Error::NameTaken(Box::new(holder))),
            None => None,
        };
        let size_bytes = match length {
            Length::Exactly(size_bytes) => size_bytes,
            Length::AtMost(_) => 0,
        };
        closed_reason(&account).map_or(Ok(()), |reason| Err(Error::AccountClosed { reason }))?;
        self.check_writes()?;
        let slack_bytes = account.quota_bytes.filter(|_| passes_quota).map_or(0, |quota| quota / 10);
        account.quota_bytes = account.quota_bytes.map(|quota| quota.saturating_add(slack_bytes));
        let promise = self.admit(&account, name, size_bytes).await?;
        let blobs = Arc::clone(&self.inner.blobs);
        let sink = Box::new(Sink { blobs, staged: None, hasher: Hasher::default(), promise });
        fault_point::pass("admitted");
        let most_bytes = match length {
            Length::Exactly(bytes) | Length::AtMost(bytes) => bytes,
        };
        let present = Arc::clone(&self.inner.uploading);
        let buffer_bytes = if Arc::strong_count(&present) > CROWD { CROWD_BUFFER_BYTES } else { BUFFER_BYTES };
        let intake = Intake::new(sink, Arc::clone(&self.inner.writers), buffer_bytes, most_bytes);
        Ok(Upload {
            store: self.clone(),
            account,
            name: name.clone(),
            length,
            replaced,
            slack_bytes,
            promised: size_bytes,
            received: 0,
            intake,
            _present: present,
            seen_open_at: Instant::now(),
        })
    }

    fn intake_failed(&self, lost: Lost, promised_bytes: u64) -> Error {
        match lost {
            Lost::Disk(error) => self.blob_write_failed(error, promised_bytes),
            lost => Error::Internal(lost.into()),
        }
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
        let (Length::Exactly(most) | Length::AtMost(most)) = self.length;
        if self.received > most {
            return Err(Error::WrongSize { promised: most, received: self.received });
        }
        while self.received > self.promised {
            self.promise_more(most).await?;
        }
        self.intake.write(&bytes).await.map_err(|lost| self.store.intake_failed(lost, self.promised))
    }

    /// Syncs, publishes, commits; runs to its end even when the caller stops waiting. `expected` are digests that the client sent.
    /// After Ok the file is kept. Errors: `WrongSize`, `DigestMismatch`, `NameTaken`, `OverQuota`, `DiskFull`, `AccountClosed`,
    /// `InDoubt`, `WritesSuspended`, `Unavailable`.
    pub async fn finish(self, expected: Vec<Sha256Digest>) -> Result<StoredFile> {
        if let Length::Exactly(promised) = self.length
            && self.received != promised
        {
            return Err(Error::WrongSize { promised, received: self.received });
        }
        let Self { store, account, name, replaced, slack_bytes, received, promised, intake, .. } = self;
        let (sink, buffer) = intake.finish().await.map_err(|lost| store.intake_failed(lost, promised))?;
        let whole = Whole { account, name, size_bytes: received, expected, replaced, slack_bytes };
        let committing = store.clone();
        let keep = async move { committing.keep(whole, sink, buffer).await };
        store.inner.tasks.spawn(keep).await.map_err(|panic| Error::Internal(panic.into()))?
    }

    /// Promises room for the next step of an upload of unknown length.
    async fn promise_more(&mut self, most: u64) -> Result<()> {
        let step = STEP_BYTES.min(most - self.promised);
        let more = self.store.admit_more(&self.account, step).await?;
        let mut sink = self.intake.rest().await.map_err(|lost| self.store.intake_failed(lost, self.promised))?;
        sink.promise.absorb(more);
        self.intake.put_back(sink);
        self.promised += step;
        Ok(())
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
}

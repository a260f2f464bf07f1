//! What we promise to keep. `Store` is where bytes and rows meet; its methods are the operations.
//!
//! * 201 means kept: [`crate::store::upload::Upload::finish`] returns after bytes and row are on stable storage.
//! * Write once: the catalog's unique index on (account, name) of live rows is the only judge of who wins.
//! * Nothing goes early: lives end by [`crate::store::Store::now`], the guarded time, alone.
//! * Every byte that [`crate::store::read::Download::next`] yields was checked against the block sums of the stored file.

pub mod accounts;
mod admit;
mod adopt;
pub mod background;
mod backup;
pub mod blobs;
mod block;
pub mod bursts;
pub mod catalog;
pub mod check;
mod commit;
mod control;
pub mod dated;
pub mod error;
mod expire;
pub mod fleet;
mod guarded_time;
pub mod hide;
pub mod home;
mod intake;
pub mod list;
mod locks;
pub mod open;
mod pieces;
mod promises;
pub mod read;
pub mod rebuild;
pub mod reconcile;
pub mod revive;
mod rows;
mod scrub;
pub mod sessions;
mod suspension;
pub mod time;
pub mod tokens;
mod told;
mod twin;
pub mod upload;
mod user_copies;
pub mod users;
mod verify;
pub mod visit;

#[cfg(test)]
mod contract;
#[cfg(test)]
mod model_check;

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

use crate::model::instant::Instant;
use admit::LastSpace;
use blobs::{BlobError, BlobFault, Blobs};
use catalog::{Catalog, CatalogError, Connection, Fault};
use home::Home;
use locks::HeldLocks;
use pieces::Pieces;
use promises::Promises;
use suspension::Suspension;
use time::StoreTime;

pub use error::{Error, Result};

/// Catalog, blobs and clock, open. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    catalog: Catalog,
    blobs: Arc<dyn Blobs>,
    time: StoreTime,
    promises: Arc<Promises>,
    last_space: LastSpace,
    suspension: Suspension,
    /// Places on blocking threads for those that write, who may have to wait long for a disk: the other threads are for reading.
    writers: Arc<Semaphore>,
    /// Held by each upload that is under way.
    uploading: Arc<()>,
    /// What downloads read into.
    pieces: Arc<Pieces>,
    /// Locks that could not be written.
    locks: HeldLocks,
    /// Commits and marks that go on when their caller has gone.
    tasks: TaskTracker,
    settings: Settings,
    /// Holds the lock of the data directory for as long as the store is open.
    _home: Option<Home>,
}

/// Half of the runtime's blocking threads. No disk syncs faster for more callers at once.
const WRITERS: usize = 256;

/// What of the configuration matters after opening.
#[derive(Clone, Copy, Debug)]
struct Settings {
    disk_reserve_bytes: u64,
    scrub_days: u64,
    control_copies: usize,
    sessions_per_account: u64,
    /// There is a way to send mail.
    mails: bool,
}

/// What an operator should know at a glance.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Health {
    /// Why writing has stopped, where it has.
    pub writes_suspended: Option<String>,
    /// Why expiry is paused, where it is.
    pub expiry_paused: Option<String>,
    /// Why the catalog does not answer, where it does not.
    pub catalog_down: Option<String>,
    /// Why the disk of the files does not answer, where it does not.
    pub disk_down: Option<String>,
}

impl Store {
    /// Guarded time: what ends lives and sessions. Never goes back, never jumps ahead by more than 25 h in all.
    pub fn now(&self) -> Instant {
        self.inner.time.now()
    }

    /// Health now; asks the catalog and the disk.
    pub async fn health(&self) -> Health {
        let answer = self.read(|connection| connection.query("SELECT value FROM counters WHERE name = 'control'", &[])).await;
        // Whoever asks is the first to hear of an error that the catalog met by itself.
        drop(self.check_writes());
        let disk = self.blocking(Blobs::space).await;
        Health {
            writes_suspended: self.inner.suspension.reason(),
            expiry_paused: self.inner.time.paused(),
            catalog_down: answer.err().map(|_| "the catalog does not answer".to_owned()),
            disk_down: (!matches!(disk, Ok(Ok(_)))).then(|| "the disk does not answer".to_owned()),
        }
    }

    /// Waits until every commit that was begun has ended.
    pub async fn settled(&self) {
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        self.inner.tasks.reopen();
    }

    /// Runs `work` on the catalog outside any transaction of ours.
    async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Connection) -> std::result::Result<T, CatalogError> + Send + 'static,
    {
        self.inner.catalog.read(work).await.map_err(|error| self.catalog_read_failed(error))
    }

    /// The same for work that may take minutes.
    async fn read_at_length<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Connection) -> std::result::Result<T, CatalogError> + Send + 'static,
    {
        self.inner.catalog.read_at_length(work).await.map_err(|error| self.catalog_read_failed(error))
    }

    /// Runs `work` in the next shared transaction; an Err of its own fails everybody in it.
    async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Connection) -> std::result::Result<T, CatalogError> + Send + 'static,
    {
        self.check_writes()?;
        self.inner.catalog.write(work).await.map_err(|error| self.catalog_failed(error))
    }

    /// `WritesSuspended` after an error of the disk under blobs or catalog. A commit that met one is in doubt for whoever asked for it,
    /// and the last write for everybody.
    fn check_writes(&self) -> Result<()> {
        self.inner.catalog.check_writes().map_err(|error| self.suspend_writes(&chain(&error)))?;
        self.inner.suspension.check()
    }

    /// Ends writing, the catalog's too: it would else empty its log when it is closed, onto a disk that may lie by now.
    fn suspend_writes(&self, why: &str) -> Error {
        self.inner.catalog.suspend_writes();
        self.inner.suspension.suspend(why)
    }

    /// Runs blocking work on the blobs. It runs to its end even when the caller goes away.
    async fn blocking<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&dyn Blobs) -> T + Send + 'static,
    {
        let blobs = Arc::clone(&self.inner.blobs);
        tokio::task::spawn_blocking(move || work(&*blobs)).await.map_err(|panic| Error::Internal(panic.into()))
    }

    /// To be held on the blocking thread for as long as it writes.
    async fn writer_place(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.inner.writers).acquire_owned().await.expect("the places are never closed")
    }

    /// What cannot be read now was written before: only a failed write ends writing.
    fn catalog_read_failed(&self, error: CatalogError) -> Error {
        match error.fault {
            Fault::Io => {
                // But a catalog that is lost is neither read nor written.
                drop(self.check_writes());
                Error::Unavailable(error.into())
            }
            _ => self.catalog_failed(error),
        }
    }

    fn catalog_failed(&self, error: CatalogError) -> Error {
        match error.fault {
            Fault::Failed => Error::Internal(error.into()),
            Fault::Unavailable => Error::Unavailable(error.into()),
            Fault::Full => {
                tracing::warn!(error = %chain(&error), "the catalog's disk is full");
                Error::DiskFull { free_bytes: 0, needed_bytes: 0 }
            }
            Fault::Io => self.suspend_writes(&chain(&error)),
            Fault::InDoubt => Error::InDoubt(error.into()),
        }
    }

    /// What a failed call on the write path means; EIO ends writing until a restart.
    fn blob_write_failed(&self, error: BlobError, needed_bytes: u64) -> Error {
        match error.fault {
            BlobFault::Full => {
                tracing::warn!(error = %chain(&error), "the disk is full");
                Error::DiskFull { free_bytes: 0, needed_bytes }
            }
            BlobFault::Io => self.suspend_writes(&chain(&error)),
            BlobFault::Unavailable => Error::Unavailable(error.into()),
            BlobFault::NotFound | BlobFault::Failed => Error::Internal(error.into()),
        }
    }
}

/// An error and its causes on one line, for the log.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

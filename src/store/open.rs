//! Opening a store, and every reason not to.

use std::sync::Arc;

use tokio_util::task::TaskTracker;

use super::admit::LastSpace;
use super::blobs::disk::DiskBlobs;
use super::blobs::{BlobError, Blobs, Found};
use super::catalog::{Catalog, CatalogError, Connection};
use super::home::{Home, HomeError};
use super::promises::Promises;
use super::suspension::Suspension;
use super::time::StoreTime;
use super::{Inner, Result, Settings, Store, rows};
use crate::clock::Clock;
use crate::config::StoreConfig;
use crate::model::instant::Instant;

/// Why a store did not open; the texts are for the operator.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Home(#[from] HomeError),
    #[error("the catalog cannot be opened")]
    Catalog(#[from] CatalogError),
    #[error("the blobs cannot be opened")]
    Blobs(#[from] BlobError),
    #[error(
        "the catalog is empty, but {path} holds backups: put the catalog back from a copy, or run `strongroom catalog rebuild`, \
         which loses nothing"
    )]
    EmptyCatalog { path: String },
    #[error("the data directory belongs to store {home}, the catalog to store {catalog}: they do not go together")]
    OtherStore { home: String, catalog: String },
    #[error("the catalog belongs to store {catalog} already: a rebuild needs an empty one")]
    NotEmpty { catalog: String },
    #[error("the store failed while it was being opened")]
    Store(#[from] super::Error),
}

impl Store {
    /// Opens the store for `serve`: exclusive, migrating, making what is missing. Scans nothing.
    pub async fn open(config: &StoreConfig, clock: Clock) -> Result<Self, OpenError> {
        let owned = config.clone();
        let (home, catalog, blobs) = on_thread(move || {
            let home = Home::open_exclusive(&owned.data)?;
            let blobs = DiskBlobs::open(&owned.data.join("blobs"))?;
            let catalog = Catalog::open(&owned, true)?;
            Ok((home, catalog, Arc::new(blobs) as Arc<dyn Blobs>))
        })
        .await?;
        let store_id = home.store_id.clone();
        settle_identity(&catalog, &blobs, &store_id, config).await?;
        Self::assemble(config, clock, catalog, blobs, Some(home), None).await?.caught_up().await
    }

    /// Opens the store for a command, beside a server or without one: no lock, no migration. A catalog that was put back from an older
    /// copy is brought up to the small copies first: what a command changed in it would else be taken back by the next server.
    pub async fn open_beside(config: &StoreConfig, clock: Clock) -> Result<Self, OpenError> {
        let owned = config.clone();
        let (home, catalog, blobs) = on_thread(move || {
            let home = Home::open_beside(&owned.data)?;
            let blobs = DiskBlobs::open_beside(&owned.data.join("blobs"))?;
            let catalog = Catalog::open(&owned, false)?;
            Ok((home, catalog, Arc::new(blobs) as Arc<dyn Blobs>))
        })
        .await?;
        let store_id = home.store_id.clone();
        settle_identity(&catalog, &blobs, &store_id, config).await?;
        Self::assemble(config, clock, catalog, blobs, Some(home), None).await?.caught_up().await
    }

    async fn caught_up(self) -> Result<Self, OpenError> {
        for what in self.load_newer_control().await? {
            tracing::warn!(what, "the catalog was older than the small copies: brought back");
        }
        let hides = self.load_newer_hides().await?;
        if hides > 0 {
            tracing::warn!(files = hides, "the catalog was older than the small copies of what vaults have hidden: taken over");
        }
        Ok(self)
    }

    /// Joins open parts. `start` is where guarded time begins in a catalog that has none; `None` believes the wall clock.
    pub(super) async fn assemble(
        config: &StoreConfig,
        clock: Clock,
        catalog: Catalog,
        blobs: Arc<dyn Blobs>,
        home: Option<Home>,
        start: Option<Instant>,
    ) -> Result<Self, OpenError> {
        let time = catalog.read_at_length(move |connection| StoreTime::load(clock, connection, start)).await?;
        let settings = Settings {
            disk_reserve_bytes: config.disk_reserve_bytes,
            scrub_days: config.scrub_days,
            control_copies: config.control_copies,
            sessions_per_account: config.sessions_per_account,
            mails: config.mails,
        };
        let tasks = TaskTracker::new();
        let inner = Inner {
            catalog,
            blobs,
            time,
            promises: Arc::new(Promises::default()),
            last_space: LastSpace::default(),
            suspension: Suspension::default(),
            writers: Arc::new(tokio::sync::Semaphore::new(super::WRITERS)),
            uploading: Arc::default(),
            pieces: Arc::default(),
            locks: super::locks::HeldLocks::default(),
            tasks,
            settings,
            _home: home,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Whether the last server on this store ended cleanly; from now on it has not, until [`Store::note_clean_end`].
    pub(super) async fn note_start(&self) -> Result<bool> {
        let before = self
            .write(|connection| {
                let before = rows::get(connection, "ended_cleanly")?;
                rows::set(connection, "ended_cleanly", "0")?;
                Ok(before)
            })
            .await?;
        Ok(before.is_none_or(|value| value == "1"))
    }

    pub(super) async fn note_clean_end(&self) -> Result<()> {
        self.write(|connection| rows::set(connection, "ended_cleanly", "1")).await
    }
}

/// Blocking work with errors of opening, off the async threads.
pub(super) async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T, OpenError> + Send + 'static) -> Result<T, OpenError> {
    tokio::task::spawn_blocking(work).await.map_err(|panic| super::Error::Internal(panic.into()))?
}

/// A new catalog takes the store's id, unless there are blobs that it ought to know; a known one must carry it.
async fn settle_identity(catalog: &Catalog, blobs: &Arc<dyn Blobs>, store_id: &str, config: &StoreConfig) -> Result<(), OpenError> {
    match catalog.read(|connection: &mut dyn Connection| rows::get(connection, "store_id")).await? {
        Some(known) if known == store_id => Ok(()),
        Some(known) => Err(OpenError::OtherStore { home: store_id.to_owned(), catalog: known }),
        None => {
            let looked = Arc::clone(blobs);
            if on_thread(move || holds_backups(&*looked)).await? {
                return Err(OpenError::EmptyCatalog { path: config.data.join("blobs").display().to_string() });
            }
            let id = store_id.to_owned();
            catalog.write(move |connection| rows::set(connection, "store_id", &id)).await?;
            Ok(())
        }
    }
}

fn holds_backups(blobs: &dyn Blobs) -> Result<bool, OpenError> {
    let mut found = !blobs.list_control()?.is_empty();
    if !found {
        blobs.walk(&mut |thing| {
            found = matches!(thing, Found::Blob { .. });
            !found
        })?;
    }
    Ok(found)
}

//! A lost catalog made again from the blobs alone.
//!
//! The newest whole small copy gives the accounts back, the keys and bytes of the blobs everything else. What there was of a
//! catalog is moved aside, never deleted.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::blobs::counted::CountedBlobs;
use super::blobs::disk::DiskBlobs;
use super::blobs::{Blobs, Found};
use super::catalog::Catalog;
use super::control;
use super::home::Home;
use super::open::{OpenError, on_thread};
use super::reconcile::ReconcileReport;
use super::time::RELEASED_AT;
use super::{Result, Store, rows};
use crate::clock::Clock;
use crate::config::{CatalogTarget, StoreConfig};
use crate::model::instant::Instant;

/// How far a rebuild has come: bytes read of all that lie under `blobs/`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RebuildProgress {
    pub bytes: u64,
    pub all_bytes: u64,
}

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(200);

/// What a rebuild brought back.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RebuildReport {
    pub accounts: usize,
    pub found: ReconcileReport,
    /// Where the old catalog was moved to.
    pub moved_aside: Vec<String>,
    /// What is lost, in words.
    pub lost: Vec<String>,
}

impl Store {
    /// Rebuilds the catalog and closes the store again. Exclusive: no server may run on the data directory. `progress` is called
    /// now and then, and at the end.
    pub async fn rebuild(
        config: &StoreConfig,
        clock: Clock,
        progress: &mut (dyn FnMut(RebuildProgress) + Send),
    ) -> Result<RebuildReport, OpenError> {
        let owned = config.clone();
        let wall = clock.wall();
        let (home, blobs, moved_aside) = on_thread(move || {
            let home = Home::open_exclusive_for_rebuild(&owned.data)?;
            let blobs = DiskBlobs::open(&owned.data.join("blobs"))?;
            let moved = if matches!(owned.catalog, CatalogTarget::Sqlite) { move_aside(&owned.data, wall)? } else { Vec::new() };
            Ok((home, Arc::new(blobs) as Arc<dyn Blobs>, moved))
        })
        .await?;
        let bytes = Arc::new(AtomicU64::new(0));
        let blobs: Arc<dyn Blobs> = Arc::new(CountedBlobs::new(blobs, Arc::clone(&bytes)));
        let owned = config.clone();
        let catalog = on_thread(move || Ok(Catalog::open(&owned, true)?)).await?;
        let store_id = home.store_id.clone();
        claim(&catalog, &store_id).await?;
        let (read, seen) = (Arc::clone(&blobs), wall);
        let (copy, (newest, all_bytes)) = on_thread(move || Ok((control::newest(&*read), survey(&*read, seen)?))).await?;
        let start = newest.max(copy.as_ref().map_or(RELEASED_AT, |copy| Instant::from_micros(copy.written_at)));
        let store = Self::assemble(config, clock, catalog, blobs, Some(home), Some(start)).await?;
        let mut tell = || progress(RebuildProgress { bytes: bytes.load(Ordering::Relaxed), all_bytes });
        let filled = Box::pin(store.fill(copy, moved_aside));
        let filled = telling(filled, &mut tell).await;
        tell();
        filled.map_err(OpenError::from)
    }

    async fn fill(&self, copy: Option<control::ControlCopy>, moved_aside: Vec<String>) -> Result<RebuildReport> {
        let mut lost = vec!["all sessions: make new ones".to_owned()];
        match copy {
            Some(copy) => {
                self.write(move |connection| control::load(connection, &copy)).await?;
            }
            None => lost.push("all accounts: there is no whole copy of them under blobs/.control/".to_owned()),
        }
        let accounts = self.accounts().await?.len();
        let (_stop, shutdown) = crate::shutdown::channel();
        let found = self.reconcile(&shutdown).await?;
        if found.quarantined > 0 {
            lost.push(format!(
                "{} blobs fit no account or are damaged: `strongroom check` lists them, nothing deletes them",
                found.quarantined
            ));
        }
        self.keep_time().await?;
        self.write_control().await?;
        self.settled().await;
        Ok(RebuildReport { accounts, found, moved_aside, lost })
    }
}

/// Waits for `work`, and tells meanwhile how far it is.
async fn telling<T>(mut work: Pin<Box<impl Future<Output = T>>>, tell: &mut (dyn FnMut() + Send)) -> T {
    let mut ticks = tokio::time::interval(TELL_EVERY);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = ticks.tick() => tell(),
        }
    }
}

/// Makes an empty catalog this store's own; one that holds files of its own is not overwritten.
async fn claim(catalog: &Catalog, store_id: &str) -> Result<(), OpenError> {
    let id = store_id.to_owned();
    let known = catalog
        .write(move |connection| {
            let known = rows::get(connection, "store_id")?;
            if known.is_none() {
                rows::set(connection, "store_id", &id)?;
            }
            Ok(known)
        })
        .await?;
    match known {
        Some(known) => Err(OpenError::NotEmpty { catalog: known }),
        None => Ok(()),
    }
}

/// Moves `catalog.db` and what belongs to it out of the way.
fn move_aside(data: &Path, wall: Instant) -> Result<Vec<String>, OpenError> {
    let mut moved = Vec::new();
    for suffix in ["", "-wal", "-shm"] {
        let from = data.join(format!("catalog.db{suffix}"));
        let to = data.join(format!("catalog.db.{}.old{suffix}", wall.compact()));
        match std::fs::rename(&from, &to) {
            Ok(()) => moved.push(to.display().to_string()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => {
                let path = from.display().to_string();
                return Err(OpenError::Home(super::home::HomeError::Io { path, doing: "moving it aside".to_owned(), source }));
            }
        }
    }
    Ok(moved)
}

/// The newest creation among the blobs, where keys from a future that the wall clock does not know are passed over, and the bytes of
/// all.
fn survey(blobs: &dyn Blobs, wall: Instant) -> Result<(Instant, u64), OpenError> {
    let (mut newest, mut all_bytes) = (RELEASED_AT, 0_u64);
    blobs.walk(&mut |found| {
        if let Found::Blob { key, size_bytes } = found {
            all_bytes = all_bytes.saturating_add(size_bytes);
            if key.kept_from <= wall {
                newest = newest.max(key.kept_from);
            }
        }
        true
    })?;
    Ok((newest, all_bytes))
}

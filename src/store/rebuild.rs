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
use super::time::{self, RELEASED_AT};
use super::{Result, Store, rows};
use crate::clock::Clock;
use crate::config::{CatalogTarget, StoreConfig};
use crate::model::instant::{DAY_MICROS, Instant};

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
        let read = Arc::clone(&blobs);
        let (copy, (newest, all_bytes)) = on_thread(move || Ok((control::newest(&*read)?, survey(&*read, wall)?))).await?;
        claim(&catalog, &home.store_id, &clock, beginning(copy.as_ref(), newest)).await?;
        let store = Self::assemble(config, clock, catalog, blobs, Some(home), None).await?;
        let mut tell = || progress(RebuildProgress { bytes: bytes.load(Ordering::Relaxed), all_bytes });
        let filled = Box::pin(store.fill(copy, moved_aside));
        let filled = telling(filled, &mut tell).await;
        tell();
        filled.map_err(OpenError::from)
    }

    async fn fill(&self, copy: Option<control::ControlCopy>, moved_aside: Vec<String>) -> Result<RebuildReport> {
        let mut lost = vec![
            "all sessions and tokens: make new ones".to_owned(),
            "runs of agents that were under way, and the reports of past ones: agents tell their snapshots again when they start"
                .to_owned(),
        ];
        match copy {
            Some(copy) => {
                let now = self.now();
                self.write(move |connection| control::load(connection, &copy, now)).await?;
            }
            None => lost.push("all accounts and users: there is no whole copy of them under blobs/.control/".to_owned()),
        }
        self.load_newer_hides().await?;
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

/// Where guarded time goes on: where the newest copy says that it was, and with the newest file at most a day later. A file that was
/// stored under a clock that had jumped ahead says the clock's time, so it cannot end the lives of the others.
fn beginning(copy: Option<&control::ControlCopy>, newest: Instant) -> Instant {
    let Some(copy) = copy else { return newest.max(RELEASED_AT) };
    let written_at = Instant::from_micros(copy.written_at).max(RELEASED_AT);
    newest.min(written_at.plus_micros(DAY_MICROS)).max(written_at)
}

/// Makes an empty catalog this store's own, with its guarded time in one transaction, so that a rebuild that is cut off leaves no
/// catalog that believes the wall clock; one that holds files of its own is not overwritten.
async fn claim(catalog: &Catalog, store_id: &str, clock: &Clock, start: Instant) -> Result<(), OpenError> {
    let (id, clock) = (store_id.to_owned(), clock.clone());
    let known = catalog
        .write(move |connection| {
            let known = rows::get(connection, "store_id")?;
            if known.is_none() {
                rows::set(connection, "store_id", &id)?;
                time::begin(connection, &clock, start)?;
            }
            Ok(known)
        })
        .await?;
    match known {
        Some(known) => Err(OpenError::NotEmpty { catalog: known }),
        None => Ok(()),
    }
}

/// Moves `catalog.db` and what belongs to it out of the way, under a name that is new. The log goes first: no other catalog may
/// ever find it beside itself.
fn move_aside(data: &Path, wall: Instant) -> Result<Vec<String>, OpenError> {
    let base = format!("catalog.db.{}", wall.compact());
    let mut names = std::iter::once(base.clone()).chain((2..).map(|number| format!("{base}-{number}")));
    let is_new = |name: &String| ["", "-wal", "-shm"].iter().all(|suffix| !data.join(format!("{name}.old{suffix}")).exists());
    let aside = names.find(is_new).expect("one of so many names is new");
    let mut moved = Vec::new();
    for suffix in ["-wal", "-shm", ""] {
        let from = data.join(format!("catalog.db{suffix}"));
        let to = data.join(format!("{aside}.old{suffix}"));
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that was stored while the clock was a year ahead says so in its key; a rebuild used to take that for the time.
    #[test]
    fn a_key_from_a_jumped_clock_does_not_move_guarded_time() {
        let written_at = RELEASED_AT.plus_micros(90 * DAY_MICROS);
        let copy = control::ControlCopy::empty(written_at);
        assert_eq!(beginning(Some(&copy), written_at.plus_micros(400 * DAY_MICROS)), written_at.plus_micros(DAY_MICROS));
        assert_eq!(beginning(Some(&copy), written_at.plus_micros(-DAY_MICROS)), written_at);
        assert_eq!(beginning(Some(&copy), written_at.plus_micros(5)), written_at.plus_micros(5));
    }
}

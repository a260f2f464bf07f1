//! The catalog's own threads: one writer with group commit, several readers.

use std::future::Future;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::engine::Target;
use super::read_queue::{ReadQueue, Reads};
use super::reader;
use super::slot::{Slot, Source};
use super::sqlite::Place;
use super::writer::{self, WriteJob};
use super::{CatalogError, Connection, Fault, migrate, sqlite};
use crate::config::StoreConfig;

/// Jobs that wait for a thread at most; more callers wait before their job is taken.
const QUEUED_JOBS: usize = 1_024;
/// Faults that one integrity check names at most.
const FAULTS_NAMED: usize = 20;

/// How long a caller waits for one short read, and for one commit, before it hears that the catalog does not answer: longer than
/// either takes on a slow disk. What was taken goes on; only the wait ends.
const READ_TIME: Duration = Duration::from_secs(10);
pub const WRITE_TIME: Duration = Duration::from_secs(30);

/// A handle to the catalog's threads. Cheap to clone; the threads end with the last handle, after the jobs that they took.
#[derive(Clone)]
pub struct Catalog {
    writes: mpsc::Sender<Box<dyn WriteJob>>,
    reads: Arc<Reads>,
    /// Where the catalog lies, when it is SQLite's.
    place: Option<Place>,
    /// Cancelled when its threads answer no more.
    lost: CancellationToken,
    was_created: bool,
}

impl Catalog {
    /// Opens or makes the catalog, applies migrations when `migrate`, starts the threads. Blocking. Without `migrate` a
    /// missing or older catalog is refused in words; a newer one is refused unless it is newer by one, because a migration
    /// only adds.
    pub fn open(config: &StoreConfig, migrate: bool) -> Result<Self, CatalogError> {
        let target = Target::new(config)?;
        let place = target.place().cloned();
        let lost = if place.is_some() { sqlite::lost().clone() } else { CancellationToken::new() };
        let source = Arc::new(Source::new(target));
        let (writes, was_created) = start_writer(Arc::clone(&source), migrate)?;
        let reads = start_readers(&source, config.catalog_readers.max(1))?;
        Ok(Self { writes, reads, place, lost, was_created })
    }

    /// Whether this opening made the catalog: it was missing, or an empty database.
    pub fn was_created(&self) -> bool {
        self.was_created
    }

    /// An error where the catalog's disk has failed: from then on nothing is written until a restart, whoever met the error.
    pub fn check_writes(&self) -> Result<(), CatalogError> {
        self.place.as_ref().map_or(Ok(()), Place::refuse_when_suspended)
    }

    pub fn is_lost(&self) -> bool {
        self.lost.is_cancelled()
    }

    /// Waits until the catalog is lost: its disk no longer gives SQLite's memory, and no call of it is answered before a restart.
    pub async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// Writes nothing more to SQLite's file, not even when it is closed. PostgreSQL looks after its own disk.
    pub fn suspend_writes(&self) {
        if let Some(place) = &self.place {
            place.suspend_writes();
        }
    }

    /// Runs `work` on a reader's connection. `Fault::Failed` where it panics, `Fault::Unavailable` where the engine is silent.
    pub async fn read<T, F>(&self, work: F) -> Result<T, CatalogError>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Connection) -> Result<T, CatalogError> + Send + 'static,
    {
        let answer = timeout_at(Instant::now() + READ_TIME, self.read_at_length(work));
        answer.await.map_err(|_| silent(Fault::Unavailable))?
    }

    /// The same for what may take minutes: a copy, a check, a count of everything.
    pub async fn read_at_length<T, F>(&self, work: F) -> Result<T, CatalogError>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Connection) -> Result<T, CatalogError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let asked = async {
            self.reads.push(reader::job(work, reply)).await;
            answer.await.map_err(|_| stopped())?
        };
        self.unless_lost(asked).await.unwrap_or_else(|| Err(gone(Fault::Io)))
    }

    /// `None` where the catalog is lost first.
    async fn unless_lost<T>(&self, waited_for: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            came = waited_for => Some(came),
            () = self.lost() => None,
        }
    }

    /// Runs `work` inside the next shared transaction and returns after its COMMIT.
    /// `work` may run again where the engine rolled the transaction back for a reason of its own (deadlock, serialisation).
    /// A caller that stops waiting changes nothing: a job that was taken runs to its end. One that has waited too long hears
    /// `Fault::InDoubt`, or `Fault::Unavailable` where its job was not even taken.
    pub async fn write<T, F>(&self, work: F) -> Result<T, CatalogError>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Connection) -> Result<T, CatalogError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let deadline = Instant::now() + WRITE_TIME;
        // The caller may have gone; what it asked for was done all the same.
        let job = writer::job(work, move |outcome| drop(reply.send(outcome)));
        let taken = self.unless_lost(timeout_at(deadline, self.writes.send(job))).await.ok_or_else(|| gone(Fault::Io))?;
        taken.map_err(|_| silent(Fault::Unavailable))?.map_err(|_| stopped())?;
        let answer = self.unless_lost(timeout_at(deadline, answer)).await.ok_or_else(|| gone(Fault::InDoubt))?;
        let answer = answer.map_err(|_| silent(Fault::InDoubt))?;
        // A writer that ended without an answer may have been in the middle of a commit.
        answer.map_err(|_| CatalogError::new(Fault::InDoubt, "the catalog's writer ended before it answered"))?
    }

    /// The same for whoever does not wait, on a thread of the runtime: hands `work` over and returns at once. `done` hears of its end on
    /// the writer's thread, so it must be brief; dropped unheard, it is in doubt, and so it is where the catalog is [`lost`](Self::lost).
    pub fn write_and_tell<T, F>(&self, work: F, done: impl FnOnce(Result<T, CatalogError>) + Send + 'static)
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Connection) -> Result<T, CatalogError> + Send + 'static,
    {
        match self.writes.try_send(writer::job(work, done)) {
            Ok(()) => {}
            Err(TrySendError::Closed(job)) => job.answer(Err(stopped())),
            Err(TrySendError::Full(job)) => {
                let writes = self.writes.clone();
                // An error says that the writer has ended, and drops the job unheard.
                tokio::spawn(async move { drop(writes.send(job).await) });
            }
        }
    }

    /// Reads the whole of a SQLite catalog and names what is wrong with it (`Fault::Failed`). PostgreSQL has tools of its own.
    pub async fn integrity_check(&self) -> Result<(), CatalogError> {
        if self.place.is_none() {
            return Ok(());
        }
        let rows = self.read_at_length(|connection| connection.query(&format!("PRAGMA integrity_check({FAULTS_NAMED})"), &[])).await?;
        let faults = rows.iter().map(|row| row.text(0)).collect::<Result<Vec<_>, _>>()?;
        match faults[..] {
            ["ok"] => Ok(()),
            _ => Err(CatalogError::new(Fault::Failed, format!("catalog.db is damaged: {}", faults.join("; ")))),
        }
    }
}

type Writes = mpsc::Sender<Box<dyn WriteJob>>;

/// Opens, judges and migrates on the writer's own thread, where blocking is allowed whoever the caller is.
fn start_writer(source: Arc<Source>, migrate: bool) -> Result<(Writes, bool), CatalogError> {
    let (writes, jobs) = mpsc::channel(QUEUED_JOBS);
    let (opened, opening) = std::sync::mpsc::sync_channel(1);
    spawn("catalog-writer".to_owned(), move || {
        let mut slot = writer::slot(Arc::clone(&source));
        let outcome = open_first(&source, &mut slot, migrate);
        let is_open = outcome.is_ok();
        if opened.send(outcome).is_ok() && is_open {
            writer::run(slot, jobs);
        }
    })?;
    let was_created = opening.recv().map_err(|_| CatalogError::new(Fault::Failed, "opening the catalog panicked"))??;
    Ok((writes, was_created))
}

fn open_first(source: &Source, slot: &mut Slot, migrate: bool) -> Result<bool, CatalogError> {
    let made_file = match &source.target {
        Target::Sqlite(place) => place.prepare(migrate)?,
        Target::Postgres(_) => false,
    };
    let was_empty = migrate::bring_up(slot.ready()?, migrate)?;
    Ok(made_file || was_empty)
}

fn start_readers(source: &Arc<Source>, readers: usize) -> Result<Arc<Reads>, CatalogError> {
    let (reads, jobs) = ReadQueue::new(QUEUED_JOBS);
    for number in 0..readers {
        let (source, jobs) = (Arc::clone(source), Arc::clone(&jobs));
        spawn(format!("catalog-read-{number}"), move || reader::run(source, &jobs))?;
    }
    Ok(Arc::new(reads))
}

fn spawn(name: String, run: impl FnOnce() + Send + 'static) -> Result<(), CatalogError> {
    let started = thread::Builder::new().name(name).spawn(run);
    started.map(drop).map_err(|error| CatalogError::with_source(Fault::Unavailable, "starting a thread of the catalog", error))
}

fn stopped() -> CatalogError {
    CatalogError::new(Fault::Failed, "the catalog's threads have ended")
}

fn gone(fault: Fault) -> CatalogError {
    CatalogError::new(fault, "the disk no longer gives catalog.db-shm: the catalog does not answer until a restart")
}

fn silent(fault: Fault) -> CatalogError {
    CatalogError::new(fault, "the catalog has not answered in time")
}

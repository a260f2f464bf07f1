//! The writer's thread: group commit.
//!
//! It takes one job and all that wait, runs them inside one transaction, commits once, then answers all. An error of one rolls
//! back all. Nobody is told Ok before COMMIT returned, and a COMMIT whose outcome is unknown is never called anything else.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::mpsc;

use super::engine::{Role, Standing};
use super::error::SharedCause;
use super::lent::Lent;
use super::slot::{Slot, Source};
use super::{CatalogError, Connection, Fault, sqlite};

/// Jobs in one transaction at most.
const BATCH_JOBS: usize = 256;
/// Runs of one batch at most, where the engine makes it give way to another transaction.
const BATCH_RUNS: usize = 5;

/// A write: runs as often as its transaction is tried, is answered once.
pub(super) trait WriteJob: Send {
    fn run(&mut self, connection: &mut dyn Connection) -> Result<(), CatalogError>;
    /// After COMMIT, with the value of the last run; or why there was none.
    fn answer(self: Box<Self>, outcome: Result<(), CatalogError>);
}

/// Wraps a closure and who hears of its end, on the writer's thread. Nobody listening is no reason to do less.
pub(super) fn job<T, F, R>(work: F, reply: R) -> Box<dyn WriteJob>
where
    T: Send + 'static,
    F: FnMut(&mut dyn Connection) -> Result<T, CatalogError> + Send + 'static,
    R: FnOnce(Result<T, CatalogError>) + Send + 'static,
{
    Box::new(Job { work, value: None, reply })
}

/// Takes jobs until the last handle of the catalog is gone and the queue is empty. `slot` holds the connection that opened it.
pub(super) fn run(mut slot: Slot, mut jobs: mpsc::Receiver<Box<dyn WriteJob>>) {
    sqlite::rest_when_lost();
    while let Some(first) = jobs.blocking_recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH_JOBS
            && let Ok(job) = jobs.try_recv()
        {
            batch.push(job);
        }
        let outcome = commit_batch(&mut slot, &mut batch);
        answer(batch, outcome);
        if let Some(engine) = slot.current() {
            engine.tend();
        }
        slot.close_if_lost();
    }
}

/// The slot of a new writer.
pub(super) fn slot(source: Arc<Source>) -> Slot {
    Slot::new(source, Role::Writer)
}

struct Job<T, F, R> {
    work: F,
    value: Option<T>,
    reply: R,
}

impl<T, F, R> WriteJob for Job<T, F, R>
where
    T: Send,
    F: FnMut(&mut dyn Connection) -> Result<T, CatalogError> + Send,
    R: FnOnce(Result<T, CatalogError>) + Send,
{
    fn run(&mut self, connection: &mut dyn Connection) -> Result<(), CatalogError> {
        self.value = None;
        self.value = Some((self.work)(connection)?);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<(), CatalogError>) {
        let Self { value, reply, .. } = *self;
        reply(outcome.map(|()| value.expect("a batch commits only after each of its jobs ran to its end")));
    }
}

/// Why a batch was not committed.
struct Abort {
    /// Whose failure it was; `None` where it was nobody's own.
    culprit: Option<usize>,
    error: CatalogError,
    /// The engine rolled back because of another transaction.
    gave_way: bool,
}

fn commit_batch(slot: &mut Slot, batch: &mut [Box<dyn WriteJob>]) -> Result<(), Abort> {
    let mut runs = 1;
    loop {
        match run_batch(slot, batch) {
            Err(abort) if abort.gave_way && runs < BATCH_RUNS => runs += 1,
            outcome => return outcome,
        }
    }
}

fn run_batch(slot: &mut Slot, batch: &mut [Box<dyn WriteJob>]) -> Result<(), Abort> {
    begin(slot).map_err(|error| Abort { culprit: None, error, gave_way: false })?;
    for (place, job) in batch.iter_mut().enumerate() {
        if let Err(error) = run_one(slot, job.as_mut()) {
            let gave_way = slot.current().is_some_and(|engine| engine.standing() == Standing::GaveWay);
            slot.roll_back();
            return Err(Abort { culprit: Some(place), error, gave_way });
        }
    }
    let Some(engine) = slot.current() else {
        let error = CatalogError::new(Fault::Unavailable, "the connection was closed before the commit");
        return Err(Abort { culprit: None, error, gave_way: false });
    };
    let outcome = engine.commit();
    let gave_way = engine.standing() == Standing::GaveWay;
    outcome.map_err(|error| {
        slot.roll_back();
        Abort { culprit: None, error, gave_way }
    })
}

/// Begins; where that finds the connection broken, once more on a new one, because nothing has happened yet.
fn begin(slot: &mut Slot) -> Result<(), CatalogError> {
    let was_open = slot.current().is_some();
    let mut outcome = slot.ready()?.begin();
    if was_open && slot.current().is_some_and(|engine| engine.standing() == Standing::Lost) {
        slot.close();
        outcome = slot.ready()?.begin();
    }
    outcome.inspect_err(|_| slot.roll_back())
}

/// Runs one closure; a panic closes the connection, a failed statement that the closure kept to itself is an error too.
/// Never opens a connection: a new one would be outside the transaction.
fn run_one(slot: &mut Slot, job: &mut dyn WriteJob) -> Result<(), CatalogError> {
    let Some(engine) = slot.current() else {
        return Err(CatalogError::new(Fault::Unavailable, "the connection of the transaction was closed"));
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| job.run(&mut Lent { engine: &mut *engine, role: Role::Writer })));
    let Ok(outcome) = outcome else {
        slot.close();
        return Err(CatalogError::new(Fault::Failed, "a write panicked"));
    };
    outcome?;
    match engine.standing() {
        Standing::Good => Ok(()),
        _ => Err(CatalogError::new(Fault::Failed, "a write passed over a failed statement")),
    }
}

/// Answers everyone in the batch: after a failure each hears the same cause, but only the culprit its fault.
fn answer(batch: Vec<Box<dyn WriteJob>>, outcome: Result<(), Abort>) {
    let Err(Abort { culprit, error, .. }) = outcome else {
        return batch.into_iter().for_each(|job| job.answer(Ok(())));
    };
    let CatalogError { fault, doing, source } = error;
    let cause = source.map(SharedCause::new);
    for (place, job) in batch.into_iter().enumerate() {
        let own = culprit.is_none_or(|culprit| culprit == place);
        let (fault, doing) = match own {
            true => (fault, doing.clone()),
            false => (Fault::Unavailable, format!("another statement of the shared commit failed: {doing}")),
        };
        job.answer(Err(CatalogError { fault, doing, source: cause.clone().map(Into::into) }));
    }
}

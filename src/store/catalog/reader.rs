//! A reader's thread: one closure at a time, each outside any transaction, a new connection after a panic.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::oneshot;

use super::engine::Role;
use super::lent::Lent;
use super::read_queue::ReadQueue;
use super::slot::{Slot, Source};
use super::{CatalogError, Connection, Fault, sqlite};

/// A read: runs once, unless nobody waits for it any more.
pub(super) trait ReadJob: Send {
    /// Whether somebody still waits. After an engine's silence the queue is full of reads that nobody does.
    fn is_awaited(&self) -> bool;
    /// Runs the closure, or passes on why there is no connection, and answers. `false` says that the closure panicked.
    fn run(self: Box<Self>, connection: Result<&mut dyn Connection, CatalogError>) -> bool;
}

/// Wraps a closure and its answer.
pub(super) fn job<T, F>(work: F, reply: oneshot::Sender<Result<T, CatalogError>>) -> Box<dyn ReadJob>
where
    T: Send + 'static,
    F: FnOnce(&mut dyn Connection) -> Result<T, CatalogError> + Send + 'static,
{
    Box::new(Job { work, reply })
}

struct Job<T, F> {
    work: F,
    reply: oneshot::Sender<Result<T, CatalogError>>,
}

impl<T, F> ReadJob for Job<T, F>
where
    T: Send,
    F: FnOnce(&mut dyn Connection) -> Result<T, CatalogError> + Send,
{
    fn is_awaited(&self) -> bool {
        !self.reply.is_closed()
    }

    fn run(self: Box<Self>, connection: Result<&mut dyn Connection, CatalogError>) -> bool {
        let Self { work, reply } = *self;
        let outcome = match connection {
            Ok(connection) => catch_unwind(AssertUnwindSafe(|| work(connection))),
            Err(error) => Ok(Err(error)),
        };
        let held = outcome.is_ok();
        let outcome = outcome.unwrap_or_else(|_| Err(CatalogError::new(Fault::Failed, "a read panicked")));
        // The caller may have gone; its answer goes with it.
        let _ = reply.send(outcome);
        held
    }
}

/// Takes jobs until the last handle of the catalog is gone. The queue is shared by all readers.
pub(super) fn run(source: Arc<Source>, jobs: &ReadQueue) {
    sqlite::rest_when_lost();
    let mut slot = Slot::new(source, Role::Reader);
    while let Some(job) = jobs.take() {
        if !job.is_awaited() {
            continue;
        }
        let held = match slot.ready() {
            Ok(engine) => job.run(Ok(&mut Lent { engine, role: Role::Reader })),
            Err(error) => job.run(Err(error)),
        };
        if held {
            slot.close_if_lost();
        } else {
            slot.close();
        }
    }
}

//! The start-up: says that this process is up, until the server has it, and then once more with the snapshots that are in the vault, so
//! that a catalog which has forgotten backups gets them back. What opens the vault comes with the first work, so they cannot be known
//! before that.

use std::time::Duration;

use super::Farewell;
use super::patience::{Patience, Pauses, chain, wait};
use super::server::Server;
use crate::agent::channel::CallError;
use crate::vault::cancel::Cancel;
use crate::wire::channel::startup::{Snapshot, Started, Startup};
use crate::wire::channel::work::Vault;

/// Who comes up, and how long it tries.
pub(super) struct StartUp<'a> {
    pub server: &'a dyn Server,
    /// Without snapshots.
    pub startup: Startup,
    pub cancel: &'a Cancel,
    pub pauses: Pauses,
}

impl StartUp<'_> {
    /// Tries for ever. `is_up` is called once the server knows this process; `look` finds the snapshots of a vault, in bounded time, and
    /// nothing that it does not find keeps the process from going on.
    pub fn run(&self, is_up: impl FnOnce(), look: impl FnOnce(&Vault) -> Vec<Snapshot>) -> Result<Started, Farewell> {
        let started = self.repeat(Farewell::OtherMachine, || self.server.start_up(&self.startup))?;
        is_up();
        let work = self.repeat(|_| Farewell::Superseded, || self.server.work(None, Duration::ZERO))?;
        let snapshots = work.map(|wanted| look(&wanted.work.vault)).unwrap_or_default();
        if snapshots.is_empty() {
            return Ok(started);
        }
        tracing::debug!(snapshots = snapshots.len(), "the server is told of all snapshots in the vault");
        let whole = Startup { snapshots, ..self.startup.clone() };
        let again = self.repeat(Farewell::OtherMachine, || match self.server.start_up(&whole) {
            // What was said before still holds.
            Err(error @ CallError::Refused { .. }) => {
                tracing::warn!(why = chain(&error), "the server does not take the list of snapshots");
                Ok(None)
            }
            answer => answer.map(Some),
        })?;
        Ok(again.unwrap_or(started))
    }

    fn repeat<T>(&self, conflict: impl Fn(String) -> Farewell, call: impl Fn() -> Result<T, CallError>) -> Result<T, Farewell> {
        let mut patience = Patience::telling(self.pauses);
        while !self.cancel.is_raised() {
            match call() {
                Ok(answer) => {
                    patience.worked();
                    return Ok(answer);
                }
                Err(CallError::Deleted) => return Err(Farewell::Deleted),
                Err(CallError::Conflict(why)) => return Err(conflict(why)),
                Err(CallError::Cancelled) => {}
                Err(error) => _ = wait(patience.failed(&error), self.cancel),
            }
        }
        Err(Farewell::Asked)
    }
}

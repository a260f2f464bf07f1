//! How far a run is, said to the server.

use std::sync::Arc;

use crate::agent::channel::Channel;
use crate::agent::leash::Leash;
use crate::model::run::RunState;
use crate::vault::error::Error;
use crate::wire::channel::run::RunReport;

/// Numbers of a run while it goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counted {
    pub files_searched: u64,
    pub bytes_searched: u64,
    /// Stored by a backup, restored by a restore.
    pub files_done: u64,
    pub bytes_done: u64,
    pub errors: u64,
}

/// One run's word to the server.
pub struct Reporter {
    pub channel: Arc<Channel>,
    pub run: i64,
    pub attempt: i64,
    pub leash: Leash,
}

impl Reporter {
    /// Says that the run is in this state, until the server has taken it: later states, and what only they allow, build on it. Where the
    /// server wants nothing of the run any more, its leash is pulled. [`Error::Cancelled`] once the leash is pulled.
    pub fn step(&self, state: RunState, counted: Counted) -> Result<(), Error> {
        let _ = (state, counted);
        todo!("core")
    }

    /// Says the counters, once, and lets go what does not arrive.
    pub fn count(&self, state: RunState, counted: Counted) {
        let _ = (state, counted);
        todo!("core")
    }

    /// A report of this run with these numbers.
    pub fn report(&self, state: RunState, counted: Counted) -> RunReport {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        RunReport {
            attempt: self.attempt,
            state: crate::wire::channel::state_text(state),
            files_searched: number(counted.files_searched),
            bytes_searched: number(counted.bytes_searched),
            files_done: number(counted.files_done),
            bytes_done: number(counted.bytes_done),
            error_count: number(counted.errors),
            ..RunReport::default()
        }
    }
}

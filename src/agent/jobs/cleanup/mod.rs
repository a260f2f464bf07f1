//! A cleanup: exactly the snapshots that the server names are forgotten, and what no snapshot needs is removed, in one generation of the
//! vault after the other.
//!
//! What it promises: nothing is removed from a generation where something that the other snapshots need is missing or unreadable; a
//! snapshot that the server did not name is never forgotten; wherever it is cut, every snapshot has all it needs, and the next try, under
//! the same run, finishes the work.
//!
//! A generation that nothing opens here costs an error, and the others go on. Any other trouble fails the run once the others are done,
//! so that somebody sees it. Where the server has halted the cleanup, because it has hidden half of the vault, nothing is wrong with
//! it: its own leash is pulled as [`Why::Halted`], the run stays live, and goes on when the server lists it as halted no more.

mod generation;
mod named;
mod outcome;
mod tally;
#[cfg(test)]
mod tests;
mod watched;

use std::sync::Arc;
use std::time::Duration;

use super::{Ended, OwnVault, Reporter, Tools};
use crate::agent::leash::{Leash, Why};
use crate::agent::vaults::maker;
use crate::model::run::RunState;
use crate::vault::error::Error;
use crate::vault::lock;
use crate::vault::repository::Repository;
use crate::wire::channel::CLEANUP_IS_HALTED;
use crate::wire::channel::work::{Generation, JobText, Run};
use named::Named;
use outcome::Outcome;
use tally::{Tally, while_told};
use watched::Watched;

/// How long somebody else's lock is waited for: a restore by hand, a check.
const LOCKED_FOR: Duration = Duration::from_mins(5);
/// How often the server hears how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(30);

/// What the work is done with.
struct Cleanup<'a> {
    generations: &'a [Generation],
    /// `gN/snapshots/ID`
    forget: &'a [String],
    open: &'a dyn Fn(&Generation) -> Result<Arc<Repository>, Error>,
    /// Says that something is about to be removed: before that the server allows it nowhere.
    begin: &'a dyn Fn() -> Result<(), Error>,
    lock: lock::Options,
    leash: &'a Leash,
    tally: &'a Tally,
}

/// Does the cleanup `run`; its job is a cleanup.
pub fn clean_up(tools: &Tools, vault: &OwnVault, run: &Run, reporter: &Reporter) -> Ended {
    let forget: &[String] = match &run.job {
        JobText::Cleanup { forget, .. } => forget,
        JobText::Backup { .. } | JobText::Restore { .. } => unreachable!("the job of this run is a cleanup"),
    };
    let (tally, leash) = (Arc::new(Tally::default()), &reporter.leash);
    let watch = |place| -> Box<dyn crate::vault::backend::Backend> { Box::new(Watched { inner: place, tally: Arc::clone(&tally) }) };
    let cleanup = Cleanup {
        generations: &vault.generations,
        forget,
        open: &|generation| tools.vaults.open_own_through(generation, leash, &watch).map(Arc::new),
        begin: &|| reporter.step(RunState::InProgress, tally.counted()),
        lock: lock::Options { retry_for: LOCKED_FOR, ..lock::Options::new(maker()) },
        leash,
        tally: &tally,
    };
    let mut outcome = Outcome::default();
    let tell = || reporter.count(tally.state(), tally.counted());
    let worked = while_told(TOLD_EVERY, tell, || {
        reporter.step(RunState::Preparing, tally.counted())?;
        cleanup.run(&mut outcome)
    });
    outcome.ended(worked, &tally, reporter)
}

impl Cleanup<'_> {
    /// All generations, the lowest first. An error ends the run; what costs less is noted.
    fn run(&self, outcome: &mut Outcome) -> Result<(), Error> {
        let named = Named::of(self.forget, self.generations, outcome);
        let mut generations: Vec<&Generation> = self.generations.iter().collect();
        generations.sort_by_key(|generation| generation.number);
        for generation in generations {
            match self.clean(generation, named.of_generation(generation.number), outcome) {
                Ok(()) => outcome.cleaned(),
                // There was never anything in it.
                Err(Error::NoRepository(_)) if !generation.is_ready => {}
                Err(error) if self.ends_all(&error) => return Err(error),
                Err(error) => outcome.note_generation(generation.number, error),
            }
        }
        Ok(())
    }

    /// Whether the next generation would meet the same.
    fn ends_all(&self, error: &Error) -> bool {
        if is_halt(error) {
            self.leash.pull(Why::Halted);
        }
        self.leash.cancel().is_raised() || matches!(error, Error::Cancelled | Error::Unavailable { .. })
    }
}

/// Whether the server refused because the cleanup has hidden half of the vault.
fn is_halt(error: &Error) -> bool {
    matches!(error, Error::Refused(said) if said.contains(CLEANUP_IS_HALTED))
}

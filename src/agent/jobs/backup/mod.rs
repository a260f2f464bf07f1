//! A backup: the selection becomes a snapshot in the highest generation of the vault.
//!
//! First it is seen whether all is ready (`ready`): a repository, something that opens it. A snapshot that carries the
//! tag of this run is there already where the process ended between snapshot and report; then that one is reported. Else the prescript
//! runs (`scripts`), the selection is compared with the disk, and the engine saves it under a shared lock (`saving`), while a second thread
//! says how far it is (`watch`). The postscript runs whenever the prescript went well, whatever became of the backup: it thaws what the
//! prescript froze. What is reported: `report`.
//!
//! A run that is given up and begun anew goes on under its id: what was stored serves it, and its scripts run once more.

mod ready;
mod report;
mod saving;
mod scripts;
#[cfg(test)]
mod tests;
mod watch;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use self::report::Tally;
use self::scripts::{Failed, Limits};
use super::reasons::{self, sentence};
use super::{Counted, Ended, OwnVault, Reporter, Tools};
use crate::agent::leash::Leash;
use crate::agent::vaults::maker;
use crate::model::run::RunState;
use crate::vault::error::Error;
use crate::vault::lock;
use crate::vault::repository::Repository;
use crate::vault::snapshots::Snapshots;
use crate::wire::channel::run::RunReport;
use crate::wire::channel::work::{Generation, JobText, Path as Item, Run};

/// Does the backup `run`; its job is a backup.
pub fn back_up(tools: &Tools, vault: &OwnVault, run: &Run, reporter: &Reporter) -> Ended {
    let report = |state, counted| reporter.report(state, counted);
    let Some(order) = Order::of(run) else {
        return ended(Tally::default(), Err(Stop::failed("AgentError", "The run is no backup.")), &report);
    };
    let work = Work {
        order,
        vault,
        own: tools.state.folder(),
        allow_scripts: tools.settings.allow_scripts,
        server_is_ahead_seconds: tools.server_is_ahead_seconds,
        leash: &reporter.leash,
        word: Word { step: &|state, counted| reporter.step(state, counted), count: &|state, counted| reporter.count(state, counted) },
        open: &|generation| tools.vaults.open_own(generation, &reporter.leash),
        terms: Terms::default(),
    };
    let mut tally = Tally::default();
    let done = work.run(&mut tally);
    ended(tally, done, &report)
}

/// What is wanted.
struct Order<'a> {
    run: i64,
    configuration: i64,
    prescript: &'a str,
    postscript: &'a str,
    inclusions: &'a [Item],
    exclusions: &'a [Item],
    /// `gN/snapshots/ID`
    parent: Option<&'a str>,
}

impl<'a> Order<'a> {
    fn of(run: &'a Run) -> Option<Self> {
        let JobText::Backup { configuration_id, prescript, postscript, inclusions, exclusions, parent, .. } = &run.job else { return None };
        let (run, configuration, parent) = (run.id, *configuration_id, parent.as_deref());
        Some(Self { run, configuration, prescript: prescript.trim(), postscript: postscript.trim(), inclusions, exclusions, parent })
    }
}

/// How it is said how far the run is.
struct Word<'a> {
    /// Until the server has taken it.
    step: &'a dyn Fn(RunState, Counted) -> Result<(), Error>,
    /// Once, whether it arrives or not.
    count: &'a (dyn Fn(RunState, Counted) + Sync),
}

/// How long its parts take.
struct Terms {
    lock: lock::Options,
    prescript: Limits,
    postscript: Limits,
    /// Between two counts.
    count_every: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        const HOUR: Duration = Duration::from_secs(3600);
        const GRACE: Duration = Duration::from_secs(10);
        const FIVE_MINUTES: Duration = Duration::from_secs(300);
        Self {
            lock: lock::Options { retry_for: FIVE_MINUTES, ..lock::Options::new(maker()) },
            prescript: Limits { in_all: HOUR, once_stopped: Duration::ZERO, grace: GRACE },
            // What is frozen is to be thawed, also where the backup is stopped.
            postscript: Limits { in_all: HOUR, once_stopped: Duration::from_secs(60), grace: GRACE },
            count_every: Duration::from_secs(10),
        }
    }
}

/// One backup, and all that it works with.
struct Work<'a> {
    order: Order<'a>,
    vault: &'a OwnVault,
    /// The agent's folder.
    own: &'a Path,
    allow_scripts: bool,
    server_is_ahead_seconds: i64,
    leash: &'a Leash,
    word: Word<'a>,
    open: &'a dyn Fn(&Generation) -> Result<Repository, Error>,
    terms: Terms,
}

/// Why there is no snapshot.
#[derive(Debug, PartialEq, Eq)]
enum Stop {
    Failed {
        reason: &'static str,
        note: String,
    },
    /// The leash was pulled.
    Cut,
}

impl Stop {
    fn failed(reason: &'static str, note: impl Into<String>) -> Self {
        Self::Failed { reason, note: note.into() }
    }
}

/// The clocks may differ by so much before it is worth a word.
const CLOCKS_DIFFER_SECONDS: u64 = 300;

impl Work<'_> {
    fn run(&self, tally: &mut Tally) -> Result<(), Stop> {
        self.note_clock(tally);
        self.leash.cancel().check().map_err(|error| self.stopped_by(&error))?;
        let generation = ready::generation(self.vault)?;
        let opened = (self.open)(generation);
        let repository =
            Arc::new(opened.map_err(|error| ready::not_opened(generation, &error).unwrap_or_else(|| self.stopped_by(&error)))?);
        let snapshots = Snapshots::load(&repository, self.leash.cancel()).map_err(|error| self.stopped_by(&error))?;
        if let Some(stored) = saving::made_by(self.order.run, &snapshots) {
            // Nothing but that may follow a run that waits.
            (self.word.step)(RunState::Preparing, Counted::default()).map_err(|error| self.stopped_by(&error))?;
            tally.take_stored(stored, generation.number);
            self.postscript(tally);
            return Ok(());
        }
        self.prescript(tally)?;
        let saved = self.save(&repository, generation.number, &snapshots, tally);
        self.postscript(tally);
        saved
    }

    fn prescript(&self, tally: &mut Tally) -> Result<(), Stop> {
        let Order { prescript, postscript, .. } = self.order;
        if !self.allow_scripts {
            if !(prescript.is_empty() && postscript.is_empty()) {
                tally.notes.push("Its scripts were not run: the agent was not started with --allow-scripts.".to_owned());
            }
            return Ok(());
        }
        if prescript.is_empty() {
            return Ok(());
        }
        scripts::run("prescript", prescript, &self.terms.prescript, self.leash.cancel()).map_err(|failed| match failed {
            Failed::Stopped => self.stopped_by(&Error::Cancelled),
            Failed::Itself(how) => Stop::failed("PrescriptFailed", sentence(&format!("the prescript failed: {how}"))),
        })
    }

    /// Its failure is an error of the run, which has its snapshot all the same.
    fn postscript(&self, tally: &mut Tally) {
        if !self.allow_scripts || self.order.postscript.is_empty() {
            return;
        }
        let how = match scripts::run("postscript", self.order.postscript, &self.terms.postscript, self.leash.cancel()) {
            Ok(()) => return,
            Err(Failed::Itself(how)) => how,
            Err(Failed::Stopped) => "the backup was stopped, and it did not end".to_owned(),
        };
        tally.errors.add_own("The postscript failed.", &sentence(&how));
    }

    /// What an error means that ended the work.
    fn stopped_by(&self, error: &Error) -> Stop {
        // What else fails after it was pulled is the end of what it stopped.
        if self.leash.why().is_some() {
            return Stop::Cut;
        }
        let (reason, note) = reasons::reason(error);
        Stop::Failed { reason, note }
    }

    fn note_clock(&self, tally: &mut Tally) {
        let seconds = self.server_is_ahead_seconds;
        if seconds.unsigned_abs() > CLOCKS_DIFFER_SECONDS {
            let side = if seconds > 0 { "behind" } else { "ahead of" };
            tally.notes.push(format!("The clock of this machine is {} seconds {side} the server's.", seconds.unsigned_abs()));
        }
    }
}

/// The end, as the runner is told it.
fn ended(tally: Tally, done: Result<(), Stop>, report: &dyn Fn(RunState, Counted) -> RunReport) -> Ended {
    let state = match &done {
        Ok(()) if tally.errors.count == 0 => RunState::Completed,
        Ok(()) => RunState::CompletedWithErrors,
        Err(Stop::Failed { .. }) => RunState::Failed,
        Err(Stop::Cut) => RunState::InProgress,
    };
    let base = report(state, tally.counted());
    let whole = |failed| tally.fill(base, failed);
    match done {
        Ok(()) => Ended::Done(whole(None)),
        Err(Stop::Failed { reason, note }) => Ended::Done(whole(Some((reason, note)))),
        Err(Stop::Cut) => Ended::Cut(whole(None)),
    }
}

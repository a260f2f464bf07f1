//! What is said of runs by the runner itself: that they are taken, and how they ended.

use std::sync::Arc;
use std::time::Duration;

use super::lanes::{Key, Last, Taken};
use super::patience::{Patience, Pauses, wait};
use super::server::Server;
use crate::agent::channel::CallError;
use crate::agent::jobs::Hears;
use crate::agent::leash::Leash;
use crate::model::run::RunState;
use crate::wire::channel::run::RunReport;
use crate::wire::channel::state_text;
use crate::wire::channel::work::Run;

/// Says `queued` until the server has it, or the leash is pulled.
pub(super) fn say_queued(server: &dyn Server, key: Key, leash: &Leash, pauses: Pauses) -> Taken {
    let report = RunReport { attempt: key.attempt, state: state_text(RunState::Queued), ..RunReport::default() };
    let mut patience = Patience::silent(pauses);
    while !leash.cancel().is_raised() {
        match server.report(key.id, &report) {
            Ok(Some(run)) => return Taken::Yes(Box::new(run)),
            Ok(None) | Err(CallError::Deleted) => return Taken::Unwanted,
            Err(error @ CallError::Refused { .. }) => {
                tracing::warn!(run = key.id, %error, "a run cannot be taken");
                return Taken::Unwanted;
            }
            // A newer process, or the list was older than the run: the next one says which.
            Err(CallError::Conflict(_) | CallError::Cancelled) => return Taken::Cut,
            Err(error) => _ = wait(patience.failed(&error), leash.cancel()),
        }
    }
    Taken::Cut
}

/// Says a final report until the server has it; true where it has, or will never take it. The process's end is waited for no longer than
/// one try.
pub(super) fn say_final(server: &dyn Server, run: i64, mut report: RunReport, leash: &Leash, pauses: Pauses) -> bool {
    let mut patience = Patience::silent(pauses);
    // This process may have started up anew while the report was on its way: the next one goes with its new number.
    let mut overtaken = false;
    loop {
        match server.report(run, &report) {
            Ok(_) | Err(CallError::Deleted) => return true,
            Err(CallError::Refused { .. }) if !report.errors.is_empty() => {
                tracing::warn!(run, errors = report.errors.len(), "a final report is refused: it is said once more without its list");
                report.errors.clear();
            }
            Err(error @ CallError::Refused { .. }) => {
                tracing::error!(run, %error, "a final report is refused: it is dropped");
                return true;
            }
            Err(CallError::Conflict(_)) if !is_newest(server) => return false,
            Err(CallError::Conflict(why)) if overtaken => return is_dropped(run, &why),
            Err(CallError::Conflict(_)) => overtaken = true,
            Err(error) => {
                if !wait(patience.failed(&error), leash.cancel()) {
                    return false;
                }
            }
        }
    }
}

/// Whether it was the report that was refused, and not this process.
fn is_newest(server: &dyn Server) -> bool {
    !matches!(server.work(None, Duration::ZERO), Err(CallError::Conflict(_)))
}

fn is_dropped(run: i64, why: &str) -> bool {
    tracing::error!(run, why, "a final report does not follow what the server knows: it is dropped");
    true
}

/// The server, with a note of the last that was said of a run.
pub(super) struct Noting {
    pub server: Arc<dyn Server>,
    pub last: Last,
}

impl Hears for Noting {
    fn report(&self, run: i64, report: &RunReport) -> Result<Option<Run>, CallError> {
        self.last.note(report);
        self.server.report(run, report)
    }
}

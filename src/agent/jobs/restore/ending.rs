//! The final report of a restore.

use super::chosen::Chosen;
use super::errors::{errors, refusal_of_all};
use super::failed::Failed;
use crate::agent::jobs::{Counted, Ended, Reporter};
use crate::model::run::RunState;
use crate::vault::error::Error;
use crate::vault::restore::Report;
use crate::wire::channel::run::RunReport;

/// What the engine's report means for the run.
pub(super) fn ended(reporter: &Reporter, mut report: Report, chosen: &Chosen, seen: Counted) -> Ended {
    let ended_by = report.ended_by.take();
    // Before the walk is at its end nobody knows what is missing.
    let missing = if ended_by.is_none() { chosen.missing() } else { Vec::new() };
    let (listed, errors) = errors(&report, &missing);
    let counted = Counted {
        files_searched: seen.files_searched + report.skipped,
        bytes_searched: seen.bytes_searched + report.bytes_skipped,
        files_done: report.files + report.others,
        bytes_done: report.bytes_written,
        errors,
    };
    let failed_as = |reason: &str, note: Option<String>| {
        let errors = listed.clone();
        Ended::Done(RunReport { reason: Some(reason.to_owned()), note, errors, ..reporter.report(RunState::Failed, counted) })
    };
    match ended_by.map(of_engine) {
        Some(Failed::Cut) => return Ended::Cut(reporter.report(RunState::InProgress, counted)),
        Some(Failed::For { reason, note }) => return failed_as(reason, Some(note)),
        None => {}
    }
    if let Some(reason) = refusal_of_all(&report) {
        return failed_as(reason, listed.first().map(|error| error.exception.clone()));
    }
    let state = if errors == 0 { RunState::Completed } else { RunState::CompletedWithErrors };
    Ended::Done(RunReport { errors: listed, note: note(report.skipped), ..reporter.report(state, counted) })
}

/// What ends the engine early. The one thing of this machine that it cannot do without is the destination.
fn of_engine(error: Error) -> Failed {
    let is_local = matches!(error, Error::Local { .. });
    match Failed::from(error) {
        Failed::For { reason: "AgentError", note } if is_local => Failed::For { reason: "DestinationNotWritable", note },
        other => other,
    }
}

fn note(skipped: u64) -> Option<String> {
    match skipped {
        0 => None,
        1 => Some("1 entry was there already and was left as it was.".to_owned()),
        many => Some(format!("{many} entries were there already and were left as they were.")),
    }
}

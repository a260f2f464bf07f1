//! What came of a cleanup, and its final report.

use super::tally::Tally;
use crate::agent::jobs::reasons::{reason, told};
use crate::agent::jobs::{Counted, Ended, Reporter};
use crate::model::run::RunState;
use crate::model::run_record::MAX_ERRORS;
use crate::model::size::Size;
use crate::vault::error::Error;
use crate::wire::channel::run::{Error as RunError, RunReport};

/// `ErrorType` of what concerns the storage.
const STORAGE: i64 = 107;

#[derive(Default)]
pub(super) struct Outcome {
    errors: Vec<RunError>,
    /// The first generation's error that fails the run, and what failed.
    failure: Option<(&'static str, String)>,
    /// The same for one that nothing opens; it counts where no generation was cleaned.
    closed: Option<(&'static str, String)>,
    cleaned: u32,
}

impl Outcome {
    /// A snapshot that should be gone and is not, or is unknown.
    pub(super) fn note_snapshot(&mut self, name: &str, why: &str) {
        self.note("A snapshot could not be forgotten.", why, name);
    }

    /// A generation that was.
    pub(super) const fn cleaned(&mut self) {
        self.cleaned += 1;
    }

    /// A generation that could not be cleaned.
    pub(super) fn note_generation(&mut self, number: i64, error: Error) {
        let (word, text) = (reason(&error).0, told(&error));
        // This machine does not have the passphrase, and no cleanup will find it.
        let noted = if matches!(error, Error::WrongPassword) { &mut self.closed } else { &mut self.failure };
        noted.get_or_insert((word, format!("Generation {number} of the vault was not cleaned: {text}")));
        self.note("A generation of the vault was not cleaned.", &text, &format!("g{number}"));
    }

    fn note(&mut self, description: &str, why: &str, path: &str) {
        self.errors.push(RunError {
            kind: STORAGE,
            description: description.to_owned(),
            exception: why.to_owned(),
            path: path.to_owned(),
            ..RunError::default()
        });
    }

    /// How the job ends. A stop that came too late to stop anything is none.
    pub(super) fn ended(mut self, worked: Result<(), Error>, tally: &Tally, reporter: &Reporter) -> Ended {
        match worked {
            Err(_) if reporter.leash.why().is_some() => return Ended::Cut(self.report(tally.state(), tally, reporter)),
            Err(error) => {
                let (word, text) = (reason(&error).0, told(&error));
                self.failure.get_or_insert((word, format!("The vault was not cleaned: {text}")));
            }
            Ok(()) => {}
        }
        let closed = self.closed.take().filter(|_| self.cleaned == 0);
        let failure = self.failure.take().or(closed);
        let state = match (&failure, self.errors.is_empty()) {
            (Some(_), _) => RunState::Failed,
            (None, false) => RunState::CompletedWithErrors,
            (None, true) => RunState::Completed,
        };
        let first = self.errors.first().map(|error| format!("{}: {}", error.path, error.exception));
        let mut report = self.report(state, tally, reporter);
        (report.reason, report.note) = match failure {
            Some((word, text)) => (Some(word.to_owned()), Some(text)),
            None => (None, Some(first.unwrap_or_else(|| said(tally.counted())))),
        };
        Ended::Done(report)
    }

    fn report(self, state: RunState, tally: &Tally, reporter: &Reporter) -> RunReport {
        let counted = Counted { errors: self.errors.len() as u64, ..tally.counted() };
        let mut report = reporter.report(state, counted);
        report.errors = self.errors;
        report.errors.truncate(MAX_ERRORS);
        report
    }
}

/// The API shows no counters of a cleanup, so the sentence has them.
fn said(counted: Counted) -> String {
    format!("Removed {} files of the vault, which freed {}", counted.files_done, Size(counted.bytes_done))
}

//! What a backup has come to, and the report of it.

use crate::agent::jobs::Counted;
use crate::agent::jobs::item_errors::ItemErrors;
use crate::vault::backup::Report;
use crate::vault::id::Id;
use crate::vault::snapshots::Stored;
use crate::wire::channel::run::RunReport;

/// What is known so far.
#[derive(Default)]
pub(super) struct Tally {
    pub errors: ItemErrors,
    /// Sentences for people.
    pub notes: Vec<String>,
    /// Without errors: those are in `errors`.
    pub numbers: Counted,
    /// `gN/snapshots/ID`
    pub snapshot: Option<String>,
}

impl Tally {
    pub fn counted(&self) -> Counted {
        Counted { errors: self.errors.count, ..self.numbers }
    }

    /// What the engine says at its end. What was found is counted already.
    pub fn take(&mut self, report: &Report, generation: i64) {
        report.failures.iter().for_each(|failure| self.errors.add(failure));
        self.errors.add_unlisted(report.failures_left_out);
        self.numbers.files_done = report.count.files_new + report.count.files_changed;
        // New data as it was stored: after deduplication and compression.
        self.numbers.bytes_done = report.bytes_stored;
        self.snapshot = report.snapshot.map(|id| name(generation, id));
    }

    /// What the snapshot of this run says, which an earlier process made and nobody was told of.
    pub fn take_stored(&mut self, stored: &Stored, generation: i64) {
        let number = |name: &str| stored.snapshot.summary.as_ref().and_then(|summary| summary[name].as_u64()).unwrap_or(0);
        self.numbers = Counted {
            files_searched: number("total_files_processed"),
            bytes_searched: number("total_bytes_processed"),
            files_done: number("files_new") + number("files_changed"),
            bytes_done: number("data_added_packed"),
            errors: 0,
        };
        self.snapshot = Some(name(generation, stored.id));
        self.notes.push("The agent was restarted after its snapshot was made; files that could not be saved are not listed.".to_owned());
    }

    /// The report, and in it why there is no snapshot.
    pub fn fill(self, report: RunReport, failed: Option<(&'static str, String)>) -> RunReport {
        let (reason, note) = failed.unzip();
        let notes: Vec<String> = note.into_iter().chain(self.notes).collect();
        RunReport {
            reason: reason.map(str::to_owned),
            note: (!notes.is_empty()).then(|| notes.join(" ")),
            errors: self.errors.listed,
            snapshot: self.snapshot,
            ..report
        }
    }
}

fn name(generation: i64, snapshot: Id) -> String {
    format!("g{generation}/snapshots/{}", snapshot.hex())
}

//! What a restore did and could not do, told at its end, and how far it is, told while it runs.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

use crate::vault::error::Error;
use crate::vault::failure::Failure;

/// What a restore did.
#[derive(Debug)]
pub struct Report {
    /// Regular files that have their bytes and their name, further names of one left out.
    pub files: u64,
    pub folders: u64,
    /// Symlinks, devices, FIFOs, and further names of files.
    pub others: u64,
    /// Bytes of files that were written, holes among them.
    pub bytes_written: u64,
    /// Entries that were left as they were, because what is there is right already or is not to be replaced.
    pub skipped: u64,
    /// Bytes of files that did not have to be fetched, because they were there.
    pub bytes_skipped: u64,
    /// Files that were read again and compared.
    pub verified: u64,
    /// What was not, or not wholly, restored; at most [`Report::MOST_FAILURES`], in the order of their paths.
    pub failures: Vec<Failure>,
    /// How many more there were.
    pub failures_left_out: u64,
    /// Why it ended early; nothing that it began is left half done then.
    pub ended_by: Option<Error>,
    pub start: Timestamp,
    pub end: Timestamp,
}

impl Report {
    /// How many failures are kept.
    pub const MOST_FAILURES: usize = 100_000;

    /// Whether everything that was asked for is there.
    pub fn is_complete(&self) -> bool {
        self.ended_by.is_none() && self.failures.is_empty()
    }
}

/// What a report is made of, while it is counted.
#[derive(Default)]
pub(super) struct Tally {
    pub files: Count,
    pub folders: Count,
    pub others: Count,
    pub bytes_written: Count,
    pub skipped: Count,
    pub bytes_skipped: Count,
    pub verified: Count,
    failures: Mutex<(Vec<Failure>, u64)>,
}

/// A number that many threads add to.
#[derive(Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Tally {
    pub(super) fn fail(&self, failure: Failure) {
        let mut failures = self.failures.lock().expect("nobody panics while holding it");
        if failures.0.len() < Report::MOST_FAILURES { failures.0.push(failure) } else { failures.1 += 1 }
    }

    pub(super) fn report(self, start: Timestamp, ended_by: Option<Error>) -> Report {
        let (mut failures, failures_left_out) = self.failures.into_inner().expect("nobody panics while holding it");
        failures.sort_by(|one, other| one.path.cmp(&other.path));
        Report {
            files: self.files.get(),
            folders: self.folders.get(),
            others: self.others.get(),
            bytes_written: self.bytes_written.get(),
            skipped: self.skipped.get(),
            bytes_skipped: self.bytes_skipped.get(),
            verified: self.verified.get(),
            failures,
            failures_left_out,
            ended_by,
            start,
            end: Timestamp::now(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_beyond_the_limit_are_counted() {
        let tally = Tally::default();
        for number in 0..Report::MOST_FAILURES + 3 {
            tally.fail(Failure::of(format!("/{number}"), "read", "damaged"));
        }
        let report = tally.report(Timestamp::UNIX_EPOCH, None);
        assert_eq!((report.failures.len(), report.failures_left_out), (Report::MOST_FAILURES, 3));
        assert!(!report.is_complete());
    }
}

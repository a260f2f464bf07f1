//! A report that several threads write.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::report::{Problem, Report, What};

/// More are only counted.
const MOST_PROBLEMS: usize = 10_000;

#[derive(Default)]
pub(super) struct Findings {
    report: Mutex<Report>,
    pub(super) trees: AtomicU64,
    pub(super) packs_read: AtomicU64,
    pub(super) bytes_read: AtomicU64,
}

impl Findings {
    pub(super) fn problem(&self, what: What, why: impl ToString) {
        self.note(|report| {
            if report.problems.len() < MOST_PROBLEMS {
                report.problems.push(Problem { what, why: why.to_string() });
            } else {
                report.more_problems += 1;
            }
        });
    }

    pub(super) fn note<T>(&self, write: impl FnOnce(&mut Report) -> T) -> T {
        write(&mut self.report.lock().expect("nothing panics while it holds the report"))
    }

    pub(super) fn count(counter: &AtomicU64, by: u64) {
        counter.fetch_add(by, Ordering::Relaxed);
    }

    /// Problems are sorted: the same damage gives the same report.
    pub(super) fn into_report(self) -> Report {
        let mut report = self.report.into_inner().expect("nothing panics while it holds the report");
        report.problems.sort();
        report.trees = self.trees.into_inner();
        report.packs_read = self.packs_read.into_inner();
        report.bytes_read = self.bytes_read.into_inner();
        report
    }
}

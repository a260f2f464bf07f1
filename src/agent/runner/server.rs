//! What the loop needs of the server, and of the state folder.

use std::time::Duration;

use crate::agent::channel::{CallError, Channel, Wanted};
use crate::agent::jobs::Hears;
use crate::agent::state::State;
use crate::wire::channel::run::RunReport;
use crate::wire::channel::startup::{Started, Startup};

/// The server, or what stands for it in a test.
pub(super) trait Server: Hears {
    fn start_up(&self, startup: &Startup) -> Result<Started, CallError>;
    fn work(&self, known: Option<&str>, wait: Duration) -> Result<Option<Wanted>, CallError>;
}

impl Server for Channel {
    fn start_up(&self, startup: &Startup) -> Result<Started, CallError> {
        self.start_up(startup)
    }

    fn work(&self, known: Option<&str>, wait: Duration) -> Result<Option<Wanted>, CallError> {
        self.work(known, wait)
    }
}

/// What must outlive the process: the journal, or what stands for it in a test.
pub(super) trait Memory: Send + Sync {
    fn saw_run(&self, id: i64);
    fn keep_ciphertext(&self, run: i64, attempt: i64, hex: &str);
    fn keep_report(&self, run: i64, report: &RunReport);
    fn forget_run(&self, run: i64, attempt: i64);
}

impl Memory for State {
    fn saw_run(&self, id: i64) {
        self.journal().saw_run(id);
    }

    fn keep_ciphertext(&self, run: i64, attempt: i64, hex: &str) {
        self.journal().keep_ciphertext(run, attempt, hex);
    }

    fn keep_report(&self, run: i64, report: &RunReport) {
        self.journal().keep_report(run, report);
    }

    fn forget_run(&self, run: i64, attempt: i64) {
        self.journal().forget_run(run, attempt);
    }
}

//! How far the engine is, told to the server.

use std::sync::{Arc, Mutex};

use crate::agent::jobs::{Counted, Reporter, Watch};
use crate::model::run::RunState;
use crate::vault::progress::{Counters, Progress, Seen};

/// Says that the restore is in progress when the first bytes are about to be written, and its counters from then on.
pub(super) struct Told<'a> {
    reporter: &'a Reporter,
    counters: Arc<Counters>,
    watch: Mutex<Option<Watch>>,
}

impl<'a> Told<'a> {
    pub(super) fn new(reporter: &'a Reporter) -> Self {
        Self { reporter, counters: Arc::default(), watch: Mutex::default() }
    }

    /// Nothing more is said. What was counted.
    pub(super) fn end(self) -> Counted {
        counted(self.counters.seen())
    }
}

impl Progress for Told<'_> {
    fn found(&self, files: u64, bytes: u64) {
        self.counters.found(files, bytes);
        // Once the leash is pulled the engine ends by itself.
        if self.reporter.step(RunState::InProgress, counted(self.counters.seen())).is_ok() {
            let counters = Arc::clone(&self.counters);
            let watch = self.reporter.watch(RunState::InProgress, move || counted(counters.seen()));
            *self.watch.lock().expect("nothing panics while it holds the watch") = Some(watch);
        }
    }

    fn did(&self, files: u64, bytes: u64) {
        self.counters.did(files, bytes);
    }

    fn failed(&self) {
        self.counters.failed();
    }
}

const fn counted(seen: Seen) -> Counted {
    Counted {
        files_searched: seen.files_total,
        bytes_searched: seen.bytes_total,
        files_done: seen.files_done,
        bytes_done: seen.bytes_done,
        errors: seen.failures,
    }
}

//! How far a cleanup is, and saying so while it goes on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use crate::agent::jobs::{Counted, Reporter};
use crate::model::run::RunState;

/// Counts; each number only grows. Reading moves them, too: a cleanup that reads for hours before it removes anything is no idle one.
#[derive(Default)]
pub(super) struct Tally {
    packs_looked_at: AtomicU64,
    bytes_moved: AtomicU64,
    files_removed: AtomicU64,
    bytes_freed: AtomicU64,
}

impl Tally {
    pub(super) fn looked_at(&self, packs: u64) {
        self.packs_looked_at.fetch_add(packs, Ordering::Relaxed);
    }

    /// Read from the vault or stored in it.
    pub(super) fn moved(&self, bytes: u64) {
        self.bytes_moved.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A snapshot, pack or index file.
    pub(super) fn removed(&self) {
        self.files_removed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn freed(&self, bytes: u64) {
        self.bytes_freed.fetch_add(bytes, Ordering::Relaxed);
    }

    /// In the words that all runs share: searched are the packs there are and the bytes that were read and written, done are the files
    /// that were removed and the bytes that this freed.
    pub(super) fn counted(&self) -> Counted {
        Counted {
            files_searched: self.packs_looked_at.load(Ordering::Relaxed),
            bytes_searched: self.bytes_moved.load(Ordering::Relaxed),
            files_done: self.files_removed.load(Ordering::Relaxed),
            bytes_done: self.bytes_freed.load(Ordering::Relaxed),
            errors: 0,
        }
    }
}

/// Does the work, and says the counters meanwhile.
pub(super) fn while_told<T>(reporter: &Reporter, tally: &Tally, every: Duration, work: impl FnOnce() -> T) -> T {
    let (end, ended) = channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while ended.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                reporter.count(RunState::InProgress, tally.counted());
            }
        });
        let done = work();
        drop(end);
        done
    })
}

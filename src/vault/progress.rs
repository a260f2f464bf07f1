//! How far a run is: its threads tell it, and whoever watches counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// Told while the engine works, by many threads; all calls add up. For a check and a prune, what is counted as files are packs and trees.
pub trait Progress: Sync {
    /// More is to be done. A backup says so as it finds it, all others before they begin.
    fn found(&self, _files: u64, _bytes: u64) {}

    /// More of it is done, or turned out not to be needed.
    fn did(&self, _files: u64, _bytes: u64) {}

    /// An entry could not be worked through.
    fn failed(&self) {}
}

/// Nobody listens.
impl Progress for () {}

/// Counts. Each number only grows.
#[derive(Default)]
pub struct Counters {
    files_total: AtomicU64,
    bytes_total: AtomicU64,
    files_done: AtomicU64,
    bytes_done: AtomicU64,
    failures: AtomicU64,
}

/// What the counters say at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Seen {
    /// Found so far, and their bytes.
    pub files_total: u64,
    pub bytes_total: u64,
    /// Of those, worked through.
    pub files_done: u64,
    pub bytes_done: u64,
    /// Entries that could not be worked through.
    pub failures: u64,
}

impl Progress for Counters {
    fn found(&self, files: u64, bytes: u64) {
        self.files_total.fetch_add(files, Ordering::Relaxed);
        self.bytes_total.fetch_add(bytes, Ordering::Relaxed);
    }

    fn did(&self, files: u64, bytes: u64) {
        self.files_done.fetch_add(files, Ordering::Relaxed);
        self.bytes_done.fetch_add(bytes, Ordering::Relaxed);
    }

    fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }
}

impl Counters {
    pub fn seen(&self) -> Seen {
        Seen {
            files_total: self.files_total.load(Ordering::Relaxed),
            bytes_total: self.bytes_total.load(Ordering::Relaxed),
            files_done: self.files_done.load(Ordering::Relaxed),
            bytes_done: self.bytes_done.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
        }
    }
}

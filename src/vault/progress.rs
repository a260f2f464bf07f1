//! How far a run is: numbers that its threads raise and whoever watches reads.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one run. Each only grows.
#[derive(Default)]
pub struct Progress {
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

impl Progress {
    pub fn found(&self, files: u64, bytes: u64) {
        self.files_total.fetch_add(files, Ordering::Relaxed);
        self.bytes_total.fetch_add(bytes, Ordering::Relaxed);
    }

    pub fn did(&self, files: u64, bytes: u64) {
        self.files_done.fetch_add(files, Ordering::Relaxed);
        self.bytes_done.fetch_add(bytes, Ordering::Relaxed);
    }

    pub fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

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

//! What must not be forgotten of runs: the highest id that was ever seen, the secrets of restores that were taken, final reports that
//! nobody has acknowledged, and locks that are ours in a vault.

use crate::vault::id::Id;
use crate::wire::channel::run::RunReport;

/// `journal.json`. Every change is on stable storage when its call returns.
pub struct Journal;

impl Journal {
    /// The highest run id that was ever seen; 0 for none.
    pub fn highest_run(&self) -> i64 {
        todo!("core")
    }

    pub fn saw_run(&self, _id: i64) {
        todo!("core")
    }

    /// The passphrase that came with a restore, still encrypted for our key: the server forgets it once the run is taken.
    pub fn keep_ciphertext(&self, _run: i64, _attempt: i64, _hex: &str) {
        todo!("core")
    }

    pub fn ciphertext(&self, _run: i64, _attempt: i64) -> Option<String> {
        todo!("core")
    }

    /// A final report, to be repeated until it is acknowledged.
    pub fn keep_report(&self, _run: i64, _report: &RunReport) {
        todo!("core")
    }

    /// Those that nobody has acknowledged.
    pub fn reports(&self) -> Vec<(i64, RunReport)> {
        todo!("core")
    }

    /// Forgets what is kept of a run, but not that it was seen.
    pub fn forget_run(&self, _run: i64, _attempt: i64) {
        todo!("core")
    }

    /// A lock that is about to be stored in a generation of the vault.
    pub fn keep_lock(&self, _generation: i64, _lock: Id) {
        todo!("core")
    }

    pub fn forget_lock(&self, _generation: i64, _lock: Id) {
        todo!("core")
    }

    /// Locks that are, or may be, in the vault.
    pub fn locks(&self) -> Vec<(i64, Id)> {
        todo!("core")
    }
}

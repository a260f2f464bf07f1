//! How far a cleanup is, and saying so while it goes on.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use crate::agent::jobs::Counted;
use crate::model::run::RunState;

/// Counts; each number only grows. Reading moves them, too: a cleanup that reads for hours before it removes anything is no idle one.
#[derive(Default)]
pub(super) struct Tally {
    packs_looked_at: AtomicU64,
    bytes_moved: AtomicU64,
    files_removed: AtomicU64,
    bytes_freed: AtomicU64,
    has_begun: AtomicBool,
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

    /// The server knows that something is removed from now on.
    pub(super) fn begun(&self) {
        self.has_begun.store(true, Ordering::Relaxed);
    }

    /// The state that counters are said with: said with a later one they would move the run.
    pub(super) fn state(&self) -> RunState {
        if self.has_begun.load(Ordering::Relaxed) { RunState::InProgress } else { RunState::Preparing }
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

/// Does the work, and tells of it again and again meanwhile.
pub(super) fn while_told<T>(every: Duration, tell: impl Fn() + Send, work: impl FnOnce() -> T) -> T {
    let (end, ended) = channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while ended.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                tell();
            }
        });
        // Dropped when the work is done, and when it panics.
        let _end = end;
        work()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_as_long_as_the_work_lasts_and_no_longer() {
        let (tally, (told, hear)) = (Tally::default(), channel());
        let heard = while_told(
            Duration::from_millis(1),
            || told.send(tally.counted().bytes_searched).unwrap(),
            || {
                tally.moved(7);
                // Whatever was told before that, this comes.
                hear.iter().take_while(|bytes| *bytes < 7).count();
                tally.moved(7);
                hear.iter().find(|bytes| *bytes == 14)
            },
        );
        assert_eq!(heard, Some(14));
        // Whoever told has gone, so nothing but what was told meanwhile is there.
        drop(told);
        assert!(hear.iter().all(|bytes| bytes == 14));
    }
}

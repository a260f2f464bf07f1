//! How far a backup is, said by a thread of its own: the engine's threads never wait for the server.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use super::Word;
use crate::agent::jobs::Counted;
use crate::model::run::RunState;
use crate::vault::progress::{Counters, Progress};

/// Counts, and knows when the first data was worked on.
#[derive(Default)]
pub(super) struct Watched {
    counters: Counters,
    /// Errors that were known before.
    errors_before: u64,
    has_begun: AtomicBool,
    stage: Mutex<Stage>,
    changed: Condvar,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    /// Nothing but names and metadata were looked at.
    #[default]
    Searching,
    Working,
    Over,
}

const NO_PANIC: &str = "nothing panics while it holds the stage";

impl Progress for Watched {
    fn found(&self, files: u64, bytes: u64) {
        self.counters.found(files, bytes);
    }

    fn did(&self, files: u64, bytes: u64) {
        self.counters.did(files, bytes);
        if bytes > 0 && !self.has_begun.swap(true, Ordering::Relaxed) {
            self.enter(Stage::Working);
        }
    }

    fn failed(&self) {
        self.counters.failed();
    }
}

impl Watched {
    pub fn new(errors_before: u64) -> Self {
        Self { errors_before, ..Self::default() }
    }

    /// While it goes on, files and bytes that are done are those that were worked through: what of them is new is known at the end.
    pub fn counted(&self) -> Counted {
        let seen = self.counters.seen();
        Counted {
            files_searched: seen.files_total,
            bytes_searched: seen.bytes_total,
            files_done: seen.files_done,
            bytes_done: seen.bytes_done,
            errors: self.errors_before + seen.failures,
        }
    }

    /// Does the work, and says meanwhile how far it is: when its stage changes, and from time to time.
    pub fn during<T>(&self, word: &Word<'_>, every: Duration, work: impl FnOnce() -> T) -> T {
        let count = word.count;
        std::thread::scope(|scope| {
            scope.spawn(|| self.tell(count, every));
            let _end = EndOnDrop(self);
            work()
        })
    }

    /// Whatever does not arrive is said again a little later, so nothing here waits until the server is back.
    fn tell(&self, count: &(dyn Fn(RunState, Counted) + Sync), every: Duration) {
        let mut told = Stage::Searching;
        loop {
            let stage = self.stage.lock().expect(NO_PANIC);
            let (stage, _) = self.changed.wait_timeout_while(stage, every, |stage| *stage == told).expect(NO_PANIC);
            told = *stage;
            drop(stage);
            match told {
                Stage::Searching => count(RunState::Preparing, self.counted()),
                Stage::Working => count(RunState::InProgress, self.counted()),
                Stage::Over => return,
            }
        }
    }

    /// No stage follows the last one.
    fn enter(&self, next: Stage) {
        let mut stage = self.stage.lock().expect(NO_PANIC);
        if *stage != Stage::Over {
            *stage = next;
        }
        self.changed.notify_all();
    }
}

/// Ends the telling, also where the work panics.
struct EndOnDrop<'a>(&'a Watched);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.enter(Stage::Over);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    const NEVER: Duration = Duration::from_secs(3600);

    #[test]
    fn the_first_bytes_begin_the_work_and_the_numbers_are_those_of_the_moment() {
        let (said, heard) = sync_channel(9);
        let word = Word { step: &|_, _| Ok(()), count: &move |state, counted| said.send((state, counted)).unwrap() };
        let watched = Watched::new(2);
        let seen = watched.during(&word, NEVER, || {
            watched.found(3, 30);
            watched.failed();
            watched.did(1, 0);
            watched.did(0, 10);
            let seen = heard.recv().unwrap();
            watched.did(1, 20);
            seen
        });
        let counted = Counted { files_searched: 3, bytes_searched: 30, files_done: 1, bytes_done: 10, errors: 3 };
        assert_eq!(seen, (RunState::InProgress, counted));
        assert!(heard.try_recv().is_err(), "it is said once, and nothing after the end");
        assert_eq!(watched.counted().bytes_done, 30);
    }

    #[test]
    fn it_is_said_again_from_time_to_time_in_the_state_of_the_time() {
        let (said, heard) = sync_channel(0);
        // Whoever hears it has gone where the send fails.
        let word = Word {
            step: &|_, _| Ok(()),
            count: &move |state, _| {
                let _ = said.send(state);
            },
        };
        let watched = Watched::default();
        watched.during(&word, Duration::from_millis(1), || {
            let heard = heard;
            assert_eq!([heard.recv().unwrap(), heard.recv().unwrap()], [RunState::Preparing; 2]);
            watched.did(1, 1);
            while heard.recv().unwrap() != RunState::InProgress {}
            assert_eq!(heard.recv().unwrap(), RunState::InProgress);
        });
    }
}

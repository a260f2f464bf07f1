//! How far a run is, said to the server. A step is repeated until the server has taken it; counters are said now and then, once each.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use crate::agent::channel::{CallError, Channel};
use crate::agent::leash::{Leash, Why};
use crate::agent::runner::patience::{Patience, Pauses, wait};
use crate::model::run::RunState;
use crate::vault::error::Error;
use crate::wire::channel::run::RunReport;
use crate::wire::channel::work::Run;

/// How often counters are said while they change.
const COUNT_EVERY: Duration = Duration::from_secs(5);

/// Numbers of a run while it goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counted {
    pub files_searched: u64,
    pub bytes_searched: u64,
    /// Stored by a backup, restored by a restore.
    pub files_done: u64,
    pub bytes_done: u64,
    pub errors: u64,
}

/// Who is told how far a run is: the server, or what stands for it.
pub trait Hears: Send + Sync {
    /// As [`Channel::report`].
    fn report(&self, run: i64, report: &RunReport) -> Result<Option<Run>, CallError>;
}

impl Hears for Channel {
    fn report(&self, run: i64, report: &RunReport) -> Result<Option<Run>, CallError> {
        self.report(run, report)
    }
}

/// One run's word to the server. Clones are the same.
#[derive(Clone)]
pub struct Reporter {
    pub channel: Arc<dyn Hears>,
    pub run: i64,
    pub attempt: i64,
    pub leash: Leash,
}

/// Counters are said for as long as it lives.
pub struct Watch {
    /// Its end is the sign for the thread to end.
    _end: Sender<()>,
}

impl Reporter {
    /// Says that the run is in this state, until the server has taken it: later states, and what only they allow, build on it. Where the
    /// server wants nothing of the run any more, its leash is pulled. [`Error::Cancelled`] once the leash is pulled.
    pub fn step(&self, state: RunState, counted: Counted) -> Result<(), Error> {
        let mut patience = Patience::silent(Pauses::default());
        // This process may have started up anew while the report was on its way: the next one goes with its new number.
        let mut overtaken = false;
        loop {
            self.leash.cancel().check()?;
            match self.channel.report(self.run, &self.report(state, counted)) {
                Ok(wanted) => {
                    self.heed(wanted);
                    return self.leash.cancel().check();
                }
                Err(error @ CallError::Conflict(_)) if !overtaken => {
                    overtaken = true;
                    _ = wait(patience.failed(&error), self.leash.cancel());
                }
                Err(error) => match self.judge(&error) {
                    Some(why) => self.leash.pull(why),
                    None => _ = wait(patience.failed(&error), self.leash.cancel()),
                },
            }
        }
    }

    /// Says the counters, once, and lets go what does not arrive.
    pub fn count(&self, state: RunState, counted: Counted) {
        match self.channel.report(self.run, &self.report(state, counted)) {
            Ok(wanted) => self.heed(wanted),
            Err(error) => tracing::debug!(run = self.run, %error, "the counters of a run did not arrive"),
        }
    }

    /// Says the counters every 5 seconds while they change, on a thread of its own, until the answer is dropped.
    pub fn watch(&self, state: RunState, counted: impl Fn() -> Counted + Send + 'static) -> Watch {
        self.watch_every(COUNT_EVERY, state, counted)
    }

    fn watch_every(&self, period: Duration, state: RunState, counted: impl Fn() -> Counted + Send + 'static) -> Watch {
        let (end, ended) = channel::<()>();
        let reporter = self.clone();
        let mut said = Counted::default();
        let ticks = move || {
            while ended.recv_timeout(period) == Err(RecvTimeoutError::Timeout) && !reporter.leash.cancel().is_raised() {
                let now = counted();
                if now != said {
                    reporter.count(state, now);
                    said = now;
                }
            }
        };
        if let Err(error) = std::thread::Builder::new().name("counters".to_owned()).spawn(ticks) {
            tracing::warn!(run = self.run, %error, "no thread can be started: the counters of a run stand still");
        }
        Watch { _end: end }
    }

    /// A report of this run with these numbers.
    pub fn report(&self, state: RunState, counted: Counted) -> RunReport {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        RunReport {
            attempt: self.attempt,
            state: crate::wire::channel::state_text(state),
            files_searched: number(counted.files_searched),
            bytes_searched: number(counted.bytes_searched),
            files_done: number(counted.files_done),
            bytes_done: number(counted.bytes_done),
            error_count: number(counted.errors),
            ..RunReport::default()
        }
    }

    fn heed(&self, wanted: Option<Run>) {
        match wanted {
            None => self.leash.pull(Why::Unwanted),
            Some(run) if run.stop => self.leash.pull(Why::Stopped),
            Some(_) => {}
        }
    }

    /// What an error says of the run: nothing, where it passes.
    fn judge(&self, error: &CallError) -> Option<Why> {
        match error {
            CallError::Unavailable { .. } | CallError::Unknown(_) | CallError::Distrusted(_) => None,
            CallError::Deleted => Some(Why::Unwanted),
            CallError::Refused { .. } => {
                tracing::warn!(run = self.run, %error, "the server knows nothing of a run any more: it is let go");
                Some(Why::Unwanted)
            }
            // A newer process has it; or the catalog is an older one and wants the run from its start.
            CallError::Conflict(_) | CallError::Cancelled => Some(Why::Ending),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use super::*;
    use crate::wire::channel::work::JobText;

    /// Gives these answers, one after the other, and tells what it heard.
    struct Script {
        answers: Mutex<VecDeque<Result<Option<Run>, CallError>>>,
        heard: Mutex<Sender<RunReport>>,
    }

    impl Hears for Script {
        fn report(&self, run: i64, report: &RunReport) -> Result<Option<Run>, CallError> {
            assert_eq!(run, 7);
            let _ = self.heard.lock().expect("nothing panics").send(report.clone());
            self.answers.lock().expect("nothing panics").pop_front().unwrap_or_else(|| Ok(wanted(false)))
        }
    }

    fn wanted(stop: bool) -> Option<Run> {
        Some(Run { id: 7, attempt: 1, state: String::new(), stop, job: JobText::Cleanup { forget: Vec::new(), is_halted: false } })
    }

    fn reporter(answers: impl IntoIterator<Item = Result<Option<Run>, CallError>>) -> (Reporter, std::sync::mpsc::Receiver<RunReport>) {
        let (sender, heard) = channel();
        let script = Script { answers: Mutex::new(answers.into_iter().collect()), heard: Mutex::new(sender) };
        (Reporter { channel: Arc::new(script), run: 7, attempt: 1, leash: Leash::default() }, heard)
    }

    fn step(answers: impl IntoIterator<Item = Result<Option<Run>, CallError>>) -> (Result<(), Error>, Option<Why>, usize) {
        let (reporter, heard) = reporter(answers);
        let outcome = reporter.step(RunState::Preparing, Counted::default());
        (outcome, reporter.leash.why(), heard.try_iter().count())
    }

    #[test]
    fn a_step_is_said_until_the_server_has_it() {
        let outage = CallError::Unavailable { source: "no answer".into(), after: None };
        let (outcome, why, said) = step([Err(outage), Ok(wanted(false))]);
        assert!(outcome.is_ok());
        assert_eq!((why, said), (None, 2));
    }

    #[test]
    fn a_run_of_which_nothing_is_wanted_any_more_is_let_go() {
        let refused = CallError::Refused { status: http::StatusCode::NOT_FOUND, said: String::new() };
        for (answer, expected) in [
            (Ok(None), Why::Unwanted),
            (Err(CallError::Deleted), Why::Unwanted),
            (Err(refused), Why::Unwanted),
            (Ok(wanted(true)), Why::Stopped),
        ] {
            let (outcome, why, said) = step([answer]);
            assert!(matches!(outcome, Err(Error::Cancelled)), "{expected:?}");
            assert_eq!((why, said), (Some(expected), 1));
        }
    }

    #[test]
    fn a_conflict_is_asked_about_once_more() {
        let conflict = || Err(CallError::Conflict(String::new()));
        let (outcome, why, said) = step([conflict(), Ok(wanted(false))]);
        assert!(outcome.is_ok(), "this process has started up anew meanwhile");
        assert_eq!((why, said), (None, 2));
        let (outcome, why, said) = step([conflict(), conflict()]);
        assert!(matches!(outcome, Err(Error::Cancelled)));
        assert_eq!((why, said), (Some(Why::Ending), 2));
    }

    #[test]
    fn nothing_is_said_of_a_run_that_was_stopped_before() {
        let (reporter, heard) = reporter([]);
        reporter.leash.pull(Why::Halted);
        assert!(matches!(reporter.step(RunState::Preparing, Counted::default()), Err(Error::Cancelled)));
        assert_eq!(heard.try_iter().count(), 0);
    }

    #[test]
    fn counters_are_said_while_they_change_and_no_longer_than_somebody_watches() {
        let (reporter, heard) = reporter([]);
        let calls = std::sync::atomic::AtomicU64::new(0);
        // 0, 1, 2, 2, 2, …
        let counted = move || {
            let files_searched = calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed).min(2);
            Counted { files_searched, ..Counted::default() }
        };
        let watch = reporter.watch_every(Duration::from_millis(1), RunState::InProgress, counted);
        let said: Vec<i64> = heard.iter().take(2).map(|report| report.files_searched).collect();
        assert_eq!(said, [1, 2]);
        drop(watch);
        drop(reporter);
        assert!(heard.iter().next().is_none(), "the thread has ended, and with it the last one that could say something");
    }

    #[test]
    fn counters_that_find_the_run_gone_pull_its_leash() {
        let (reporter, _heard) = reporter([Ok(None)]);
        reporter.count(RunState::InProgress, Counted::default());
        assert_eq!(reporter.leash.why(), Some(Why::Unwanted));
    }
}

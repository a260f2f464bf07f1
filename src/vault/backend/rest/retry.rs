//! Doing a request again until it is done, refused, cancelled, or has taken too long.

use std::time::{Duration, Instant};

use crate::vault::backend::options::Retries;
use crate::vault::cancel::Cancel;
use crate::vault::error::Error;
use crate::vault::jitter::random;

/// How one try failed.
#[derive(Debug)]
pub enum Failed {
    /// It would fail again.
    Finally(Error),
    /// It may go better later: in `after`, where the server said so.
    ForNow { error: Error, after: Option<Duration> },
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Finally(error)
    }
}

/// The outcome of the last try; [`Error::Cancelled`] soon after the flag was raised.
pub fn repeat<T>(retries: &Retries, cancel: &Cancel, mut attempt: impl FnMut() -> Result<T, Failed>) -> Result<T, Error> {
    let began = Instant::now();
    let mut tries = 0;
    loop {
        cancel.check()?;
        let (error, after) = match attempt() {
            Ok(done) => return Ok(done),
            Err(Failed::Finally(error)) => return Err(error),
            Err(Failed::ForNow { error, after }) => (error, after),
        };
        let pause = pause(retries, tries, after, random());
        if began.elapsed() + pause > retries.in_all {
            return Err(error);
        }
        tracing::debug!(%error, cause = std::error::Error::source(&error).map(tracing::field::display), ?pause, "a request is repeated");
        wait(pause, cancel)?;
        tries += 1;
    }
}

/// `random` is in 0 to 1.
fn pause(retries: &Retries, tries: u32, after: Option<Duration>, random: f64) -> Duration {
    let doubled = retries.first_wait.saturating_mul(2_u32.saturating_pow(tries)).min(retries.longest_wait);
    let own = doubled.mul_f64(0.5 + random);
    after.map_or(own, |after| own.max(after.min(retries.longest_asked)))
}

fn wait(pause: Duration, cancel: &Cancel) -> Result<(), Error> {
    const LOOK: Duration = Duration::from_millis(100);
    let until = Instant::now() + pause;
    loop {
        cancel.check()?;
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(LOOK));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn pauses_double_and_are_spread_around_that() {
        let retries = Retries::default();
        for (tries, expected_ms) in [(0, 500), (1, 1_000), (2, 2_000), (6, 32_000), (7, 60_000), (1_000, 60_000)] {
            let expected = Duration::from_millis(expected_ms);
            assert_eq!(pause(&retries, tries, None, 0.5), expected);
            assert_eq!(pause(&retries, tries, None, 0.0), expected / 2);
            assert_eq!(pause(&retries, tries, None, 1.0), expected * 3 / 2);
        }
    }

    #[test]
    fn what_the_server_asks_for_is_the_least_up_to_a_bound() {
        let retries = Retries::default();
        assert_eq!(pause(&retries, 0, Some(7 * SECOND), 0.5), 7 * SECOND);
        assert_eq!(pause(&retries, 5, Some(7 * SECOND), 0.5), 16 * SECOND);
        assert_eq!(pause(&retries, 0, Some(1_000_000 * SECOND), 0.5), 300 * SECOND);
    }

    #[test]
    fn a_pause_that_would_end_after_a_quarter_of_an_hour_is_not_begun() {
        let retries = Retries { longest_asked: 3_600 * SECOND, ..Retries::default() };
        let failing = |pause: u32| {
            let cancel = Cancel::default();
            let outcome: Result<(), Error> = repeat(&retries, &cancel, || {
                // Seen by whoever pauses, before it has waited.
                cancel.raise();
                Err(Failed::ForNow { error: Error::Full("this try".to_owned()), after: Some(pause * SECOND) })
            });
            outcome.unwrap_err()
        };
        assert!(matches!(failing(14 * 60), Error::Cancelled));
        assert!(matches!(failing(15 * 60), Error::Full(_)));
    }

    #[test]
    fn a_raised_flag_ends_a_long_pause_and_nothing_is_tried_after_it() {
        let (cancel, mut tries) = (Cancel::default(), 0);
        let outcome: Result<(), Error> = std::thread::scope(|scope| {
            repeat(&Retries::default(), &cancel, || {
                tries += 1;
                scope.spawn(|| cancel.raise());
                Err(Failed::ForNow { error: Error::Full(String::new()), after: Some(200 * SECOND) })
            })
        });
        assert!(matches!(outcome, Err(Error::Cancelled)), "{outcome:?}");
        assert_eq!(tries, 1);
    }
}

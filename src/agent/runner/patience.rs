//! Trying again: exponential back-off with jitter, for ever, and no sooner than the server asks for. An outage is told once when it begins
//! and once when it is over, however long it lasts.

use std::time::{Duration, Instant};

use crate::agent::channel::CallError;
use crate::vault::cancel::Cancel;
use crate::vault::jitter::{part_of, random};

/// What a server may ask for at most.
const LONGEST_ASKED: Duration = Duration::from_hours(1);
/// How soon a wait ends after its flag was raised.
const LOOK: Duration = Duration::from_millis(200);

/// How long pauses are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pauses {
    pub first: Duration,
    /// No pause of our own grows longer.
    pub longest: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Self { first: Duration::from_secs(1), longest: Duration::from_mins(5) }
    }
}

/// The tries of one call.
pub struct Patience {
    pauses: Pauses,
    tries: u32,
    /// Whether outages are told above debug: one caller of several is enough.
    is_telling: bool,
    /// Whether it was told in this outage that the server does not know the agent, which somebody may have to do something about.
    has_told_unknown: bool,
}

impl Patience {
    pub const fn telling(pauses: Pauses) -> Self {
        Self { pauses, tries: 0, is_telling: true, has_told_unknown: false }
    }

    /// Tells what happens at debug alone.
    pub const fn silent(pauses: Pauses) -> Self {
        Self { pauses, tries: 0, is_telling: false, has_told_unknown: false }
    }

    /// Notes a failure; how long to wait before the next try.
    pub fn failed(&mut self, error: &CallError) -> Duration {
        let pause = self.pause(error, random());
        let why = chain(error);
        if self.is_news(error) && self.is_telling {
            tracing::warn!(why, "the server does not answer as it should: it is asked again until it does");
        } else {
            tracing::debug!(why, ?pause, "the server does not answer as it should");
        }
        self.tries = self.tries.saturating_add(1);
        pause
    }

    /// Whether people have not heard of it in this outage: that it began, or that the server does not know the agent.
    fn is_news(&mut self, error: &CallError) -> bool {
        let is_unknown = matches!(error, CallError::Unknown(_));
        let was_told = self.has_told_unknown;
        self.has_told_unknown |= is_unknown;
        self.tries == 0 || is_unknown && !was_told
    }

    /// Notes a success.
    pub fn worked(&mut self) {
        if self.is_telling && self.tries > 0 {
            tracing::info!("the server answers again");
        }
        (self.tries, self.has_told_unknown) = (0, false);
    }

    /// `random` is in 0 to 1.
    fn pause(&self, error: &CallError, random: f64) -> Duration {
        let doubled = self.pauses.first.saturating_mul(2_u32.saturating_pow(self.tries)).min(self.pauses.longest);
        let own = part_of(doubled, random);
        match error {
            CallError::Unavailable { after: Some(after), .. } => own.max((*after).min(LONGEST_ASKED)),
            _ => own,
        }
    }
}

/// Waits; false where the flag was raised before the time was up.
pub fn wait(pause: Duration, cancel: &Cancel) -> bool {
    let until = Instant::now() + pause;
    while !cancel.is_raised() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        std::thread::sleep(left.min(LOOK));
    }
    false
}

/// The error and its causes.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn outage(after: Option<Duration>) -> CallError {
        CallError::Unavailable { source: "no answer".into(), after }
    }

    fn unknown() -> CallError {
        CallError::Unknown(String::new())
    }

    #[test]
    fn pauses_grow_to_five_minutes_and_no_further_for_ever() {
        let mut patience = Patience::silent(Pauses::default());
        for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            assert_eq!(patience.pause(&outage(None), 1.0), seconds * SECOND);
            assert_eq!(patience.pause(&outage(None), 0.0), seconds * SECOND / 2);
            let _ = patience.failed(&outage(None));
        }
        patience.tries = u32::MAX;
        assert_eq!(patience.pause(&CallError::Unknown(String::new()), 1.0), 300 * SECOND);
        assert!(patience.failed(&outage(None)) <= 300 * SECOND);
        patience.worked();
        assert_eq!(patience.pause(&outage(None), 1.0), SECOND);
    }

    #[test]
    fn an_outage_is_news_once_and_once_more_where_the_server_does_not_know_the_agent() {
        let mut patience = Patience::silent(Pauses::default());
        for _ in 0..2 {
            for (error, is_news) in
                [(outage(None), true), (outage(None), false), (unknown(), true), (outage(None), false), (unknown(), false)]
            {
                assert_eq!(patience.is_news(&error), is_news, "{error:?}");
                let _ = patience.failed(&error);
            }
            patience.worked();
        }
    }

    #[test]
    fn the_server_is_not_asked_before_the_time_that_it_names() {
        let patience = Patience::silent(Pauses::default());
        assert_eq!(patience.pause(&outage(Some(77 * SECOND)), 1.0), 77 * SECOND);
        assert_eq!(patience.pause(&outage(Some(Duration::ZERO)), 1.0), SECOND);
        assert_eq!(patience.pause(&outage(Some(Duration::MAX)), 1.0), LONGEST_ASKED);
    }

    #[test]
    fn a_wait_ends_when_nobody_wants_it_any_more() {
        let cancel = Cancel::default();
        assert!(wait(Duration::ZERO, &cancel));
        cancel.raise();
        assert!(!wait(1_000_000 * SECOND, &cancel));
    }

    #[test]
    fn a_cause_is_told_with_what_it_caused() {
        assert_eq!(chain(&outage(None)), "the server cannot be reached: no answer");
    }
}

//! How long files are kept, and the history that no lowering can shorten.

use super::instant::{DAY_MICROS, Instant};

/// Days a file is kept from its creation: 30 to 365.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Retention(u16);

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a retention is 30 to 365 days, not {0}")]
pub struct RetentionError(pub i64);

impl Retention {
    pub const MIN: Self = Self(30);
    pub const MAX: Self = Self(365);
    pub const DEFAULT: Self = Self::MIN;

    pub fn from_days(days: i64) -> Result<Self, RetentionError> {
        u16::try_from(days).map(Self).ok().filter(|kept| (Self::MIN..=Self::MAX).contains(kept)).ok_or(RetentionError(days))
    }

    pub const fn days(self) -> i64 {
        self.0 as i64
    }
}

/// One stretch of an account's history: `retention` was in force from `from` until just before `until`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RetentionSpan {
    pub from: Instant,
    pub until: Instant,
    pub retention: Retention,
}

/// All retentions an account ever had; the last span reaches to [`Instant::FOREVER`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RetentionHistory {
    spans: Vec<RetentionSpan>,
}

impl RetentionHistory {
    /// A history as read from the catalog, in any order; `None` when it is empty.
    pub fn from_spans(mut spans: Vec<RetentionSpan>) -> Option<Self> {
        // The open span is the last, whatever else two histories that were joined hold.
        spans.sort_by_key(|span| (span.until, span.from));
        (!spans.is_empty()).then_some(Self { spans })
    }

    /// A history that began with `retention` at the beginning of time.
    pub fn starting(retention: Retention) -> Self {
        Self { spans: vec![RetentionSpan { from: Instant::from_micros(0), until: Instant::FOREVER, retention }] }
    }

    pub fn spans(&self) -> &[RetentionSpan] {
        &self.spans
    }

    /// The retention that new files get.
    pub fn current(&self) -> Retention {
        self.spans.last().expect("a history is made with at least one span").retention
    }

    /// The end of a life that is counted from `kept_from` for a file created at `created`: the largest retention
    /// in force at `created` or at any time since. Lowering never shortens it, raising always lengthens it.
    pub fn expires_at(&self, created: Instant, kept_from: Instant) -> Instant {
        let days =
            self.spans.iter().filter(|span| span.until > created).map(|span| span.retention).max().unwrap_or_else(|| self.current()).days();
        kept_from.plus_micros(days * DAY_MICROS)
    }

    /// The history after `retention` was put in force at `now`.
    pub fn changed(&self, retention: Retention, now: Instant) -> Self {
        let mut spans = self.spans.clone();
        let last = spans.last_mut().expect("a history is made with at least one span");
        last.until = now.max(last.from);
        let from = last.until;
        spans.push(RetentionSpan { from, until: Instant::FOREVER, retention });
        Self { spans }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(n: i64) -> Retention {
        Retention::from_days(n).expect("in range")
    }

    #[test]
    fn only_30_to_365_days_are_accepted() {
        for bad in [-1, 0, 29, 366, 65_536 + 30] {
            assert_eq!(Retention::from_days(bad), Err(RetentionError(bad)));
        }
        assert_eq!(days(30).days(), 30);
        assert_eq!(days(365).days(), 365);
    }

    #[test]
    fn raising_lengthens_and_lowering_spares_existing_files() {
        let day = |n: i64| Instant::from_micros(n * DAY_MICROS);
        let history = RetentionHistory::starting(days(30)).changed(days(90), day(10)).changed(days(40), day(20));
        assert_eq!(history.expires_at(day(5), day(5)), day(95));
        assert_eq!(history.expires_at(day(15), day(15)), day(105));
        assert_eq!(history.expires_at(day(20), day(20)), day(60));
        assert_eq!(history.current(), days(40));
    }
}

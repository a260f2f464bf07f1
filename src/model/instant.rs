//! An instant in microseconds since the Unix epoch.
//!
//! The catalog stores instants as `BIGINT` microseconds; the wire mostly speaks whole seconds.

use std::ops::{Add, Sub};
use std::time::Duration;

/// Microseconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Instant(i64);

pub const SECOND_MICROS: i64 = 1_000_000;
pub const HOUR_MICROS: i64 = 3_600 * SECOND_MICROS;
pub const DAY_MICROS: i64 = 24 * HOUR_MICROS;

impl Instant {
    /// Later than every instant that a catalog holds: "until further notice".
    pub const FOREVER: Self = Self(i64::MAX);

    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Seconds since the epoch; saturates at the ends of the range.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(SECOND_MICROS))
    }

    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(SECOND_MICROS)
    }

    /// Later by `micros`; saturates.
    pub const fn plus_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// Micros from `earlier` to this; negative when this is the earlier one.
    pub const fn micros_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// How long until `later`; zero when it has passed.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_micros(u64::try_from(later.micros_since(self)).unwrap_or(0))
    }

    /// RFC 3339 in UTC with whole seconds, for texts and logs.
    pub fn rfc3339(self) -> String {
        jiff::Timestamp::from_second(self.seconds()).map_or_else(|_| "never".to_owned(), |stamp| stamp.to_string())
    }

    /// The same with all six digits behind the point: exactly this instant.
    pub fn rfc3339_micros(self) -> String {
        jiff::Timestamp::from_microsecond(self.0).map_or_else(|_| "never".to_owned(), |stamp| format!("{stamp:.6}"))
    }

    /// The same with three digits behind the point, rounded down: what identity services send.
    pub fn rfc3339_millis(self) -> String {
        let millis = self.0.div_euclid(1_000);
        jiff::Timestamp::from_millisecond(millis).map_or_else(|_| "never".to_owned(), |stamp| format!("{stamp:.3}"))
    }

    /// `20261120T120000Z`, the spelling inside blob keys; years 0 to 9999.
    pub fn compact(self) -> String {
        jiff::Timestamp::from_second(self.seconds())
            .map_or_else(|_| "99991231T235959Z".to_owned(), |stamp| stamp.strftime("%Y%m%dT%H%M%SZ").to_string())
    }

    /// The inverse of [`Instant::compact`]; `None` for anything else.
    pub fn parse_compact(text: &str) -> Option<Self> {
        if text.len() != 16 || !text.ends_with('Z') {
            return None;
        }
        let civil = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
        let stamp = jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()?;
        Some(Self::from_seconds(stamp.as_second()))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    fn add(self, span: Duration) -> Self {
        self.plus_micros(i64::try_from(span.as_micros()).unwrap_or(i64::MAX))
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;
    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compact_spelling_round_trips() {
        let noon = Instant::from_seconds(1_795_176_000);
        assert_eq!(noon.compact(), "20261120T120000Z");
        assert_eq!(Instant::parse_compact("20261120T120000Z"), Some(noon));
        assert_eq!(Instant::parse_compact("20261120T120000"), None);
        assert_eq!(Instant::parse_compact("20261320T120000Z"), None);
    }

    #[test]
    fn an_exact_spelling_has_all_digits() {
        let instant = Instant::from_micros(1_795_176_000_000_120);
        assert_eq!(instant.rfc3339_micros(), "2026-11-20T12:00:00.000120Z");
        assert_eq!(crate::model::view::parse_time(&instant.rfc3339_micros()), Some(instant));
    }

    #[test]
    fn milliseconds_always_have_three_digits() {
        assert_eq!(Instant::from_seconds(1_795_176_000).rfc3339_millis(), "2026-11-20T12:00:00.000Z");
        assert_eq!(Instant::from_micros(1_795_176_000_007_999).rfc3339_millis(), "2026-11-20T12:00:00.007Z");
    }

    #[test]
    fn arithmetic_saturates_at_forever() {
        assert_eq!(Instant::FOREVER + Duration::from_secs(1), Instant::FOREVER);
        assert_eq!(Instant::from_seconds(5).until(Instant::from_seconds(4)), Duration::ZERO);
    }
}

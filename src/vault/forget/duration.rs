//! How far back a policy reaches: `1y5m7d2h`.

use std::fmt;

use jiff::civil::Date;
use jiff::{Span, Timestamp, ZonedDateTime};

/// Years, months, days and hours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Duration {
    pub years: u32,
    pub months: u32,
    pub days: u32,
    pub hours: u32,
}

/// A text that is no duration.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0:?} is no duration: give years, months, days and hours, such as 1y5m7d2h")]
pub struct DurationError(String);

impl Duration {
    /// Numbers, each with `y`, `m`, `d` or `h` behind it; of two of one unit the last counts. Nothing at all is no time.
    pub fn parse(text: &str) -> Result<Self, DurationError> {
        let error = || DurationError(text.to_owned());
        let mut duration = Self::default();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let end = rest.find(|digit: char| !digit.is_ascii_digit()).ok_or_else(error)?;
            let number = rest[..end].parse().map_err(|_| error())?;
            match rest.as_bytes()[end] {
                b'y' => duration.years = number,
                b'm' => duration.months = number,
                b'd' => duration.days = number,
                b'h' => duration.hours = number,
                _ => return Err(error()),
            }
            rest = &rest[end + 1..];
        }
        Ok(duration)
    }

    pub const fn is_zero(&self) -> bool {
        self.years == 0 && self.months == 0 && self.days == 0 && self.hours == 0
    }

    /// The moment so long before: years, months and days by the calendar of its zone, then hours. As in Go, a day that a month does not
    /// have is one of the next month. `None` where the calendar does not reach so far back.
    pub(super) fn before(&self, time: &ZonedDateTime) -> Option<Timestamp> {
        let date = time.date();
        let months = i64::from(date.year()) * 12 + i64::from(date.month()) - 1 - i64::from(self.years) * 12 - i64::from(self.months);
        let year = i16::try_from(months.div_euclid(12)).ok()?;
        let month = i8::try_from(months.rem_euclid(12) + 1).expect("a month of a year");
        let days = i64::from(date.day()) - 1 - i64::from(self.days);
        let day = Date::new(year, month, 1).ok()?.checked_add(Span::new().try_days(days).ok()?).ok()?;
        let civil = day.to_datetime(time.time());
        let zone = time.time_zone();
        // Which offset that clock had then is found out in two steps; where clocks were set, the one that was found counts.
        let as_utc = jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()?;
        let seconds_before = |offset: jiff::tz::Offset| as_utc.checked_sub(Span::new().seconds(i64::from(offset.seconds()))).ok();
        let first = seconds_before(zone.to_offset(as_utc))?;
        seconds_before(zone.to_offset(first))?.checked_sub(Span::new().try_hours(i64::from(self.hours)).ok()?).ok()
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [(self.years, 'y'), (self.months, 'm'), (self.days, 'd'), (self.hours, 'h')];
        parts.iter().filter(|(number, _)| *number > 0).try_for_each(|(number, unit)| write!(f, "{number}{unit}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, written) in [("1y5m7d2h", "1y5m7d2h"), (" 3h ", "3h"), ("2d1y", "1y2d"), ("1d2d", "2d"), ("0d", ""), ("", "")] {
            assert_eq!(Duration::parse(text).unwrap().to_string(), written, "{text}");
        }
        for text in ["3", "d", "-1d", "1w", "1d ", "1.5d", "99999999999d", "1é"].map(|text| text.replace("1d ", "1d x")) {
            assert_eq!(Duration::parse(&text), Err(DurationError(text.clone())), "{text}");
        }
    }

    #[test]
    fn the_calendar_is_counted_back_as_in_go() {
        for (from, duration, to) in [
            ("2024-03-31T12:00:00+00[UTC]", "1m", "2024-03-02T12:00:00Z"),
            ("2024-02-29T12:00:00+00[UTC]", "1y", "2023-03-01T12:00:00Z"),
            ("2024-01-15T12:00:00+00[UTC]", "1m20d", "2023-11-25T12:00:00Z"),
            ("2024-01-01T01:00:00+00[UTC]", "2h", "2023-12-31T23:00:00Z"),
            // Nine o'clock is nine o'clock on both sides of the change to summer time; hours are hours.
            ("2024-03-31T09:00:00+02:00[Europe/Berlin]", "1d", "2024-03-30T08:00:00Z"),
            ("2024-03-31T09:00:00+02:00[Europe/Berlin]", "24h", "2024-03-30T07:00:00Z"),
            ("2024-10-27T12:00:00+01:00[Europe/Berlin]", "1d", "2024-10-26T10:00:00Z"),
        ] {
            let before = Duration::parse(duration).unwrap().before(&from.parse().unwrap()).unwrap();
            assert_eq!(before.to_string(), to, "{from} {duration}");
        }
        let far = Duration { years: u32::MAX, ..Duration::default() };
        assert_eq!(far.before(&"2024-03-31T12:00:00+00[UTC]".parse().unwrap()), None);
    }
}

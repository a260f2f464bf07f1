//! Times and spans of time, as these commands take and show them.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A time of the wall clock here, `2026-11-20 12:00:00` or `2026-11-20 12:00`, or one that names its zone, `2026-11-20T12:00:00Z`.
pub fn parse(text: &str) -> Result<Timestamp, String> {
    parse_in(text, &TimeZone::system())
}

fn parse_in(text: &str, zone: &TimeZone) -> Result<Timestamp, String> {
    let wanted = || "a time like 2026-11-20 12:00:00, or 2026-11-20T12:00:00Z, is wanted".to_owned();
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Ok(timestamp);
    }
    let civil = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"].into_iter().find_map(|format| DateTime::strptime(format, text).ok());
    civil.and_then(|civil| zone.to_timestamp(civil).ok()).ok_or_else(wanted)
}

/// RFC 3339 with the offset of this machine's zone: how a snapshot says its time.
pub fn with_offset(timestamp: Timestamp) -> String {
    timestamp.display_with_offset(TimeZone::system().to_offset(timestamp)).to_string()
}

/// For a column: `2026-11-20 12:00:00`, by the clock here.
pub fn shown(timestamp: Timestamp) -> String {
    let civil = TimeZone::system().to_datetime(timestamp);
    civil.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// `7.4 s`, `3:07 min`, `2:03:07 h`.
pub fn duration(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    match seconds {
        0..60 => format!("{:.1} s", duration.as_secs_f64().max(0.0)),
        60..3600 => format!("{}:{:02} min", seconds / 60, seconds % 60),
        _ => format!("{}:{:02}:{:02} h", seconds / 3600, seconds / 60 % 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_one_of_this_zone_or_of_the_one_that_it_names() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        for (text, second) in [
            ("2026-11-20 12:00:00", 1_795_168_800),
            ("2026-11-20 12:00", 1_795_168_800),
            ("2026-11-20T12:00:00Z", 1_795_176_000),
            ("2026-11-20T12:00:00+01:00", 1_795_172_400),
        ] {
            assert_eq!(parse_in(text, &zone).map(Timestamp::as_second), Ok(second), "{text}");
        }
        for text in ["", "yesterday", "2026-11-20", "12:00"] {
            assert!(parse_in(text, &zone).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_comes_back_from_its_text() {
        let now = Timestamp::now();
        assert_eq!(with_offset(now).parse::<Timestamp>().ok(), Some(now));
    }

    #[test]
    fn spans_are_as_fine_as_somebody_wants_to_know() {
        let texts = [(0, "0.0 s"), (7_400, "7.4 s"), (187_000, "3:07 min"), (7_387_000, "2:03:07 h"), (-5, "0.0 s")];
        for (millis, text) in texts {
            assert_eq!(duration(SignedDuration::from_millis(millis)), text);
        }
    }
}

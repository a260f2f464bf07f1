//! Which state of a vault is looked at: as it is now, or as it was at an instant.

use super::instant::{DAY_MICROS, Instant, SECOND_MICROS};

/// A state of a vault.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum View {
    #[default]
    Now,
    /// Each file with `created_at` ≤ this < `hidden_at`. Nothing that happens later changes it.
    At(Instant),
}

/// Reads the TIME of a dated view: `2026-11-20T12:00:00Z` or `20261120T120000Z`, with a fraction of a second if wanted, or a day in UTC,
/// which means its last instant. `None` for anything else.
pub fn parse_time(text: &str) -> Option<Instant> {
    if let Some(day) = civil("%Y-%m-%d", text, 10) {
        return Some(day.plus_micros(DAY_MICROS - 1));
    }
    let text = text.strip_suffix('Z')?;
    let (seconds, fraction) = text.split_once('.').map_or((text, None), |(seconds, fraction)| (seconds, Some(fraction)));
    let second = civil("%Y-%m-%dT%H:%M:%S", seconds, 19).or_else(|| civil("%Y%m%dT%H%M%S", seconds, 15))?;
    Some(second.plus_micros(fraction.map_or(Some(0), micros)?))
}

fn civil(format: &str, text: &str, length: usize) -> Option<Instant> {
    let is_plain = text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'-' | b':' | b'T'));
    let time = match length {
        10 => jiff::civil::Date::strptime(format, text).ok().filter(|_| is_plain)?.at(0, 0, 0, 0),
        _ => jiff::civil::DateTime::strptime(format, text).ok().filter(|_| is_plain)?,
    };
    let stamp = jiff::tz::TimeZone::UTC.to_timestamp(time).ok()?;
    Some(Instant::from_seconds(stamp.as_second()))
}

/// Digits behind the point; those beyond microseconds are cut off.
fn micros(digits: &str) -> Option<i64> {
    let is_plain = (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let value: i64 = digits.parse().ok().filter(|_| is_plain)?;
    let unit = 10_i64.pow(u32::try_from(digits.len()).expect("at most nine"));
    Some(value * SECOND_MICROS / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_has_two_spellings_and_a_day_means_its_end() {
        let noon = 1_795_176_000_000_000;
        for (text, micros) in [
            ("2026-11-20T12:00:00Z", noon),
            ("20261120T120000Z", noon),
            ("2026-11-20T12:00:00.5Z", noon + 500_000),
            ("20261120T120000.000001Z", noon + 1),
            ("20261120T120000.123456789Z", noon + 123_456),
            ("2026-11-20", noon + DAY_MICROS / 2 - 1),
        ] {
            assert_eq!(parse_time(text), Some(Instant::from_micros(micros)), "{text}");
        }
    }

    #[test]
    fn nothing_else_is_a_time() {
        for text in [
            "",
            "Z",
            "2026",
            "2026-13-01",
            "2026-02-30",
            "2026-1-2",
            "20261120",
            "2026-11-20T12:00:00",
            "2026-11-20T12:00:00+01:00",
            "2026-11-20 12:00:00Z",
            "2026-11-20t12:00:00z",
            "2026-11-20T12:00:00.Z",
            "2026-11-20T12:00:00.1234567890Z",
            "2026-11-20T12:00:00.-1Z",
            "2026-11-20T25:00:00Z",
            "2026-11-20T120000Z",
            "yesterday",
            " 2026-11-20",
        ] {
            assert_eq!(parse_time(text), None, "{text:?}");
        }
    }
}

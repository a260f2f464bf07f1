//! Arguments that several commands take, parsed at the door.

use std::time::Duration;

use crate::model::instant::Instant;
use crate::model::retention::Retention;
use crate::model::size::Size;
use crate::model::view::parse_time;

/// Bytes of the longest description.
const MAX_DESCRIPTION_BYTES: usize = 1000;

/// `30` to `365`.
pub fn retention(text: &str) -> Result<Retention, String> {
    let days = text.parse().map_err(|_| "a number of days from 30 to 365 is wanted".to_owned())?;
    Retention::from_days(days).map_err(|error| error.to_string())
}

/// The time of a dated view.
pub fn time(text: &str) -> Result<Instant, String> {
    parse_time(text).ok_or_else(|| "a time like 2026-11-20T12:00:00Z, or a day like 2026-11-20, is wanted".to_owned())
}

/// `26h`, `90m`, `3d`, `30s`.
pub fn span(text: &str) -> Result<Duration, String> {
    let wanted = || "a number and one of s, m, h or d is wanted, such as 26h".to_owned();
    let unit = text.chars().last().ok_or_else(wanted)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wanted()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wanted())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wanted)
}

/// One line of text.
pub fn description(text: &str) -> Result<String, String> {
    if text.len() > MAX_DESCRIPTION_BYTES {
        return Err(format!("at most {MAX_DESCRIPTION_BYTES} bytes are wanted"));
    }
    if text.chars().any(char::is_control) {
        return Err("one line without control characters is wanted".to_owned());
    }
    Ok(text.to_owned())
}

/// A quota, or `none` for none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quota(pub Option<u64>);

impl std::str::FromStr for Quota {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        text.parse().map(|Size(bytes)| Self(Some(bytes))).map_err(|error| format!("{error}; or none"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_account_cannot_have_is_refused_at_the_door() {
        assert_eq!(retention("365").map(Retention::days), Ok(365));
        assert_eq!(retention("29"), Err("a retention is 30 to 365 days, not 29".to_owned()));
        assert!(retention("a month").is_err());
        assert_eq!(time("2026-11-20T12:00:00Z"), Ok(Instant::from_seconds(1_795_176_000)));
        assert!(time("yesterday").is_err_and(|error| error.contains("2026-11-20T12:00:00Z")));
        assert_eq!(description("web server"), Ok("web server".to_owned()));
        assert!(description("web\nserver").is_err());
        assert_eq!(["30s", "90m", "26h", "3d"].map(span), [30, 5_400, 93_600, 259_200].map(|seconds| Ok(Duration::from_secs(seconds))));
        assert!(["", "h", "26", "26 h", "-1h", "1é", "99999999999999999999d"].iter().all(|text| span(text).is_err()));
        assert!(description(&"x".repeat(1001)).is_err());
        assert_eq!("none".parse(), Ok(Quota(None)));
        assert_eq!("2 KiB".parse(), Ok(Quota(Some(2048))));
        assert!("2 KiBit".parse::<Quota>().is_err());
    }
}

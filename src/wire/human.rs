//! Sizes, counts and durations as texts that people read and old clients take apart again.

use std::time::Duration;

use crate::model::size::Size;

/// `318 bytes`, `35.3 KB`, `18 MB`.
pub fn size(bytes: u64) -> String {
    Size(bytes).api_text()
}

/// Plain decimal.
pub fn count(number: u64) -> String {
    number.to_string()
}

/// `HH:MM:SS`, begun seconds left out; there may be more than 99 hours.
pub fn duration(span: Duration) -> String {
    let seconds = span.as_secs();
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_plain_and_hours_may_exceed_ninety_nine() {
        assert_eq!(count(11_936), "11936");
        assert_eq!(duration(Duration::from_secs(273)), "00:04:33");
        assert_eq!(duration(Duration::from_millis(59_999)), "00:00:59");
        assert_eq!(duration(Duration::from_secs(100 * 3600 + 61)), "100:01:01");
    }
}

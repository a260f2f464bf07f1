//! Sizes, counts and durations as texts that people read and old clients take apart again.

use std::time::Duration;

const UNITS: [&str; 5] = ["KB", "MB", "GB", "TB", "PB"];
const STEP: u128 = 1024;

/// `318 bytes`, `35.3 KB`, `18 MB`: base 1024, at most one decimal, half rounded up. What rounds to 1024 of a unit is 1 of the next.
pub fn size(bytes: u64) -> String {
    if u128::from(bytes) < STEP {
        return format!("{bytes} bytes");
    }
    let (mut unit, mut tenths) = (STEP, 0);
    for name in UNITS {
        tenths = (u128::from(bytes) * 10 + unit / 2) / unit;
        if tenths < STEP * 10 {
            return in_tenths(tenths, name);
        }
        unit *= STEP;
    }
    in_tenths(tenths, UNITS[UNITS.len() - 1])
}

fn in_tenths(tenths: u128, unit: &str) -> String {
    match tenths % 10 {
        0 => format!("{} {unit}", tenths / 10),
        tenth => format!("{}.{tenth} {unit}", tenths / 10),
    }
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
    fn sizes_have_one_decimal_and_the_unit_that_fits() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1, "1 bytes"),
            (318, "318 bytes"),
            (1023, "1023 bytes"),
            (1024, "1 KB"),
            (4096, "4 KB"),
            (36_147, "35.3 KB"),
            (186_751_386, "178.1 MB"),
            (18 << 20, "18 MB"),
            (3_972_844_748, "3.7 GB"),
            (5 << 40, "5 TB"),
            ((5 << 50) + (1 << 49), "5.5 PB"),
            (u64::MAX, "16384 PB"),
        ] {
            assert_eq!(size(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn what_rounds_up_to_a_whole_unit_is_one_of_the_next() {
        // 1023.95 KB is 1,048,524.8 bytes.
        assert_eq!(size(1_048_524), "1023.9 KB");
        assert_eq!(size(1_048_525), "1 MB");
        assert_eq!(size((1 << 30) - 1), "1 GB");
        assert_eq!(size((1 << 50) - 1), "1 PB");
        // 1.05 KB is 1,075.2 bytes.
        assert_eq!(size(1_075), "1 KB");
        assert_eq!(size(1_076), "1.1 KB");
    }

    #[test]
    fn counts_are_plain_and_hours_may_exceed_ninety_nine() {
        assert_eq!(count(11_936), "11936");
        assert_eq!(duration(Duration::from_secs(273)), "00:04:33");
        assert_eq!(duration(Duration::from_millis(59_999)), "00:00:59");
        assert_eq!(duration(Duration::from_secs(100 * 3600 + 61)), "100:01:01");
    }
}

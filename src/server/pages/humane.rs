//! Figures for people: sizes, dates, the time that is left, and names that cannot play tricks with the eye.

use std::time::Duration;

use crate::model::instant::Instant;

/// Three digits and a decimal unit: `0 B`, `396 kB`, `5.37 GB`. Always rounded down, so a limit never looks reached before it is.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    let Some(power) = (1..=6_u32).rev().find(|power| bytes >= 1000_u64.pow(*power)) else { return format!("{bytes} B") };
    let unit = UNITS[power as usize - 1];
    let thousandths = u128::from(bytes) * 1000 / 1000_u128.pow(power);
    let (whole, part) = (thousandths / 1000, thousandths % 1000);
    match whole {
        0..=9 => format!("{whole}.{:02} {unit}", part / 10),
        10..=99 => format!("{whole}.{} {unit}", part / 100),
        _ => format!("{whole} {unit}"),
    }
}

/// A whole number with its thousands apart: `5,368,709,120`.
pub fn number(value: u64) -> String {
    let digits = value.to_string();
    let groups: Vec<&[u8]> = digits.as_bytes().rchunks(3).rev().collect();
    groups.iter().map(|group| std::str::from_utf8(group).expect("digits are ASCII")).collect::<Vec<_>>().join(",")
}

/// Day and minute in UTC: `2026-11-24 03:01`.
pub fn date(instant: Instant) -> String {
    let text = instant.rfc3339();
    text.get(..16).map_or(text.clone(), |minute| minute.replace('T', " "))
}

/// In the largest unit that fits, rounded down: `29 days`, `1 hour`, `less than a minute`.
pub fn time_left(left: Duration) -> String {
    let seconds = left.as_secs();
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute")];
    match units.into_iter().find(|(length, _)| seconds >= *length) {
        None => "less than a minute".to_owned(),
        Some((length, unit)) => count(seconds / length, unit),
    }
}

/// `1 file`, `2 files`.
pub fn count(value: u64, thing: &str) -> String {
    format!("{} {thing}{}", number(value), if value == 1 { "" } else { "s" })
}

/// A name without the characters that reorder or break the text around them; each shows as a replacement mark.
pub fn visible(name: &str) -> String {
    let is_tricky = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{61C}')
    };
    name.chars().map(|letter| if is_tricky(letter) { '\u{FFFD}' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    #[test]
    fn sizes_have_three_digits() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.00 kB"),
            (9_999, "9.99 kB"),
            (12_345, "12.3 kB"),
            (396_265, "396 kB"),
            (999_999, "999 kB"),
            (5_368_709_120, "5.36 GB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn numbers_dates_and_spans_read_well() {
        assert_eq!([number(0), number(999), number(1_000), number(5_368_709_120)], ["0", "999", "1,000", "5,368,709,120"]);
        assert_eq!(date(Instant::from_seconds(1_274_439_603)), "2010-05-21 11:00");
        assert_eq!(date(Instant::FOREVER), "never");
        for (seconds, text) in [
            (30 * 86_400 - 1, "29 days"),
            (86_400, "1 day"),
            (86_399, "23 hours"),
            (3_600, "1 hour"),
            (119, "1 minute"),
            (59, "less than a minute"),
            (0, "less than a minute"),
        ] {
            assert_eq!(time_left(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn characters_that_reorder_text_are_marked() {
        assert_eq!(visible("a\u{202E}gnp.exe\u{2066}\u{85}\u{200B}é漢"), "a\u{FFFD}gnp.exe\u{FFFD}\u{FFFD}\u{FFFD}é漢");
    }

    proptest! {
        #[test]
        fn a_size_never_says_more_than_there_is(bytes in any::<u64>()) {
            let text = size(bytes);
            let (figure, unit) = text.split_once(' ').expect("a unit follows");
            let power = ["B", "kB", "MB", "GB", "TB", "PB", "EB"].iter().position(|known| *known == unit).expect("the unit is known");
            let shown: f64 = figure.parse().expect("it is a number");
            let exact = bytes as f64 / 1000_f64.powi(i32::try_from(power).expect("it is small"));
            prop_assert!(shown <= exact * 1.000_001 && shown >= exact * 0.98, "{bytes} as {text}");
        }

        #[test]
        fn a_number_keeps_its_digits(value in any::<u64>()) {
            prop_assert_eq!(number(value).replace(',', ""), value.to_string());
        }
    }
}

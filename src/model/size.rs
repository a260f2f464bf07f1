//! A number of bytes as people write it: `64 MiB`, `10GB`, `5368709120`.

use std::fmt;
use std::str::FromStr;

/// A number of bytes. Units are those of SI (`kB MB GB TB`, thousands) and of IEC (`KiB MiB GiB TiB`, 1024s), in any case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Size(pub u64);

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SizeError {
    #[error("a size is a whole number with or without a unit, such as 5368709120, 64 MiB or 10 GB")]
    NoNumber,
    #[error("the unit of a size is B, kB, MB, GB, TB (thousands) or KiB, MiB, GiB, TiB (1024s)")]
    UnknownUnit,
    #[error("a size is less than 16 EiB")]
    TooLarge,
}

const UNITS: [(&str, u64); 10] = [
    ("", 1),
    ("b", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
];

const API_UNITS: [&str; 5] = ["KB", "MB", "GB", "TB", "PB"];
const API_STEP: u128 = 1024;

impl Size {
    /// As the Cloud Backup API and its mails have it, `318 bytes`, `35.3 KB`, `18 MB`: base 1024, at most one decimal, half rounded up.
    /// What rounds to 1024 of a unit is 1 of the next.
    pub fn api_text(self) -> String {
        let bytes = u128::from(self.0);
        if bytes < API_STEP {
            return format!("{bytes} bytes");
        }
        let (mut unit, mut tenths) = (API_STEP, 0);
        for name in API_UNITS {
            tenths = (bytes * 10 + unit / 2) / unit;
            if tenths < API_STEP * 10 {
                return in_tenths(tenths, name);
            }
            unit *= API_STEP;
        }
        in_tenths(tenths, API_UNITS[API_UNITS.len() - 1])
    }
}

fn in_tenths(tenths: u128, unit: &str) -> String {
    match tenths % 10 {
        0 => format!("{} {unit}", tenths / 10),
        tenth => format!("{}.{tenth} {unit}", tenths / 10),
    }
}

impl FromStr for Size {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let text = text.trim();
        let digits = text.len() - text.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        if number.is_empty() {
            return Err(SizeError::NoNumber);
        }
        let unit = unit.trim_start().to_ascii_lowercase();
        let factor = UNITS.iter().find(|(name, _)| *name == unit).ok_or(SizeError::UnknownUnit)?.1;
        let number: u64 = number.parse().map_err(|_| SizeError::TooLarge)?;
        number.checked_mul(factor).map(Self).ok_or(SizeError::TooLarge)
    }
}

impl fmt::Display for Size {
    /// In the largest unit of IEC that leaves a whole number in front, with one decimal: `377.2 KiB`, `64 MiB`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = [("TiB", 1u64 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
            .into_iter()
            .find(|(_, factor)| self.0 >= *factor)
            .map_or_else(|| format!("{} B", self.0), |(unit, factor)| with_decimal(self.0, factor, unit));
        out.pad(&text)
    }
}

/// One decimal, rounded down, so that a size never reads as more than it is.
fn with_decimal(bytes: u64, factor: u64, unit: &str) -> String {
    let (whole, rest) = (bytes / factor, bytes % factor);
    match u128::from(rest) * 10 / u128::from(factor) {
        0 => format!("{whole} {unit}"),
        tenth => format!("{whole}.{tenth} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("0", 0),
            ("5368709120", 5_368_709_120),
            ("64 MiB", 64 << 20),
            ("64MiB", 64 << 20),
            ("64 mib", 64 << 20),
            (" 10GB ", 10_000_000_000),
            ("8 KiB", 8192),
            ("8kB", 8000),
            ("7 B", 7),
            ("2 TiB", 2 << 40),
            ("3 TB", 3_000_000_000_000),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused_in_words() {
        for (text, error) in [
            ("", SizeError::NoNumber),
            ("MiB", SizeError::NoNumber),
            ("-1", SizeError::NoNumber),
            ("+1", SizeError::NoNumber),
            (".5 GB", SizeError::NoNumber),
            ("1.5 GB", SizeError::UnknownUnit),
            ("1 G", SizeError::UnknownUnit),
            ("1 M B", SizeError::UnknownUnit),
            ("1 MBit", SizeError::UnknownUnit),
            ("18446744073709551616", SizeError::TooLarge),
            ("16777216 TiB", SizeError::TooLarge),
        ] {
            assert_eq!(text.parse::<Size>(), Err(error), "{text}");
        }
    }

    #[test]
    fn sizes_print_short_and_never_as_more_than_they_are() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (64 << 20, "64 MiB"),
            (386_304, "377.2 KiB"),
            ((1 << 20) - 1, "1023.9 KiB"),
            (u64::MAX, "16777215.9 TiB"),
        ] {
            assert_eq!(Size(bytes).to_string(), text);
        }
    }

    #[test]
    fn the_api_has_one_decimal_and_the_unit_that_fits() {
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
            assert_eq!(Size(bytes).api_text(), text, "{bytes}");
        }
    }

    #[test]
    fn what_rounds_up_to_a_whole_unit_is_one_of_the_next() {
        // 1023.95 KB is 1,048,524.8 bytes.
        assert_eq!(Size(1_048_524).api_text(), "1023.9 KB");
        assert_eq!(Size(1_048_525).api_text(), "1 MB");
        assert_eq!(Size((1 << 30) - 1).api_text(), "1 GB");
        assert_eq!(Size((1 << 50) - 1).api_text(), "1 PB");
        // 1.05 KB is 1,075.2 bytes.
        assert_eq!(Size(1_075).api_text(), "1 KB");
        assert_eq!(Size(1_076).api_text(), "1.1 KB");
    }
}

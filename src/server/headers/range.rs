//! `Range` (RFC 9110 §14): one range of bytes. Several ranges, and what cannot be read, are answered with the whole file.

use std::ops::Range;

use http::HeaderMap;
use http::header::RANGE;

/// What part of a file a request wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wanted {
    Whole,
    Part(Range<u64>),
    /// Nothing of the file lies in the range: 416.
    Unsatisfiable,
}

/// Reads the header for a file of `size_bytes`.
pub fn wanted(headers: &HeaderMap, size_bytes: u64) -> Wanted {
    let mut lines = headers.get_all(RANGE).iter();
    match (lines.next().and_then(|line| line.to_str().ok()), lines.next()) {
        (Some(line), None) => parse(line, size_bytes).unwrap_or(Wanted::Whole),
        _ => Wanted::Whole,
    }
}

fn parse(line: &str, size_bytes: u64) -> Option<Wanted> {
    let (unit, set) = line.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = set.trim_matches([' ', '\t']).split_once('-')?;
    match (position(first)?, position(last)?) {
        (None, None) => None,
        (None, Some(length)) => Some(suffix(length, size_bytes)),
        (Some(first), None) => Some(part(first, u64::MAX, size_bytes)),
        (Some(first), Some(last)) if first > last => None,
        (Some(first), Some(last)) => Some(part(first, last, size_bytes)),
    }
}

/// A position, or `Some(None)` where nothing is written. One beyond `u64` lies behind the end of any file.
fn position(text: &str) -> Option<Option<u64>> {
    if text.is_empty() {
        return Some(None);
    }
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| Some(text.parse().unwrap_or(u64::MAX)))
}

fn part(first: u64, last: u64, size_bytes: u64) -> Wanted {
    if first >= size_bytes { Wanted::Unsatisfiable } else { Wanted::Part(first..last.saturating_add(1).min(size_bytes)) }
}

/// The last `length` bytes. Of an empty file that is the whole, for which there is no `Content-Range`.
fn suffix(length: u64, size_bytes: u64) -> Wanted {
    match (length, size_bytes) {
        (0, _) => Wanted::Unsatisfiable,
        (_, 0) => Wanted::Whole,
        _ => Wanted::Part(size_bytes.saturating_sub(length)..size_bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert_eq, prop_oneof, proptest};

    fn ask(lines: &[&str], size_bytes: u64) -> Wanted {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(RANGE, line.parse().expect("a test's header is valid"));
        }
        wanted(&headers, size_bytes)
    }

    #[test]
    fn one_range_is_a_part() {
        for (line, part) in [
            ("bytes=0-0", 0..1),
            ("bytes=0-9", 0..10),
            ("bytes=0-", 0..10),
            ("bytes=9-", 9..10),
            ("bytes=3-99999999999999999999999", 3..10),
            ("bytes=3-18446744073709551615", 3..10),
            ("bytes=-3", 7..10),
            ("bytes=-10", 0..10),
            ("bytes=-99999999999999999999999", 0..10),
            ("BYTES= 2-4 ", 2..5),
            ("bytes=007-0008", 7..9),
        ] {
            assert_eq!(ask(&[line], 10), Wanted::Part(part), "{line}");
        }
    }

    #[test]
    fn a_range_behind_the_end_is_unsatisfiable() {
        for line in ["bytes=10-", "bytes=10-20", "bytes=18446744073709551615-", "bytes=99999999999999999999-", "bytes=-0", "bytes=-000"] {
            assert_eq!(ask(&[line], 10), Wanted::Unsatisfiable, "{line}");
        }
        assert_eq!(ask(&["bytes=0-"], 0), Wanted::Unsatisfiable);
        assert_eq!(ask(&["bytes=-0"], 0), Wanted::Unsatisfiable);
        assert_eq!(ask(&["bytes=-5"], 0), Wanted::Whole);
    }

    #[test]
    fn several_ranges_and_odd_headers_mean_the_whole() {
        let many = format!("bytes={}", vec!["0-1"; 10_000].join(","));
        let odd = ["", "bytes", "bytes=", "bytes=-", "bytes=5-3", "bytes=a-b", "bytes=0-1,3-4", "bytes=0-1,", "items=0-1", "bytes=0--1"];
        let odder = ["bytes=+0-1", "bytes=0x0-1", "bytes=0 - 1", "bytes:0-1", "bytes=1", "bytes==0-1", "bytes=0-1-2", "bytes=٣-", &many];
        for line in odd.into_iter().chain(odder) {
            assert_eq!(ask(&[line], 10), Wanted::Whole, "{line}");
        }
        assert_eq!(ask(&["bytes=0-1", "bytes=0-1"], 10), Wanted::Whole);
        assert_eq!(ask(&[], 10), Wanted::Whole);
    }

    /// The positions that a range names, found by looking at each position of a small file.
    fn model(first: Option<u64>, last: Option<u64>, size_bytes: u64) -> Vec<u64> {
        (0..size_bytes)
            .filter(|at| match (first, last) {
                (Some(first), last) => *at >= first && last.is_none_or(|last| *at <= last),
                (None, Some(length)) => u128::from(*at) + u128::from(length) >= u128::from(size_bytes),
                (None, None) => false,
            })
            .collect()
    }

    fn end() -> impl Strategy<Value = Option<u64>> {
        prop_oneof![Just(None), (0..40_u64).prop_map(Some), any::<u64>().prop_map(Some), Just(Some(u64::MAX))]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(crate::server::headers::CASES))]

        #[test]
        fn a_part_is_what_the_model_names(first in end(), last in end(), size_bytes in 0..40_u64) {
            let text = |end: Option<u64>| end.map(|end| end.to_string()).unwrap_or_default();
            let found = ask(&[&format!("bytes={}-{}", text(first), text(last))], size_bytes);
            let is_valid = match (first, last) {
                (None, None) => false,
                (Some(first), Some(last)) => first <= last,
                _ => true,
            };
            let named = model(first, last, size_bytes);
            let is_empty_suffix = first.is_none() && size_bytes == 0 && last.is_some_and(|length| length > 0);
            let expected = match (named.first(), named.last()) {
                _ if !is_valid || is_empty_suffix => Wanted::Whole,
                (Some(from), Some(to)) => Wanted::Part(*from..to + 1),
                _ => Wanted::Unsatisfiable,
            };
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn a_part_always_lies_in_the_file(line in "(bytes)?=?[-0-9, a]{0,30}", size_bytes in any::<u64>()) {
            if let Wanted::Part(part) = ask(&[&line], size_bytes) {
                prop_assert_eq!((part.start < part.end, part.end <= size_bytes), (true, true));
            }
        }
    }
}

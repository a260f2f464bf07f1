//! JSON texts as old clients expect them: compact, with dates in Microsoft's spelling.

use std::io::{Result, Write};

use serde::{Serialize, Serializer};
use serde_json::ser::{CharEscape, CompactFormatter, Formatter};

use crate::model::instant::Instant;

/// An instant on the wire: `/Date(1358535352000)/`, milliseconds since the epoch, rounded down. [`to_json`] escapes its slashes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Date(pub Instant);

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("/Date({})/", self.0.micros().div_euclid(1000)))
    }
}

/// Reads a date with or without backslashes before its slashes. `None` for anything else, an offset included.
pub fn parse_date(text: &str) -> Option<Instant> {
    let text = if text.starts_with('\\') { text.replace("\\/", "/") } else { text.to_owned() };
    let millis: i64 = date_digits(&text)?.parse().ok()?;
    millis.checked_mul(1000).map(Instant::from_micros)
}

/// What stands between the parentheses, when `text` is a date and nothing else.
fn date_digits(text: &str) -> Option<&str> {
    let number = text.strip_prefix("/Date(")?.strip_suffix(")/")?;
    let digits = number.strip_prefix('-').unwrap_or(number);
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(number)
}

/// Compact JSON. A string that is exactly a date is written `"\/Date(…)\/"`, the same value in the spelling that .NET clients look
/// for; in all other strings slashes stay plain.
pub fn to_json(value: &impl Serialize) -> String {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, DateFormatter::default());
    value.serialize(&mut serializer).expect("memory takes every byte, and members are named by strings");
    String::from_utf8(bytes).expect("JSON of strings is UTF-8")
}

/// Longer than every date: a sign, nineteen digits and what is around them.
const MAX_DATE_BYTES: usize = 32;

/// Holds a string back as long as it may become a date: pieces of a string arrive one by one.
#[derive(Default)]
struct DateFormatter {
    held: Option<String>,
}

impl DateFormatter {
    /// The string is no date: writes what was held back of it.
    fn release<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        self.held.take().map_or(Ok(()), |held| writer.write_all(held.as_bytes()))
    }
}

impl Formatter for DateFormatter {
    fn begin_string<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        self.held = Some(String::new());
        writer.write_all(b"\"")
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> Result<()> {
        if let Some(held) = &mut self.held
            && held.len() + fragment.len() <= MAX_DATE_BYTES
        {
            held.push_str(fragment);
            return Ok(());
        }
        self.release(writer)?;
        writer.write_all(fragment.as_bytes())
    }

    fn write_char_escape<W: ?Sized + Write>(&mut self, writer: &mut W, escape: CharEscape) -> Result<()> {
        self.release(writer)?;
        CompactFormatter.write_char_escape(writer, escape)
    }

    fn end_string<W: ?Sized + Write>(&mut self, writer: &mut W) -> Result<()> {
        if let Some(held) = &mut self.held
            && date_digits(held).is_some()
        {
            *held = held.replace('/', "\\/");
        }
        self.release(writer)?;
        writer.write_all(b"\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
    use serde_json::json;

    #[test]
    fn a_date_is_whole_milliseconds_with_escaped_slashes() {
        assert_eq!(to_json(&Date(Instant::from_micros(1_358_535_352_000_999))), r#""\/Date(1358535352000)\/""#);
        assert_eq!(to_json(&Date(Instant::from_micros(-1))), r#""\/Date(-1)\/""#);
        assert_eq!(to_json(&None::<Date>), "null");
    }

    #[test]
    fn only_a_string_that_is_a_date_has_escaped_slashes() {
        for text in ["/srv/www", "/Date(1)/x", "x/Date(1)/", "/Date()/", "/Date(-)/", "/Date(1+0000)/", "/date(1)/", "/", ""] {
            assert_eq!(to_json(&text), format!("\"{text}\""));
        }
        assert_eq!(to_json(&"/Date(1)/\n"), r#""/Date(1)/\n""#);
        assert_eq!(to_json(&"\"/Date(1)/"), r#""\"/Date(1)/""#);
        assert_eq!(to_json(&json!(["/a", "/Date(5)/", "/a"])), r#"["/a","\/Date(5)\/","/a"]"#);
        assert_eq!(to_json(&format_args!("/Date({})/", 5)), r#""\/Date(5)\/""#, "a string that arrives in pieces");
    }

    #[test]
    fn both_spellings_of_a_date_are_read() {
        let instant = Instant::from_micros(1_358_535_352_000_000);
        assert_eq!(parse_date("/Date(1358535352000)/"), Some(instant));
        assert_eq!(parse_date(r"\/Date(1358535352000)\/"), Some(instant));
        assert_eq!(parse_date("/Date(-62135578800000)/"), Some(Instant::from_micros(-62_135_578_800_000_000)));
        for text in ["", "1358535352000", "/Date()/", "/Date(+1)/", "/Date(1-0500)/", "/Date(9223372036854775807)/", "/Date(1)/ "] {
            assert_eq!(parse_date(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn escaping_changes_no_value(texts in proptest::collection::vec("(/Date\\(|-|[0-9]{1,9}|\\)/|.){0,6}", 0..4)) {
            let read: Vec<String> = serde_json::from_str(&to_json(&texts)).expect("it is JSON");
            prop_assert_eq!(read, texts);
        }

        #[test]
        fn every_date_comes_back_to_the_millisecond(millis in -9_000_000_000_000_000_i64..9_000_000_000_000_000, micros in 0..1000_i64) {
            let text = to_json(&Date(Instant::from_micros(millis * 1000 + micros)));
            prop_assert_eq!(parse_date(text.trim_matches('"')), Some(Instant::from_micros(millis * 1000)));
        }

        #[test]
        fn reading_a_date_never_panics(text in any::<String>()) {
            prop_assert!(parse_date(&text).is_none() || text.contains("Date("));
        }
    }
}

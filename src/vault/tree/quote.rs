//! Names as restic writes them: Go's `strconv.Quote` without the outer quotation marks, so that bytes which are no UTF-8 survive JSON.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Something after a backslash that Go does not know.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name has an escape that is none")]
pub(super) struct QuoteError;

/// The text that [`unquote`] turns back into these bytes.
pub(super) fn quote(name: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(name) {
        Ok(text) if !text.chars().any(|c| matches!(c, '"' | '\\') || c.is_control()) => Cow::Borrowed(text),
        _ => Cow::Owned(quoted(name)),
    }
}

fn quoted(name: &[u8]) -> String {
    let mut out = String::with_capacity(name.len() + 8);
    for part in name.utf8_chunks() {
        for c in part.valid().chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                c if (c as u32) < 0x80 && c.is_control() => write!(out, "\\x{:02x}", c as u32).expect("a string takes everything"),
                c if c.is_control() => write!(out, "\\u{:04x}", c as u32).expect("a string takes everything"),
                c => out.push(c),
            }
        }
        for byte in part.invalid() {
            write!(out, "\\x{byte:02x}").expect("a string takes everything");
        }
    }
    out
}

/// The bytes of a quoted name: every escape of Go's interpreted string literals.
pub(super) fn unquote(text: &str) -> Result<Vec<u8>, QuoteError> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        rest = escape(&rest[at + 1..], &mut out)?;
    }
    out.extend_from_slice(rest.as_bytes());
    Ok(out)
}

/// Reads what follows a backslash; the rest of the text.
fn escape<'a>(text: &'a str, out: &mut Vec<u8>) -> Result<&'a str, QuoteError> {
    let kind = text.chars().next().ok_or(QuoteError)?;
    let rest = &text[kind.len_utf8()..];
    let plain = match kind {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        '\\' | '"' | '\'' => kind as u8,
        'x' => return digits(rest, 2, 16).and_then(|(byte, rest)| one_byte(byte, rest, out)),
        '0'..='7' => return digits(text, 3, 8).and_then(|(byte, rest)| one_byte(byte, rest, out)),
        'u' => return digits(rest, 4, 16).and_then(|(c, rest)| character(c, rest, out)),
        'U' => return digits(rest, 8, 16).and_then(|(c, rest)| character(c, rest, out)),
        _ => return Err(QuoteError),
    };
    out.push(plain);
    Ok(rest)
}

fn digits(text: &str, count: usize, radix: u32) -> Result<(u32, &str), QuoteError> {
    let digits = text.get(..count).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_alphanumeric())).ok_or(QuoteError)?;
    let value = u32::from_str_radix(digits, radix).map_err(|_| QuoteError)?;
    Ok((value, &text[count..]))
}

fn one_byte<'a>(byte: u32, rest: &'a str, out: &mut Vec<u8>) -> Result<&'a str, QuoteError> {
    out.push(u8::try_from(byte).map_err(|_| QuoteError)?);
    Ok(rest)
}

fn character<'a>(value: u32, rest: &'a str, out: &mut Vec<u8>) -> Result<&'a str, QuoteError> {
    let c = char::from_u32(value).ok_or(QuoteError)?;
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_written_as_go_writes_them() {
        for (name, text) in [
            (&b"plain \xc3\xa9"[..], "plain é"),
            (b"a\"b\\c", "a\\\"b\\\\c"),
            (b"tab\tline\n\x01\x7f", "tab\\tline\\n\\x01\\x7f"),
            (b"latin \xe9!", "latin \\xe9!"),
            (b"\xc2\x85", "\\u0085"),
        ] {
            assert_eq!(quote(name), text);
        }
    }

    #[test]
    fn every_escape_of_go_is_read() {
        assert_eq!(unquote(r#"\a\b\f\n\r\t\v\\\"\'\x41\101\u00e9\U0001F600"#).unwrap(), "\x07\x08\x0c\n\r\t\x0b\\\"'AAé😀".as_bytes());
        for wrong in [r"\", r"\q", r"\x4", r"\x+4", r"\uD800", r"\400", r"\U00110000", r"\u12é4"] {
            assert_eq!(unquote(wrong), Err(QuoteError), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(name in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(unquote(&quote(&name)).unwrap(), name);
        }

        #[test]
        fn no_text_is_too_much(text in "\\PC*[\\\\xuU0-9a-f\"]*") {
            let _ = unquote(&text);
        }
    }
}

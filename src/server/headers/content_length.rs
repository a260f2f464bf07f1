//! How many bytes an upload promises.

use http::HeaderMap;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};

/// Why the length of an upload cannot be known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LengthError {
    /// Any `Transfer-Encoding`: the length shows only when all has arrived, so nothing could tell a whole file from a part.
    Chunked,
    Missing,
    Malformed,
}

/// The one `Content-Length`: decimal digits and nothing else.
pub fn content_length(headers: &HeaderMap) -> Result<u64, LengthError> {
    if headers.contains_key(TRANSFER_ENCODING) {
        return Err(LengthError::Chunked);
    }
    let mut lines = headers.get_all(CONTENT_LENGTH).iter();
    let line = lines.next().ok_or(LengthError::Missing)?;
    if lines.next().is_some() {
        return Err(LengthError::Malformed);
    }
    digits(line.as_bytes()).ok_or(LengthError::Malformed)
}

/// A number without sign, space or second number; `None` beyond `u64`, too.
fn digits(text: &[u8]) -> Option<u64> {
    let is_plain = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| is_plain)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};

    fn parse(lines: &[&str]) -> Result<u64, LengthError> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(CONTENT_LENGTH, line.parse().expect("a test's header is valid"));
        }
        content_length(&headers)
    }

    #[test]
    fn only_plain_digits_are_a_length() {
        assert_eq!(parse(&["0"]), Ok(0));
        assert_eq!(parse(&["5368709120"]), Ok(5_368_709_120));
        assert_eq!(parse(&["18446744073709551615"]), Ok(u64::MAX));
        assert_eq!(parse(&["000000000000000000000000000007"]), Ok(7));
        for odd in ["", "+5", "-5", "0x5", "5,5", "5, 5", "5 5", "5.0", "1e3", "18446744073709551616", "five", "5;a", "٥"] {
            assert_eq!(parse(&[odd]), Err(LengthError::Malformed), "{odd:?}");
        }
        assert_eq!(parse(&["5", "5"]), Err(LengthError::Malformed));
        assert_eq!(parse(&[]), Err(LengthError::Missing));
    }

    #[test]
    fn any_transfer_encoding_wins_over_a_length() {
        for encoding in ["chunked", "identity", "gzip, chunked", ""] {
            let mut headers = HeaderMap::new();
            headers.append(CONTENT_LENGTH, "5".parse().expect("a test's header is valid"));
            headers.append(TRANSFER_ENCODING, encoding.parse().expect("a test's header is valid"));
            assert_eq!(content_length(&headers), Err(LengthError::Chunked), "{encoding:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(crate::server::headers::CASES))]

        #[test]
        fn every_number_is_read_and_nothing_else(number in any::<u64>(), noise in "[ -~]{0,6}") {
            prop_assert_eq!(parse(&[&number.to_string()]), Ok(number));
            let text = format!("{number}{noise}");
            let model = text.bytes().try_fold(0_u128, |sum, byte| {
                byte.is_ascii_digit().then(|| (sum * 10 + u128::from(byte - b'0')).min(1 << 100))
            });
            let model = model.and_then(|sum| u64::try_from(sum).ok()).ok_or(LengthError::Malformed);
            prop_assert_eq!(parse(&[&text]), model);
        }
    }
}

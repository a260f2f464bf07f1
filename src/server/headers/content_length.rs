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

/// The length of a body that may also come in chunks: `None` for one whose `Transfer-Encoding` is `chunked` and that has no other length.
pub fn body_length(headers: &HeaderMap) -> Result<Option<u64>, LengthError> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let is_chunked = codings.next().is_some_and(|coding| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"));
    if is_chunked && codings.next().is_none() && !headers.contains_key(CONTENT_LENGTH) {
        return Ok(None);
    }
    content_length(headers).map(Some)
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

    #[test]
    fn only_plain_chunks_are_a_body_of_unknown_length() {
        let of = |lines: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, line) in lines {
                headers.append(*name, http::HeaderValue::from_static(line));
            }
            body_length(&headers)
        };
        assert_eq!(of(&[("transfer-encoding", "Chunked")]), Ok(None));
        assert_eq!(of(&[("content-length", "5")]), Ok(Some(5)));
        assert_eq!(of(&[]), Err(LengthError::Missing));
        assert_eq!(of(&[("transfer-encoding", "chunked"), ("content-length", "5")]), Err(LengthError::Chunked));
        assert_eq!(of(&[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")]), Err(LengthError::Chunked));
        assert_eq!(of(&[("transfer-encoding", "gzip, chunked")]), Err(LengthError::Chunked));
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

//! HTTP Basic (RFC 7617): who a request says it comes from.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::model::access::Secret;

/// What the `Authorization` header says.
#[derive(Debug)]
pub enum Login {
    /// No Basic credentials at all.
    Absent,
    /// Basic was meant, but nobody can be told from it.
    Malformed,
    Sent(Credentials),
}

/// A user name and a password as they were sent. `Debug` shows neither: people paste passwords into the wrong field.
pub struct Credentials {
    pub user: String,
    pub password: Secret,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("redacted")
    }
}

/// The longest header that is looked into. An access URL's own takes 44 bytes.
const MAX_HEADER_BYTES: usize = 1024;

/// Reads the one `Authorization` header. The scheme's case does not matter; two headers, more than 1 KiB, anything but padded
/// base64, and a missing colon are malformed.
pub fn login(headers: &HeaderMap) -> Login {
    let mut lines = headers.get_all(AUTHORIZATION).iter().map(http::HeaderValue::as_bytes);
    match (lines.next(), lines.next()) {
        (None, _) => Login::Absent,
        (Some(line), None) if !is_basic(line) => Login::Absent,
        (Some(line), None) => credentials(line).map_or(Login::Malformed, Login::Sent),
        (Some(_), Some(_)) => Login::Malformed,
    }
}

fn is_basic(line: &[u8]) -> bool {
    let scheme = line.split(|byte| *byte == b' ').next().unwrap_or_default();
    scheme.eq_ignore_ascii_case(b"basic")
}

fn credentials(line: &[u8]) -> Option<Credentials> {
    if line.len() > MAX_HEADER_BYTES {
        return None;
    }
    let encoded = line.get(b"basic".len()..)?;
    let encoded = &encoded[encoded.iter().position(|byte| *byte != b' ')?..];
    let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some(Credentials { user: user.to_owned(), password: Secret::presented(password) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};

    fn parse(lines: &[&[u8]]) -> Login {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(AUTHORIZATION, http::HeaderValue::from_bytes(line).expect("a test's header is valid"));
        }
        login(&headers)
    }

    fn sent(line: &str) -> Option<(String, String)> {
        match parse(&[line.as_bytes()]) {
            Login::Sent(credentials) => Some((credentials.user, credentials.password.reveal().to_owned())),
            Login::Absent | Login::Malformed => None,
        }
    }

    fn pair(user: &str, password: &str) -> Option<(String, String)> {
        Some((user.to_owned(), password.to_owned()))
    }

    #[test]
    fn the_scheme_is_case_insensitive_and_the_password_keeps_its_colons() {
        for scheme in ["Basic", "basic", "BASIC", "bAsIc", "Basic  "] {
            assert_eq!(sent(&format!("{scheme} WTIxUjNQOmE6Yg==")), pair("Y21R3P", "a:b"), "{scheme}");
        }
        assert_eq!(sent("Basic Og=="), pair("", ""));
    }

    #[test]
    fn what_is_not_basic_is_absent() {
        assert!(matches!(parse(&[]), Login::Absent));
        for line in ["Bearer abc", "Basically WTpi", "", "Digest username=\"x\"", "\tBasic WTpi"] {
            assert!(matches!(parse(&[line.as_bytes()]), Login::Absent), "{line}");
        }
    }

    #[test]
    fn odd_basic_headers_are_malformed() {
        let long = format!("Basic {}", "QUFB".repeat(300));
        let odd = ["Basic", "Basic ", "Basic WTpi WTpi", "Basic W Tpi", "Basic WTpi\t", "Basic WTpi=", "Basic YWJj", "Basic WTpiCg", &long];
        for line in odd {
            assert!(matches!(parse(&[line.as_bytes()]), Login::Malformed), "{line}");
        }
        assert!(matches!(parse(&[b"Basic \xff\xfe"]), Login::Malformed));
        assert!(matches!(parse(&[b"Basic gTphgQ=="]), Login::Malformed), "not UTF-8 after decoding");
    }

    #[test]
    fn two_headers_are_malformed_even_when_they_agree() {
        assert!(matches!(parse(&[b"Basic WTpi", b"Basic WTpi"]), Login::Malformed));
        assert!(matches!(parse(&[b"Bearer x", b"Basic WTpi"]), Login::Malformed));
    }

    #[test]
    fn a_header_of_1_kib_is_read_and_one_byte_more_is_not() {
        let header = |letters: usize| format!("Basic {}", STANDARD.encode(format!("u:{}", "p".repeat(letters))));
        let fits = (0..800).rev().find(|letters| header(*letters).len() <= 1024).expect("some length fits");
        assert!(sent(&header(fits)).is_some());
        assert!(sent(&header(fits + 3)).is_none());
    }

    #[test]
    fn debug_shows_nothing() {
        let shown = format!("{:?}", parse(&[b"Basic WTIxUjNQOmE6Yg=="]));
        assert!(!shown.contains("Y21R3P") && !shown.contains("a:b"), "{shown}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(crate::server::headers::CASES))]

        #[test]
        fn every_pair_comes_back(user in "[^:\\p{Cc}]{0,40}", password in "\\PC{0,60}") {
            let header = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
            prop_assert_eq!(sent(&header), pair(&user, &password));
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(value) = http::HeaderValue::from_bytes(&bytes) {
                let mut headers = HeaderMap::new();
                headers.append(AUTHORIZATION, value);
                let is_basic = bytes.len() >= 5 && bytes[..5].eq_ignore_ascii_case(b"basic") && bytes.get(5).is_none_or(|byte| *byte == b' ');
                prop_assert!(is_basic != matches!(login(&headers), Login::Absent));
            }
        }
    }
}

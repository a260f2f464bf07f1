//! Digests that a client sends along: `Repr-Digest`, `Content-Digest` (RFC 9530), and `X-Content-SHA256` in hexadecimal.

use http::HeaderMap;
use sfv::{BareItem, Dictionary, ListEntry, Parser};

use crate::model::digest::Sha256Digest;

/// Which header cannot be read. `Display` is the text that a client reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DigestFieldError {
    #[error("{0} is malformed: a SHA-256 is written sha-256=:BASE64: (RFC 9530)")]
    Structured(&'static str),
    #[error("X-Content-SHA256 is malformed: a SHA-256 is 64 hexadecimal digits")]
    Hexadecimal,
}

const STRUCTURED: [&str; 2] = ["repr-digest", "content-digest"];
const SHOWN: [&str; 2] = ["Repr-Digest", "Content-Digest"];
const HEXADECIMAL: &str = "x-content-sha256";

/// Every SHA-256 that the headers name, in any order; empty when there is none. Other algorithms are ignored.
pub fn sent_digests(headers: &HeaderMap) -> Result<Vec<Sha256Digest>, DigestFieldError> {
    let mut digests = Vec::new();
    for (name, shown) in STRUCTURED.into_iter().zip(SHOWN) {
        digests.extend(structured(headers, name).map_err(|Malformed| DigestFieldError::Structured(shown))?);
    }
    for line in headers.get_all(HEXADECIMAL) {
        let digest = line.to_str().ok().and_then(|text| text.parse().ok());
        digests.push(digest.ok_or(DigestFieldError::Hexadecimal)?);
    }
    Ok(digests)
}

struct Malformed;

fn structured(headers: &HeaderMap, name: &'static str) -> Result<Option<Sha256Digest>, Malformed> {
    if !headers.contains_key(name) {
        return Ok(None);
    }
    let text = super::joined(headers, name).ok_or(Malformed)?;
    let members: Dictionary = Parser::new(&text).parse().map_err(|_| Malformed)?;
    match members.get("sha-256") {
        None => Ok(None),
        Some(ListEntry::Item(item)) => match &item.bare_item {
            BareItem::ByteSequence(bytes) => Sha256Digest::from_slice(bytes).map(Some).map_err(|_| Malformed),
            _ => Err(Malformed),
        },
        Some(ListEntry::InnerList(_)) => Err(Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};

    fn parse(lines: &[(&'static str, &str)]) -> Result<Vec<Sha256Digest>, DigestFieldError> {
        let mut headers = HeaderMap::new();
        for (name, line) in lines {
            headers.append(*name, line.parse().expect("a test's header is valid"));
        }
        sent_digests(&headers)
    }

    const EMPTY: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

    fn empty() -> Sha256Digest {
        Sha256Digest::of(b"")
    }

    #[test]
    fn each_header_is_read_and_all_are_kept() {
        let plain = format!("sha-256=:{EMPTY}:");
        assert_eq!(parse(&[]), Ok(vec![]));
        assert_eq!(parse(&[("repr-digest", &plain)]), Ok(vec![empty()]));
        assert_eq!(parse(&[("content-digest", &plain)]), Ok(vec![empty()]));
        assert_eq!(parse(&[("x-content-sha256", &empty().hex())]), Ok(vec![empty()]));
        assert_eq!(parse(&[("x-content-sha256", &empty().hex().to_uppercase())]), Ok(vec![empty()]));
        let other = Sha256Digest::of(b"other");
        assert_eq!(parse(&[("repr-digest", &plain), ("x-content-sha256", &other.hex())]), Ok(vec![empty(), other]));
    }

    #[test]
    fn other_algorithms_and_parameters_are_ignored() {
        let line = format!("sha-512=:AAAA:, sha-256=:{EMPTY}:;p=1, md5=x");
        assert_eq!(parse(&[("repr-digest", &line)]), Ok(vec![empty()]));
        assert_eq!(parse(&[("repr-digest", "sha-512=:AAAA:")]), Ok(vec![]));
        assert_eq!(parse(&[("repr-digest", "md5=:AAAA:"), ("repr-digest", &format!("sha-256=:{EMPTY}:"))]), Ok(vec![empty()]));
        assert_eq!(parse(&[("repr-digest", "")]), Ok(vec![]));
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_header_named() {
        let odd =
            ["sha-256", "sha-256=", "sha-256=:AAAA:", "sha-256=:!!!:", "sha-256=\"x\"", "sha-256=(:AAAA:)", "SHA-256=:AAAA:", "=:", "a,,b"];
        for line in odd {
            assert_eq!(parse(&[("repr-digest", line)]), Err(DigestFieldError::Structured("Repr-Digest")), "{line}");
            assert_eq!(parse(&[("content-digest", line)]), Err(DigestFieldError::Structured("Content-Digest")), "{line}");
        }
        let hex = empty().hex();
        for line in ["", "abc", &hex[1..], &format!("{hex}00"), &format!("{hex}, {hex}"), &hex.replace('e', "g")] {
            assert_eq!(parse(&[("x-content-sha256", line)]), Err(DigestFieldError::Hexadecimal), "{line}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(crate::server::headers::CASES))]

        #[test]
        fn every_digest_comes_back(bytes in any::<[u8; 32]>()) {
            let digest = Sha256Digest(bytes);
            prop_assert_eq!(parse(&[("repr-digest", &digest.structured()), ("x-content-sha256", &digest.hex())]), Ok(vec![digest; 2]));
        }

        #[test]
        fn no_text_panics_or_makes_up_a_digest(line in "[ -~]{0,80}") {
            if let Ok(digests) = parse(&[("repr-digest", &line)]) {
                prop_assert!(digests.is_empty() || line.contains("sha-256=:"), "{}", line);
            }
        }
    }
}

//! `Content-Disposition` (RFC 6266): every download is an attachment, so nothing that was uploaded runs in our origin.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::model::file_name::FileName;

/// What RFC 5987 calls `attr-char` stays as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// `attachment` with the last segment of the name: whole in `filename*`, and in `filename` with `_` for what not every
/// client reads alike.
pub fn attachment(name: &FileName) -> String {
    let segment = name.last_segment();
    let plain: String = segment.chars().map(|letter| if is_safe(letter) { letter } else { '_' }).collect();
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", utf8_percent_encode(segment, ENCODED))
}

/// `"` and `\` end or escape the quoted form, `%` is decoded by some clients, `/` is none of a file's name.
fn is_safe(letter: char) -> bool {
    (letter == ' ' || letter.is_ascii_graphic()) && !matches!(letter, '"' | '\\' | '%' | '/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};

    fn of(path: &str) -> String {
        attachment(&FileName::parse(path.as_bytes()).expect("a test's name is valid"))
    }

    #[test]
    fn the_last_segment_is_named_both_ways() {
        assert_eq!(of("/db/dump.sql.gz"), "attachment; filename=\"dump.sql.gz\"; filename*=UTF-8''dump.sql.gz");
        assert_eq!(of("/a b;c.tar"), "attachment; filename=\"a b;c.tar\"; filename*=UTF-8''a%20b%3Bc.tar");
        assert_eq!(of("/x\"; y=\\z%41"), "attachment; filename=\"x_; y=_z_41\"; filename*=UTF-8''x%22%3B%20y%3D%5Cz%2541");
        assert_eq!(of("/é.html"), "attachment; filename=\"_.html\"; filename*=UTF-8''%C3%A9.html");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(crate::server::headers::CASES))]

        #[test]
        fn the_header_is_plain_text_and_the_name_comes_back(segment in "[^/\\p{Cc}]{1,60}") {
            if let Ok(name) = FileName::parse(format!("/a/{segment}").as_bytes()) {
                let header = attachment(&name);
                prop_assert!(http::HeaderValue::from_str(&header).is_ok());
                prop_assert_eq!(header.matches('"').count(), 2);
                let encoded = header.rsplit("UTF-8''").next().expect("split yields at least one part");
                prop_assert_eq!(percent_encoding::percent_decode_str(encoded).decode_utf8().expect("it was text"), segment);
            }
        }
    }
}

//! `FileName`: the only door from a URL path to a name.
//!
//! A name is a request path, percent-decoded once, with its leading `/`. Names are flat and compare byte by byte;
//! folders are only a way to read them. A name never becomes a path on disk as it is: see `store::blobs::key`.

use std::fmt;

/// A valid name: 2 to 768 bytes of UTF-8 with a leading `/`, at most 32 segments.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName(String);

pub const MAX_NAME_BYTES: usize = 768;
pub const MAX_SEGMENTS: usize = 32;

/// Which rule a name breaks. `Display` is the text that a client reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NameError {
    #[error("a name begins with /")]
    NoLeadingSlash,
    #[error("the file has no name: add one after the / of the URL")]
    Missing,
    #[error("a name has at most 768 bytes")]
    TooLong,
    #[error("a name is UTF-8 after percent-decoding")]
    NotUtf8,
    #[error("a % in a path is followed by two hexadecimal digits")]
    BadEscape,
    #[error("%2F in a path is ambiguous: write / for a folder")]
    EncodedSlash,
    #[error("a name has no control characters")]
    ControlCharacter,
    #[error("a name has no empty segment (//)")]
    EmptySegment,
    #[error("a name has no segment . or ..")]
    DotSegment,
    #[error("a name has at most 32 segments")]
    TooManySegments,
    #[error("a name does not end with /")]
    TrailingSlash,
}

impl FileName {
    /// The name in a request's path, which is still percent-encoded; the query is no part of it.
    pub fn from_url_path(path: &str) -> Result<Self, NameError> {
        let bytes = decode(path)?;
        Self::parse(&bytes)
    }

    /// A name from its bytes, as the catalog keeps it.
    pub fn parse(bytes: &[u8]) -> Result<Self, NameError> {
        let text = std::str::from_utf8(bytes).map_err(|_| NameError::NotUtf8)?;
        let Some(rest) = text.strip_prefix('/') else { return Err(NameError::NoLeadingSlash) };
        if rest.is_empty() {
            return Err(NameError::Missing);
        }
        if text.len() > MAX_NAME_BYTES {
            return Err(NameError::TooLong);
        }
        if text.bytes().any(|byte| byte < 0x20 || byte == 0x7F) {
            return Err(NameError::ControlCharacter);
        }
        if rest.ends_with('/') {
            return Err(NameError::TrailingSlash);
        }
        let mut count = 0;
        for segment in rest.split('/') {
            count += 1;
            match segment {
                "" => return Err(NameError::EmptySegment),
                "." | ".." => return Err(NameError::DotSegment),
                _ if count > MAX_SEGMENTS => return Err(NameError::TooManySegments),
                _ => {}
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The name with its leading `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0[1..].split('/')
    }

    /// The last segment: what a browser saves the download as.
    pub fn last_segment(&self) -> &str {
        self.0.rsplit('/').next().expect("split yields at least one part")
    }

    /// The name as a URL path: every byte that is not unreserved (RFC 3986 §2.3) or `/` is percent-encoded.
    pub fn url_path(&self) -> String {
        const KEPT: &percent_encoding::AsciiSet =
            &percent_encoding::NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');
        percent_encoding::utf8_percent_encode(&self.0, KEPT).to_string()
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Debug for FileName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}", self.0)
    }
}

/// Decodes `%XX` once; `+` stays a plus.
fn decode(path: &str) -> Result<Vec<u8>, NameError> {
    let mut bytes = path.bytes();
    let mut decoded = Vec::with_capacity(path.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let (high, low) = (bytes.next().and_then(hex_digit), bytes.next().and_then(hex_digit));
        match (high, low) {
            (Some(2), Some(15)) => return Err(NameError::EncodedSlash),
            (Some(high), Some(low)) => decoded.push(high << 4 | low),
            _ => return Err(NameError::BadEscape),
        }
    }
    Ok(decoded)
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_rule_has_its_words() {
        let long = format!("/{}", "x".repeat(768));
        let deep = "/a".repeat(33);
        for (path, error) in [
            ("", NameError::NoLeadingSlash),
            ("a", NameError::NoLeadingSlash),
            ("/", NameError::Missing),
            ("/a/", NameError::TrailingSlash),
            ("//a", NameError::EmptySegment),
            ("/a//b", NameError::EmptySegment),
            ("/a/./b", NameError::DotSegment),
            ("/..", NameError::DotSegment),
            ("/%2e%2E/b", NameError::DotSegment),
            ("/a%2fb", NameError::EncodedSlash),
            ("/a%2Fb", NameError::EncodedSlash),
            ("/a%", NameError::BadEscape),
            ("/a%4", NameError::BadEscape),
            ("/a%zz", NameError::BadEscape),
            ("/a%00", NameError::ControlCharacter),
            ("/a%7f", NameError::ControlCharacter),
            ("/a%ff", NameError::NotUtf8),
            ("/%c0%ae%c0%ae/x", NameError::NotUtf8),
            (&long, NameError::TooLong),
            (&deep, NameError::TooManySegments),
        ] {
            assert_eq!(FileName::from_url_path(path), Err(error), "{path}");
        }
    }

    #[test]
    fn good_names_are_decoded_once() {
        for (path, name) in [
            ("/a", "/a"),
            ("/a+b", "/a+b"),
            ("/a%20b", "/a b"),
            ("/%2541", "/%41"),
            ("/a%5Cb", "/a\\b"),
            ("/..;/a", "/..;/a"),
            ("/%C3%A9", "/é"),
        ] {
            assert_eq!(FileName::from_url_path(path).expect(path).as_str(), name);
        }
        assert!(FileName::from_url_path(&format!("/{}", "x".repeat(767))).is_ok());
        assert!(FileName::from_url_path(&"/a".repeat(32)).is_ok());
    }

    proptest! {
        #[test]
        fn accepted_names_round_trip(path in "(/(\\PC|[%./a-f0-9]){0,6}){1,5}") {
            if let Ok(name) = FileName::from_url_path(&path) {
                prop_assert_eq!(FileName::from_url_path(&name.url_path()), Ok(name.clone()));
                prop_assert_eq!(FileName::parse(name.as_bytes()), Ok(name));
            }
        }
    }
}

//! The path of an item, and the form in which paths are compared.
//!
//! A compared form ends with a separator, so that a path is below another exactly when the other's form is how its own begins:
//! `/srv/www/`, `c:\websites\`, `\\server\share\`. Doubled separators and `.` are left out of it, and of Windows paths the letter case.

/// An absolute path on POSIX or Windows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ItemPath {
    text: String,
    raw: Option<Vec<u8>>,
    key: Vec<u8>,
}

/// Why a text names nothing that can be backed up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PathError {
    #[error("a path is empty")]
    Empty,
    #[error("a path holds a NUL character")]
    Nul,
    #[error("a path is not absolute: it begins with neither / nor a drive nor \\\\server\\share")]
    Relative,
    #[error("a path has .. in it")]
    Parent,
    #[error("the bytes of a path are no absolute POSIX path")]
    Raw,
}

impl ItemPath {
    /// `raw` are the bytes of a path that is not UTF-8; they count, and `text` is what people see.
    pub fn parse(text: &str, raw: Option<Vec<u8>>) -> Result<Self, PathError> {
        let key = key_of(text.as_bytes())?;
        let raw_key = raw.as_deref().map(|bytes| if bytes.starts_with(b"/") { key_of(bytes) } else { Err(PathError::Raw) });
        Ok(Self { text: text.to_owned(), key: raw_key.transpose()?.unwrap_or(key), raw })
    }

    /// As submitted.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// As submitted beside the text.
    pub fn raw(&self) -> Option<&[u8]> {
        self.raw.as_deref()
    }

    /// What the file system knows it by.
    pub fn bytes(&self) -> &[u8] {
        self.raw().unwrap_or(self.text.as_bytes())
    }

    /// Whether the two name the same place, however they are spelled.
    pub fn is_same(&self, other: &Self) -> bool {
        self.key == other.key
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }
}

/// The form in which a path is compared.
pub(super) fn key_of(path: &[u8]) -> Result<Vec<u8>, PathError> {
    match path {
        [] => Err(PathError::Empty),
        _ if path.contains(&0) => Err(PathError::Nul),
        [b'/', rest @ ..] => joined(b"/", rest.split(|byte| *byte == b'/'), b'/'),
        [drive, b':', b'\\' | b'/', ..] if drive.is_ascii_alphabetic() => joined(b"", windows_names(&lower_case(path)), b'\\'),
        [b'\\', b'\\', rest @ ..] if is_share(rest) => joined(br"\\", windows_names(&lower_case(rest)), b'\\'),
        _ => Err(PathError::Relative),
    }
}

fn joined<'a>(start: &[u8], names: impl Iterator<Item = &'a [u8]>, separator: u8) -> Result<Vec<u8>, PathError> {
    let mut key = start.to_vec();
    for name in names.filter(|name| !matches!(*name, b"" | b".")) {
        // What it leads to depends on the links before it: it could name what is included under another name.
        if name == b".." {
            return Err(PathError::Parent);
        }
        key.extend_from_slice(name);
        key.push(separator);
    }
    Ok(key)
}

fn windows_names(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| matches!(byte, b'\\' | b'/'))
}

/// `server\share`, and whatever comes then.
fn is_share(rest: &[u8]) -> bool {
    let mut names = windows_names(rest);
    let mut has_name = || names.next().is_some_and(|name| !name.is_empty());
    has_name() && has_name()
}

/// Letter by letter, so that no letter's neighbours matter; bytes that are not UTF-8 stay as they are.
fn lower_case(path: &[u8]) -> Vec<u8> {
    let mut lower = Vec::with_capacity(path.len());
    for chunk in path.utf8_chunks() {
        let letters: String = chunk.valid().chars().flat_map(char::to_lowercase).collect();
        lower.extend_from_slice(letters.as_bytes());
        lower.extend_from_slice(chunk.invalid());
    }
    lower
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> ItemPath {
        ItemPath::parse(text, None).expect("it is absolute")
    }

    #[test]
    fn spellings_of_one_place_are_the_same() {
        for (one, other) in [
            ("/srv/www", "/srv/www/"),
            ("/", "//"),
            ("/srv/./www", "//srv///www/."),
            (r"C:\Websites", r"c:\WEBSITES\"),
            (r"C:\", "c:/"),
            (r"C:\Übung\ΟΔΟΣ", r"c:\übung\οδοσ"),
            (r"\\Server\Share\x", r"\\server\SHARE\X\"),
        ] {
            assert!(path(one).is_same(&path(other)), "{one} {other}");
            assert_eq!(path(one).as_str(), one);
        }
    }

    #[test]
    fn spellings_of_two_places_are_not() {
        for (one, other) in [
            ("/srv/www", "/srv/WWW"),
            ("/srv/www", "/srv/www2"),
            ("/srv/...", "/srv"),
            (r"/a\b", "/a/b"),
            ("/c:/x", r"c:\x"),
            (r"\\server\share", "/server/share"),
            (r"C:\x", r"D:\x"),
        ] {
            assert!(!path(one).is_same(&path(other)), "{one} {other}");
        }
    }

    #[test]
    fn only_absolute_paths_are_taken() {
        for (text, error) in [
            ("", PathError::Empty),
            ("/a\0", PathError::Nul),
            ("~", PathError::Relative),
            ("~/www", PathError::Relative),
            ("srv/www", PathError::Relative),
            ("./www", PathError::Relative),
            (" /srv", PathError::Relative),
            ("C:", PathError::Relative),
            ("C:x", PathError::Relative),
            (r"CD:\x", PathError::Relative),
            (r"1:\x", PathError::Relative),
            (r"\x", PathError::Relative),
            (r"\\server", PathError::Relative),
            (r"\\server\", PathError::Relative),
            (r"\\\share", PathError::Relative),
            ("/srv/../etc", PathError::Parent),
            ("/..", PathError::Parent),
            (r"C:\x\..", PathError::Parent),
        ] {
            assert_eq!(ItemPath::parse(text, None), Err(error), "{text:?}");
        }
        for text in ["/~", "/srv/~x", "/srv/a..b", r"\\?\C:\x"] {
            assert!(ItemPath::parse(text, None).is_ok(), "{text}");
        }
    }

    #[test]
    fn raw_bytes_count_and_are_an_absolute_posix_path() {
        let raw = ItemPath::parse("/srv/\u{fffd}", Some(b"/srv/\xff/".to_vec())).expect("it is absolute");
        assert_eq!((raw.as_str(), raw.raw(), raw.bytes()), ("/srv/\u{fffd}", Some(&b"/srv/\xff/"[..]), &b"/srv/\xff/"[..]));
        assert!(!raw.is_same(&path("/srv/\u{fffd}")));
        assert_eq!(path("/srv").bytes(), b"/srv");
        for (bytes, error) in [
            (&b""[..], PathError::Raw),
            (b"srv", PathError::Raw),
            (br"C:\x", PathError::Raw),
            (b"/a\0", PathError::Nul),
            (b"/\xff/..", PathError::Parent),
        ] {
            assert_eq!(ItemPath::parse("/x", Some(bytes.to_vec())), Err(error), "{bytes:?}");
        }
        assert_eq!(ItemPath::parse("x", Some(b"/x".to_vec())), Err(PathError::Relative), "people see the text");
    }
}

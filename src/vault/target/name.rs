//! The only door from a backup's names to the file system: one path segment, which can name nothing but an entry of its own folder.

/// Why a name cannot be the name of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NameError {
    #[error("an entry has an empty name")]
    Empty,
    #[error("an entry is named like the folder itself or the one above it")]
    Dots,
    #[error("an entry's name holds a slash")]
    Slash,
    #[error("an entry's name holds a NUL")]
    Nul,
    #[error("an entry's name is too long")]
    TooLong,
}

/// No file system has longer names than 255 bytes; the rest is room for those to come.
const LONGEST: usize = 4000;

/// Whether this is one path segment.
pub fn check_name(name: &[u8]) -> Result<(), NameError> {
    match name {
        b"" => Err(NameError::Empty),
        b"." | b".." => Err(NameError::Dots),
        _ if name.contains(&b'/') => Err(NameError::Slash),
        _ if name.contains(&0) => Err(NameError::Nul),
        _ if name.len() > LONGEST => Err(NameError::TooLong),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_path_segment_is_a_name() {
        for good in [&b"a"[..], b"...", b"..a", b" ", b"\xff\xfe", b"a\nb", b"-rf", b"~", b"C:\\x", "é".as_bytes()] {
            assert_eq!(check_name(good), Ok(()));
        }
        for (bad, why) in [
            (&b""[..], NameError::Empty),
            (b".", NameError::Dots),
            (b"..", NameError::Dots),
            (b"/", NameError::Slash),
            (b"../x", NameError::Slash),
            (b"/etc/passwd", NameError::Slash),
            (b"a/", NameError::Slash),
            (b"a\0b", NameError::Nul),
            (&[b'a'; 4001], NameError::TooLong),
        ] {
            assert_eq!(check_name(bad), Err(why), "{}", String::from_utf8_lossy(bad));
        }
    }
}

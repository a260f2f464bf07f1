//! A file whose presence says that the folder it lies in is not worth keeping. The folder and that file are kept, and nothing else of it.

use std::fs::File;
use std::io::Read;
use std::os::fd::BorrowedFd;

use rustix::fs::{Mode, OFlags};

use crate::vault::source::metadata::stat_of;

/// What the Cache Directory Tagging Standard says.
const CACHE_NAME: &[u8] = b"CACHEDIR.TAG";
const CACHE_HEADER: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55";

/// `NAME[:HEADER]`: a name, and with what the file has to begin.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TagFile {
    name: Vec<u8>,
    header: Vec<u8>,
}

/// An option that names no file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the file that marks folders has no name, or one with / in it")]
pub struct TagFileError;

impl TagFile {
    /// The file of `--exclude-caches`.
    pub fn of_caches() -> Self {
        Self { name: CACHE_NAME.to_vec(), header: CACHE_HEADER.to_vec() }
    }

    /// What is behind the first `:` is the header; without one, any contents will do.
    pub fn parse(text: &[u8]) -> Result<Self, TagFileError> {
        let mut parts = text.splitn(2, |byte| *byte == b':');
        let (name, header) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if name.is_empty() || name.contains(&b'/') {
            return Err(TagFileError);
        }
        Ok(Self { name: name.to_vec(), header: header.to_vec() })
    }

    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Whether the folder has it. A file that cannot be read marks nothing, so that the folder is rather kept.
    pub fn marks(&self, folder: BorrowedFd<'_>) -> bool {
        if self.header.is_empty() {
            return stat_of(folder, &self.name).is_ok();
        }
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let Ok(fd) = rustix::fs::openat(folder, self.name.as_slice(), flags, Mode::empty()) else { return false };
        let mut begin = vec![0; self.header.len()];
        File::from(fd).read_exact(&mut begin).is_ok() && begin == self.header
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_needed_and_a_header_may_follow() {
        let of = |name: &[u8], header: &[u8]| Ok(TagFile { name: name.to_vec(), header: header.to_vec() });
        assert_eq!(TagFile::parse(b".nobackup"), of(b".nobackup", b""));
        assert_eq!(TagFile::parse(b"x:a:b"), of(b"x", b"a:b"));
        for text in [&b""[..], b":a", b"a/b"] {
            assert_eq!(TagFile::parse(text), Err(TagFileError));
        }
    }
}

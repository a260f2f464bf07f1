//! What a caller may conclude from an error of the system.

use std::io;

use rustix::io::Errno;

use super::{BlobError, BlobFault};

impl BlobFault {
    /// The fault that the system's error stands for; `Failed` for what has no meaning of its own.
    pub fn of(error: &io::Error) -> Self {
        match Errno::from_io_error(error) {
            Some(Errno::NOENT) => Self::NotFound,
            Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => Self::Full,
            Some(Errno::IO) => Self::Io,
            Some(Errno::ROFS | Errno::NOTCONN | Errno::CONNABORTED | Errno::NODEV | Errno::STALE) => Self::Unavailable,
            Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS) => Self::Unavailable,
            _ => Self::Failed,
        }
    }
}

impl BlobError {
    /// The error of `doing` something, with the fault that `source` stands for.
    pub fn new(doing: impl Into<String>, source: impl Into<io::Error>) -> Self {
        let source = source.into();
        Self { fault: BlobFault::of(&source), doing: doing.into(), source }
    }

    /// The same where what was being done was to write to an open file, or to sync. A file that is open for writing keeps everybody from
    /// making its file system read-only. One that says so all the same has given up after an error of its disk, and it tells only some of
    /// its callers of that error.
    pub fn of_writing(doing: impl Into<String>, source: impl Into<io::Error>) -> Self {
        let error = Self::new(doing, source);
        match Errno::from_io_error(&error.source) {
            Some(Errno::ROFS) => Self { fault: BlobFault::Io, ..error },
            _ => error,
        }
    }

    /// The same error for somebody else whom it hit.
    pub(super) fn again(&self) -> Self {
        let source = match self.source.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(self.source.kind(), self.source.to_string()),
        };
        Self { fault: self.fault, doing: self.doing.clone(), source }
    }

    /// A refusal of ours, in words.
    pub fn refused(doing: impl Into<String>, why: impl Into<String>) -> Self {
        Self { fault: BlobFault::Failed, doing: doing.into(), source: io::Error::other(why.into()) }
    }
}

/// Says what was being done when the system refused.
pub(super) trait Doing<T> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, BlobError>;
    /// For writes to an open file and for syncs: see [`BlobError::of_writing`].
    fn writing(self, what: impl FnOnce() -> String) -> Result<T, BlobError>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, BlobError> {
        self.map_err(|error| BlobError::new(what(), error))
    }

    fn writing(self, what: impl FnOnce() -> String) -> Result<T, BlobError> {
        self.map_err(|error| BlobError::of_writing(what(), error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_of_the_system_has_its_fault() {
        for (errno, fault) in [
            (Errno::NOENT, BlobFault::NotFound),
            (Errno::NOSPC, BlobFault::Full),
            (Errno::DQUOT, BlobFault::Full),
            (Errno::FBIG, BlobFault::Full),
            (Errno::IO, BlobFault::Io),
            (Errno::ROFS, BlobFault::Unavailable),
            (Errno::NOTCONN, BlobFault::Unavailable),
            (Errno::CONNABORTED, BlobFault::Unavailable),
            (Errno::NODEV, BlobFault::Unavailable),
            (Errno::STALE, BlobFault::Unavailable),
            (Errno::MFILE, BlobFault::Unavailable),
            (Errno::NFILE, BlobFault::Unavailable),
            (Errno::NOMEM, BlobFault::Unavailable),
            (Errno::ACCESS, BlobFault::Failed),
            (Errno::ISDIR, BlobFault::Failed),
            (Errno::LOOP, BlobFault::Failed),
        ] {
            assert_eq!(BlobError::new("trying", errno).fault, fault, "{errno:?}");
        }
        assert_eq!(BlobError::refused("trying", "no").fault, BlobFault::Failed);
    }

    #[test]
    fn a_file_system_that_turns_read_only_under_an_open_file_has_met_an_error_of_its_disk() {
        for (errno, fault) in [(Errno::ROFS, BlobFault::Io), (Errno::NOSPC, BlobFault::Full), (Errno::NOTCONN, BlobFault::Unavailable)] {
            assert_eq!(BlobError::of_writing("trying", errno).fault, fault, "{errno:?}");
        }
    }
}

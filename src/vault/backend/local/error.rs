//! What the operating system's errors mean to a vault.

use std::fmt::Display;
use std::io::{self, ErrorKind};

use crate::vault::error::Error;

/// Of an error while `doing` something with `what`, a file of the repository.
pub fn failed(doing: &str, what: impl Display, error: io::Error) -> Error {
    let what = what.to_string();
    match error.kind() {
        ErrorKind::NotFound => Error::NotFound(what),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Error::Full(format!("{doing} {what}: {error}")),
        ErrorKind::PermissionDenied
        | ErrorKind::ReadOnlyFilesystem
        | ErrorKind::IsADirectory
        | ErrorKind::NotADirectory
        | ErrorKind::FileTooLarge => Error::Refused(format!("{doing} {what}: {error}")),
        _ => Error::Unavailable { doing: format!("{doing} {what}"), source: Box::new(error) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_and_a_used_up_quota_are_no_room() {
        for errno in [rustix::io::Errno::NOSPC, rustix::io::Errno::DQUOT] {
            assert!(matches!(failed("writing", "config", errno.into()), Error::Full(_)), "{errno}");
        }
        for errno in [rustix::io::Errno::ACCESS, rustix::io::Errno::PERM, rustix::io::Errno::ROFS] {
            assert!(matches!(failed("writing", "config", errno.into()), Error::Refused(_)), "{errno}");
        }
        assert!(matches!(failed("syncing", "config", rustix::io::Errno::IO.into()), Error::Unavailable { .. }));
    }
}

//! What SQLite's errors mean.

use std::path::Path;

use ::rusqlite::{Error, ErrorCode, ffi};
use rustix::io::Errno;

use super::super::{CatalogError, Fault};

/// The text of an engine's error, without the SQL that the driver would print again.
#[derive(Debug, thiserror::Error)]
#[error("SQLite: {message} (code {code})")]
pub(super) struct Cause {
    message: String,
    code: i32,
}

/// A statement that failed; it did not happen.
pub(super) fn statement(error: &Error, doing: String) -> CatalogError {
    CatalogError::with_source(of_statement(error), doing, cause(error))
}

/// Opening a file that is there.
pub(super) fn opening(error: &Error, path: &Path) -> CatalogError {
    let damaged = matches!(code(error), Some((ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _)));
    let hint = if damaged { ", it is damaged: put a copy back, or move it away and run `strongroom catalog rebuild`" } else { "" };
    CatalogError::with_source(of_statement(error), format!("opening {}{hint}", path.display()), cause(error))
}

pub(super) fn of_statement(error: &Error) -> Fault {
    match code(error) {
        Some((ErrorCode::DiskFull, _) | (_, ffi::SQLITE_IOERR_SHMSIZE)) => Fault::Full,
        Some((ErrorCode::SystemIoFailure, _)) => Fault::Io,
        Some((
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::OutOfMemory
            | ErrorCode::OperationInterrupted
            | ErrorCode::CannotOpen
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::ReadOnly,
            _,
        )) => Fault::Unavailable,
        _ => Fault::Failed,
    }
}

/// A COMMIT that failed. `still_open` says that the engine left the transaction as it was, `is_full` that the disk, a quota or a limit
/// had no room. That is certain: the frame that would have committed was not written. After any other disk error that frame may be on
/// the disk, and a restart may find it.
pub(super) fn of_commit(error: &Error, still_open: bool, is_full: bool) -> Fault {
    match code(error) {
        _ if is_full => Fault::Full,
        Some((ErrorCode::DiskFull, _)) => Fault::Full,
        Some((ErrorCode::DatabaseBusy, _)) if still_open => Fault::Unavailable,
        Some((ErrorCode::ConstraintViolation, _)) if still_open => Fault::Failed,
        _ => Fault::InDoubt,
    }
}

/// What an I/O error is, with the system's word for it: SQLite calls every refused write one but that of a full disk. A quota and a
/// limit on file sizes are full disks, too, and a file system that was taken away may come back. A failed sync is never any of these, nor
/// is a write to a file system that has turned read-only: nobody can make it so while the catalog is open, it has met a disk error.
pub(super) fn of_io(extended: i32, system: Option<Errno>) -> Fault {
    match system {
        _ if matches!(extended, ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC) => Fault::Io,
        _ if extended == ffi::SQLITE_IOERR_SHMSIZE => Fault::Full,
        Some(Errno::ROFS) if matches!(extended, ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_TRUNCATE) => Fault::Io,
        Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => Fault::Full,
        Some(Errno::ROFS | Errno::NOTCONN | Errno::NODEV | Errno::STALE | Errno::MFILE | Errno::NFILE | Errno::NOMEM) => Fault::Unavailable,
        _ => Fault::Io,
    }
}

/// Whether SQLite calls it an error of the disk.
pub(super) fn is_io(error: &Error) -> bool {
    matches!(code(error), Some((ErrorCode::SystemIoFailure, _)))
}

pub(super) fn cause(error: &Error) -> Cause {
    let code = code(error).map_or(0, |(_, extended)| extended);
    let message = match error {
        Error::SqliteFailure(_, Some(message)) | Error::SqlInputError { msg: message, .. } => message.clone(),
        other => other.to_string(),
    };
    Cause { message, code }
}

fn code(error: &Error) -> Option<(ErrorCode, i32)> {
    match error {
        Error::SqliteFailure(error, _) | Error::SqlInputError { error, .. } => Some((error.code, error.extended_code)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(extended: i32) -> Error {
        Error::SqliteFailure(ffi::Error::new(extended), None)
    }

    #[test]
    fn a_commit_that_met_a_disk_error_is_in_doubt_and_one_that_met_a_full_disk_is_not() {
        assert_eq!(of_commit(&failure(ffi::SQLITE_IOERR_FSYNC), false, false), Fault::InDoubt);
        assert_eq!(of_commit(&failure(ffi::SQLITE_IOERR_WRITE), true, false), Fault::InDoubt);
        assert_eq!(of_commit(&failure(ffi::SQLITE_CORRUPT), false, false), Fault::InDoubt);
        assert_eq!(of_commit(&failure(ffi::SQLITE_FULL), false, false), Fault::Full);
    }

    #[test]
    fn a_busy_commit_is_certain_only_while_the_transaction_is_open() {
        assert_eq!(of_commit(&failure(ffi::SQLITE_BUSY), true, false), Fault::Unavailable);
        assert_eq!(of_commit(&failure(ffi::SQLITE_BUSY), false, false), Fault::InDoubt);
    }

    #[test]
    fn a_shared_memory_file_without_room_is_a_full_disk_and_no_disk_error() {
        assert_eq!(of_statement(&failure(ffi::SQLITE_IOERR_SHMSIZE)), Fault::Full);
        assert_eq!(of_io(ffi::SQLITE_IOERR_SHMSIZE, Some(Errno::IO)), Fault::Full);
        assert_eq!(of_statement(&failure(ffi::SQLITE_IOERR_READ)), Fault::Io);
    }

    #[test]
    fn only_a_disk_that_fails_is_a_disk_error() {
        for (extended, system, fault) in [
            (ffi::SQLITE_IOERR_WRITE, Errno::IO, Fault::Io),
            (ffi::SQLITE_IOERR_WRITE, Errno::DQUOT, Fault::Full),
            (ffi::SQLITE_IOERR_WRITE, Errno::FBIG, Fault::Full),
            (ffi::SQLITE_IOERR_WRITE, Errno::ROFS, Fault::Io),
            (ffi::SQLITE_IOERR_DELETE, Errno::ROFS, Fault::Unavailable),
            (ffi::SQLITE_IOERR_WRITE, Errno::NOTCONN, Fault::Unavailable),
            (ffi::SQLITE_IOERR_FSYNC, Errno::ROFS, Fault::Io),
            (ffi::SQLITE_IOERR_DIR_FSYNC, Errno::NOSPC, Fault::Io),
        ] {
            assert_eq!(of_io(extended, Some(system)), fault, "{extended} {system:?}");
        }
    }
}

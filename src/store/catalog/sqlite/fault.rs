//! What SQLite's errors mean.

use std::path::Path;

use ::rusqlite::{Error, ErrorCode, ffi};

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
            | ErrorCode::FileLockingProtocolFailed,
            _,
        )) => Fault::Unavailable,
        _ => Fault::Failed,
    }
}

/// A COMMIT that failed. `still_open` says that the engine left the transaction as it was. A full disk is certain: the frame
/// that would have committed was not written. After any other disk error that frame may be on the disk, and a restart may find it.
pub(super) fn of_commit(error: &Error, still_open: bool) -> Fault {
    match code(error) {
        Some((ErrorCode::DiskFull, _)) => Fault::Full,
        Some((ErrorCode::DatabaseBusy, _)) if still_open => Fault::Unavailable,
        Some((ErrorCode::ConstraintViolation, _)) if still_open => Fault::Failed,
        _ => Fault::InDoubt,
    }
}

/// Whether the disk failed, rather than ran full: a shared-memory file that cannot grow is the latter.
pub(super) fn is_disk_error(error: &Error) -> bool {
    matches!(code(error), Some((ErrorCode::SystemIoFailure, extended)) if extended != ffi::SQLITE_IOERR_SHMSIZE)
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
        assert_eq!(of_commit(&failure(ffi::SQLITE_IOERR_FSYNC), false), Fault::InDoubt);
        assert_eq!(of_commit(&failure(ffi::SQLITE_IOERR_WRITE), true), Fault::InDoubt);
        assert_eq!(of_commit(&failure(ffi::SQLITE_CORRUPT), false), Fault::InDoubt);
        assert_eq!(of_commit(&failure(ffi::SQLITE_FULL), false), Fault::Full);
    }

    #[test]
    fn a_busy_commit_is_certain_only_while_the_transaction_is_open() {
        assert_eq!(of_commit(&failure(ffi::SQLITE_BUSY), true), Fault::Unavailable);
        assert_eq!(of_commit(&failure(ffi::SQLITE_BUSY), false), Fault::InDoubt);
    }

    #[test]
    fn a_shared_memory_file_without_room_is_a_full_disk_and_no_disk_error() {
        assert_eq!(of_statement(&failure(ffi::SQLITE_IOERR_SHMSIZE)), Fault::Full);
        assert!(!is_disk_error(&failure(ffi::SQLITE_IOERR_SHMSIZE)));
        assert_eq!(of_statement(&failure(ffi::SQLITE_IOERR_READ)), Fault::Io);
        assert!(is_disk_error(&failure(ffi::SQLITE_IOERR_FSYNC)));
    }
}

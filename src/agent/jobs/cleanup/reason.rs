//! Why a cleanup failed, in the words of the API.

use std::error::Error as _;
use std::io::ErrorKind;

use crate::vault::error::Error;

/// The API's word, and a sentence for people.
pub(super) fn reason(error: &Error) -> (&'static str, String) {
    let word = match error {
        Error::NoRepository(_) => "VaultMissing",
        Error::WrongPassword => "MissingPassword",
        Error::Full(_) => "QuotaExceeded",
        Error::Unavailable { .. } => "StorageUnavailable",
        Error::Local { source, .. } if source.kind() == ErrorKind::StorageFull => "OutOfDiskSpace",
        _ => "AgentError",
    };
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        text = format!("{text}: {deeper}");
        cause = deeper.source();
    }
    (word, text)
}

//! What an error of the vault means for a run: the reason of its report, and a sentence for people.

use std::error::Error as _;

use crate::vault::error::Error;

/// The reason of a failed run (Cloud Backup API v1.0, backup report), and one sentence. [`Error::Cancelled`] is for the leash to explain.
pub fn reason(error: &Error) -> (&'static str, String) {
    let reason = match error {
        Error::NoRepository(_) => "VaultMissing",
        Error::WrongPassword => "MissingPassword",
        Error::Full(why) if why.to_lowercase().contains("quota") => "QuotaExceeded",
        Error::Full(_) => "OutOfDiskSpace",
        Error::Local { source, .. } if is_full(source) => "OutOfDiskSpace",
        Error::Unavailable { .. } => "StorageUnavailable",
        // An outage, whatever it says: a wrong host, an older catalog, a proxy.
        Error::Refused(why) if why.contains("401 Unauthorized") => "StorageUnavailable",
        _ => "AgentError",
    };
    (reason, sentence(&told(error)))
}

/// The error and its causes, the outermost first.
pub fn told(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

/// As reports have them: a capital letter, and a full stop.
pub fn sentence(text: &str) -> String {
    let mut letters = text.trim().trim_end_matches('.').chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the server words its two answers 507.
    const OVER_QUOTA: &str = "507 Insufficient Storage: The account's quota is 10 bytes, of which 7 bytes are used";
    const DISK_FULL: &str = "507 Insufficient Storage: The server's disk is full";

    #[test]
    fn an_error_of_the_vault_has_a_reason_and_a_sentence() {
        let io = |kind| std::io::Error::from(kind);
        let local = |kind| Error::Local { path: "/x".to_owned(), source: io(kind) };
        for (error, expected) in [
            (Error::NoRepository("x".to_owned()), "VaultMissing"),
            (Error::WrongPassword, "MissingPassword"),
            (Error::Full(OVER_QUOTA.to_owned()), "QuotaExceeded"),
            (Error::Full(DISK_FULL.to_owned()), "OutOfDiskSpace"),
            (local(std::io::ErrorKind::StorageFull), "OutOfDiskSpace"),
            (local(std::io::ErrorKind::PermissionDenied), "AgentError"),
            (Error::Unavailable { doing: "reading config".to_owned(), source: "no route".into() }, "StorageUnavailable"),
            (Error::Refused("reading config: 401 Unauthorized".to_owned()), "StorageUnavailable"),
            (Error::Refused("reading config: 403 Forbidden".to_owned()), "AgentError"),
            (Error::damaged("config", "no JSON"), "AgentError"),
            (Error::Locked("somebody".to_owned()), "AgentError"),
        ] {
            let (reason, note) = reason(&error);
            assert_eq!(reason, expected, "{error:?}");
            assert!(note.ends_with('.') && !note.starts_with(char::is_lowercase), "{note}");
        }
    }

    #[test]
    fn a_sentence_tells_all_causes() {
        let error = Error::Unavailable { doing: "reading config".to_owned(), source: "no route".into() };
        assert_eq!(reason(&error).1, "Reading config failed: no route.");
        assert_eq!(sentence("übung."), "Übung.");
    }
}

//! Every outcome of a store call that is not success, as an answer.

use http::StatusCode;

use super::{ApiError, SOON_SECONDS};
use crate::model::instant::Instant;
use crate::model::stored_file::StoredFile;
use crate::store;

/// Suspended writes last until somebody restarts the server.
const LATER_SECONDS: u64 = 300;

impl ApiError {
    /// `now` is guarded time: it tells a living file from one whose name is still held.
    pub fn from_store(error: store::Error, now: Instant) -> Self {
        use store::Error as E;
        match error {
            E::NotFound => Self::not_found(),
            E::NameTaken(file) => Self::name_taken(&file, now),
            E::OverQuota { quota_bytes, used_bytes, needed_bytes } => Self::no_room(over_quota(quota_bytes, used_bytes, needed_bytes)),
            E::DiskFull { free_bytes, needed_bytes } => Self::no_room(disk_full(free_bytes, needed_bytes)),
            E::WrongSize { promised, received } => Self::bad_request(wrong_size(promised, received)),
            E::DigestMismatch { sent, computed } => Self::bad_request(format!(
                "The digest does not match: you sent SHA-256 {}, the bytes that arrived have {}. Nothing was stored. Send the file again.",
                sent.hex(),
                computed.hex()
            )),
            E::AccountClosed { reason } => Self::account_closed(&reason),
            // The store has logged these two itself, with what it was working on.
            E::Corrupt(_) => Self::failed(DAMAGED),
            E::WritesSuspended { reason } => Self::later(&suspended(&reason), LATER_SECONDS),
            E::InDoubt(cause) => Self::later(IN_DOUBT, SOON_SECONDS).caused_by(cause),
            E::NotEntered { disk_is_full: true, source } => Self::no_room(FULL_AND_IN_DOUBT.to_owned()).caused_by(source),
            // As after any fault of ours, nothing else of this connection is trusted.
            E::NotEntered { source, .. } => Self::later(IN_DOUBT, SOON_SECONDS).closing().caused_by(source),
            E::Unavailable(cause) => Self::unavailable(cause),
            // What else of this connection's request went wrong is not known either.
            E::Internal(cause) => Self::failed("The server failed. The operator finds more in its log.").closing().caused_by(cause),
        }
    }

    /// 405: the name belongs to `file`, which nothing can replace.
    pub fn name_taken(file: &StoredFile, now: Instant) -> Self {
        Self::not_allowed("GET, HEAD", taken_text(file, now)).describing(file)
    }

    fn no_room(text: String) -> Self {
        Self::new(StatusCode::INSUFFICIENT_STORAGE, text)
    }

    fn failed(text: &str) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, text)
    }

    fn later(text: &str, seconds: u64) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, text).retry_after(seconds)
    }
}

const DAMAGED: &str =
    "The stored bytes of this file are damaged or missing, so they are not sent. The operator finds more in the server's log.";
const IN_DOUBT: &str = "It is not known whether the file was stored: it may still appear. Sending it again is safe.";
const FULL_AND_IN_DOUBT: &str = "The server's disk is full. It is not known whether the file was stored: it may still appear. Sending it again \
                                 is safe, once the operator has made room.";

fn over_quota(quota_bytes: u64, used_bytes: u64, needed_bytes: u64) -> String {
    format!(
        "The account's quota is {quota_bytes} bytes, of which {used_bytes} bytes are used, and this file counts {needed_bytes} bytes. \
         Nothing was stored. Space comes back when files reach the end of their life, or the operator raises the quota."
    )
}

/// The reason is one of the store's fixed sentences, without any path.
fn suspended(reason: &str) -> String {
    format!("Nothing can be stored now: {reason}. What is stored can still be read.")
}

/// The figures are 0 where the disk filled up while it was written to.
fn disk_full(free_bytes: u64, needed_bytes: u64) -> String {
    if free_bytes == 0 {
        return "The server's disk is full: 0 bytes are free for uploads. Nothing was stored. Tell the operator, and send the file again \
                when there is room."
            .to_owned();
    }
    format!(
        "The server's disk has {free_bytes} bytes free for uploads, and this file needs {needed_bytes} bytes. Nothing was stored. Tell \
         the operator, and send the file again when there is room."
    )
}

fn wrong_size(promised: u64, received: u64) -> String {
    format!("{received} bytes arrived of the {promised} that Content-Length promised. Nothing was stored. Send the file again.")
}

fn taken_text(file: &StoredFile, now: Instant) -> String {
    let name = &file.name;
    if file.has_expired(now) {
        return format!(
            "{name} has reached the end of its life. Files cannot be replaced, and the name becomes free at {}: use another name until \
             then.",
            file.name_free_at().rfc3339()
        );
    }
    let kept =
        if file.expires_at == Instant::FOREVER { String::new() } else { format!(", and is kept until {}", file.expires_at.rfc3339()) };
    let damage = if file.damaged_at.is_some() { " Its stored bytes are damaged, so do store yours." } else { "" };
    format!("{name} is already stored{kept}. Files cannot be replaced: use another name.{damage}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::digest::Sha256Digest;
    use crate::server::fixture::{NOW, stored};
    use http::header::{ALLOW, ETAG, RETRY_AFTER};

    fn every_error() -> Vec<(store::Error, u16, bool)> {
        use store::Error as E;
        let cause = || "/var/data/blobs/A: SELECT 1".into();
        let sent = Sha256Digest::of(b"a");
        vec![
            (E::NotFound, 404, false),
            (E::NameTaken(Box::new(stored("/a", 1))), 405, false),
            (E::OverQuota { quota_bytes: 10, used_bytes: 7, needed_bytes: 5 }, 507, false),
            (E::DiskFull { free_bytes: 3, needed_bytes: 5 }, 507, false),
            (E::WrongSize { promised: 9, received: 4 }, 400, false),
            (E::DigestMismatch { sent, computed: Sha256Digest::of(b"b") }, 400, false),
            (E::AccountClosed { reason: "unpaid".to_owned() }, 403, false),
            (E::Corrupt(cause()), 500, false),
            (E::WritesSuspended { reason: "a disk error".to_owned() }, 503, true),
            (E::InDoubt(cause()), 503, true),
            (E::NotEntered { disk_is_full: false, source: cause() }, 503, true),
            (E::NotEntered { disk_is_full: true, source: cause() }, 507, false),
            (E::Unavailable(cause()), 503, true),
            (E::Internal(cause()), 500, false),
        ]
    }

    #[test]
    fn every_outcome_has_its_status_and_503_says_when_to_try_again() {
        for (error, status, has_retry) in every_error() {
            let shown = format!("{error:?}");
            let answer = ApiError::from_store(error, NOW);
            assert_eq!(answer.status.as_u16(), status, "{shown}");
            assert_eq!(answer.headers.iter().any(|(name, _)| name == RETRY_AFTER), has_retry, "{shown}");
        }
    }

    /// What was published may be adopted later: the client is told, and told that sending again is safe.
    #[test]
    fn nobody_hears_nothing_was_stored_of_what_may_still_appear() {
        use store::Error as E;
        let cause = || "the commit failed".into();
        let doubts = [
            E::InDoubt(cause()),
            E::NotEntered { disk_is_full: false, source: cause() },
            E::NotEntered { disk_is_full: true, source: cause() },
        ];
        for error in doubts {
            let text = ApiError::from_store(error, NOW).text;
            assert!(text.contains("may still appear") && text.contains("again is safe") && !text.contains("Nothing was stored"), "{text}");
        }
    }

    #[test]
    fn a_commit_in_doubt_says_that_the_file_may_appear_and_that_sending_it_again_is_safe() {
        let answer = ApiError::from_store(store::Error::InDoubt("the connection broke".into()), NOW);
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.text.contains("may still appear") && answer.text.contains("again is safe"), "{}", answer.text);
    }

    #[test]
    fn no_text_shows_a_cause() {
        for (error, _, _) in every_error() {
            let answer = ApiError::from_store(error, NOW);
            assert!(!answer.text.contains("/var") && !answer.text.contains("SELECT"), "{}", answer.text);
            assert!(answer.text.ends_with('.') && !answer.text.contains('\n') && !answer.text.contains("  "), "{}", answer.text);
        }
    }

    #[test]
    fn figures_and_digests_are_in_the_text() {
        let text = |error| ApiError::from_store(error, NOW).text;
        let over = text(store::Error::OverQuota { quota_bytes: 1001, used_bytes: 702, needed_bytes: 503 });
        assert!(["1001", "702", "503"].iter().all(|figure| over.contains(figure)), "{over}");
        let full = text(store::Error::DiskFull { free_bytes: 301, needed_bytes: 502 });
        assert!(["301", "502"].iter().all(|figure| full.contains(figure)), "{full}");
        assert!(text(store::Error::DiskFull { free_bytes: 0, needed_bytes: 0 }).contains("is full"));
        assert!(text(store::Error::WritesSuspended { reason: "a disk error".to_owned() }).contains("now: a disk error."));
        let (sent, computed) = (Sha256Digest::of(b"a"), Sha256Digest::of(b"b"));
        let mismatch = text(store::Error::DigestMismatch { sent, computed });
        assert!(mismatch.contains(&sent.hex()) && mismatch.contains(&computed.hex()), "{mismatch}");
    }

    #[test]
    fn a_taken_name_tells_what_is_stored_and_how_long() {
        let file = stored("/a", 1);
        let answer = ApiError::name_taken(&file, NOW);
        assert!(answer.text.contains("cannot be replaced") && answer.text.contains(&file.expires_at.rfc3339()), "{}", answer.text);
        assert_eq!(
            answer.headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            [ALLOW.as_str(), ETAG.as_str(), "repr-digest"]
        );
        assert_eq!(answer.headers[0].1, "GET, HEAD");
    }

    #[test]
    fn a_held_name_tells_when_it_becomes_free() {
        let file = stored("/a", 1);
        let text = ApiError::name_taken(&file, file.expires_at).text;
        assert!(text.contains(&file.name_free_at().rfc3339()) && text.contains("cannot be replaced"), "{text}");
        let kept = StoredFile { expires_at: Instant::FOREVER, ..file };
        assert!(!ApiError::name_taken(&kept, NOW).text.contains("until"));
    }
}

//! `ApiFault`: an error of the Cloud Backup API as its clients read it, and its cause as the log may.
//!
//! Always JSON, whatever `Accept` says: clients parse the body of every error. The message never holds a path of ours, SQL or a
//! version; those are in the cause.

use http::header::{ALLOW, CONNECTION, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};

use super::error::{Cause, chain};
use super::reply::{self, Body};
use crate::store;
use crate::wire::fault::{Fault, FaultKind};

/// What a handler ends with instead of an answer.
#[derive(Debug)]
pub struct ApiFault {
    fault: Fault,
    cause: Option<Cause>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// Of every body of this API.
pub const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
/// A challenge that no browser asks its user a password for.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Keystone uri=\"/v2.0/\"");
/// Most bytes of a message.
const MAX_MESSAGE_BYTES: usize = 1000;
const SOON_SECONDS: u64 = 10;
/// Suspended writes last until somebody restarts the server.
const LATER_SECONDS: u64 = 300;

impl ApiFault {
    /// A message that repeats what a client sent is cut where it grows long.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.len() > MAX_MESSAGE_BYTES {
            message.truncate(message.floor_char_boundary(MAX_MESSAGE_BYTES));
            message.push('…');
        }
        Self { fault: Fault::new(kind, message), cause: None, headers: Vec::new() }
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(FaultKind::BadRequest, message)
    }

    /// 401: who asks is not known.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Unauthorized, message).with(WWW_AUTHENTICATE, CHALLENGE)
    }

    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Forbidden, message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(FaultKind::ItemNotFound, message)
    }

    /// 404 for a path that is none of ours.
    pub fn no_path() -> Self {
        Self::not_found("There is no such path in this API.")
    }

    /// 405 with the methods that do work here.
    pub fn bad_method(allow: &'static str) -> Self {
        Self::new(FaultKind::BadMethod, format!("This path takes {allow} alone.")).with(ALLOW, HeaderValue::from_static(allow))
    }

    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Conflict, message)
    }

    /// 413: the body is too large; without a time to wait, since the same body never fits.
    pub fn too_large() -> Self {
        Self::new(FaultKind::OverLimit, "The body is larger than 1 MB (1,048,576 bytes).")
    }

    /// 413: too much was asked for; again after so many seconds.
    pub fn too_often(message: impl Into<String>, seconds: u64) -> Self {
        Self::new(FaultKind::OverLimit, message).retry_after(seconds)
    }

    pub fn not_implemented(message: impl Into<String>) -> Self {
        Self::new(FaultKind::NotImplemented, message)
    }

    /// 503: the store does not answer now.
    pub fn unavailable(cause: impl Into<Cause>) -> Self {
        Self::later("The store cannot be reached just now. Try again in a moment.", SOON_SECONDS).caused_by(cause)
    }

    /// 503: more at once than the server takes.
    pub fn busy() -> Self {
        Self::later("Too many large requests are under way. Try again in a moment.", SOON_SECONDS)
    }

    /// 500: a fault of ours; the cause is for the log alone.
    pub fn internal(cause: impl Into<Cause>) -> Self {
        Self::new(FaultKind::InstanceFault, "The server failed. The operator finds more in its log.").caused_by(cause)
    }

    fn later(message: &str, seconds: u64) -> Self {
        Self::new(FaultKind::ServiceUnavailable, message).retry_after(seconds)
    }

    /// Leaves `details` out, as the identity service does.
    pub fn without_details(mut self) -> Self {
        self.fault.details = None;
        self
    }

    /// What else there is to say; mostly nothing.
    pub fn with_details(mut self, details: impl Into<String>) -> Self {
        self.fault.details = Some(details.into());
        self
    }

    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub fn retry_after(self, seconds: u64) -> Self {
        self.with(RETRY_AFTER, seconds.into())
    }

    /// Ends the connection after the answer: what follows on it cannot be trusted to be a request.
    pub fn closing(self) -> Self {
        self.with(CONNECTION, HeaderValue::from_static("close"))
    }

    pub fn caused_by(mut self, cause: impl Into<Cause>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    pub const fn kind(&self) -> FaultKind {
        self.fault.kind
    }

    pub fn message(&self) -> &str {
        &self.fault.message
    }

    /// The answer. Writes the cause to the log, so this is the one place where a fault ends.
    pub fn into_response(self) -> Response<Body> {
        self.log();
        let status = StatusCode::from_u16(self.fault.kind.code()).expect("every kind of fault has a status");
        let mut response = json(status, self.fault.to_json());
        response.headers_mut().extend(self.headers);
        response
    }

    /// What only the client can change is no matter for the log.
    fn log(&self) {
        let Some(cause) = &self.cause else { return };
        let (status, cause) = (self.fault.kind.code(), chain(cause.as_ref()));
        if self.fault.kind == FaultKind::InstanceFault {
            tracing::error!(status, cause, "request failed");
        } else {
            tracing::warn!(status, cause, "request could not be served");
        }
    }
}

impl From<store::Error> for ApiFault {
    /// Every outcome of a store call that is not success. What has a better answer in one operation is caught there before.
    fn from(error: store::Error) -> Self {
        use store::Error as E;
        match error {
            E::NotFound => Self::not_found("There is no such thing here."),
            E::Unavailable(cause) => Self::unavailable(cause),
            E::WritesSuspended { .. } => {
                Self::later("Nothing can be changed until the operator has looked after the server's disk.", LATER_SECONDS)
            }
            E::DiskFull { .. } => Self::later("The server's disk is full: nothing was changed.", LATER_SECONDS),
            E::InDoubt(cause) => {
                Self::later("It is not known whether the change was made: look before you send it again.", SOON_SECONDS).caused_by(cause)
            }
            E::Corrupt(cause) | E::Internal(cause) => Self::internal(cause).closing(),
            // Uploads end so, and no call of this API makes one.
            error @ (E::NameTaken(_)
            | E::OverQuota { .. }
            | E::WrongSize { .. }
            | E::DigestMismatch { .. }
            | E::AccountClosed { .. }
            | E::NotEntered { .. }) => Self::internal(error).closing(),
        }
    }
}

/// A body of this API: JSON without a final newline, which nobody keeps.
pub fn json(status: StatusCode, body: String) -> Response<Body> {
    reply::whole(status, JSON, body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::digest::Sha256Digest;
    use crate::server::fixture::stored;
    use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
    use http_body_util::BodyExt as _;

    async fn answered(fault: ApiFault) -> (Response<()>, String) {
        let (parts, body) = fault.into_response().into_parts();
        let bytes = body.collect().await.expect("the body is at hand").to_bytes();
        (Response::from_parts(parts, ()), String::from_utf8(bytes.to_vec()).expect("it is text"))
    }

    #[tokio::test]
    async fn an_answer_is_json_that_nobody_keeps_and_ends_without_a_newline() {
        let (head, body) = answered(ApiFault::bad_request("No.").caused_by("SELECT 1")).await;
        assert_eq!(body, r#"{"badRequest":{"code":400,"message":"No.","details":""}}"#);
        let shown = [CONTENT_TYPE, CACHE_CONTROL, CONTENT_LENGTH].map(|name| head.headers()[name].to_str().expect("text").to_owned());
        assert_eq!(shown, ["application/json; charset=utf-8", "no-store", &body.len().to_string()]);
        assert_eq!(head.status(), 400);
        let (_, bare) = answered(ApiFault::forbidden("No.").without_details()).await;
        assert_eq!(bare, r#"{"forbidden":{"code":403,"message":"No."}}"#);
        let (_, told) = answered(ApiFault::conflict("No.").with_details("Why.")).await;
        assert_eq!(told, r#"{"conflict":{"code":409,"message":"No.","details":"Why."}}"#);
    }

    #[tokio::test]
    async fn a_message_that_repeats_a_long_text_is_cut() {
        let (_, body) = answered(ApiFault::not_found("ä".repeat(1_000_000))).await;
        assert_eq!(body, format!(r#"{{"itemNotFound":{{"code":404,"message":"{}…","details":""}}}}"#, "ä".repeat(500)));
    }

    #[tokio::test]
    async fn headers_say_what_to_do() {
        let header = async |fault, name: HeaderName| answered(fault).await.0.headers()[name].to_str().expect("text").to_owned();
        assert_eq!(header(ApiFault::bad_method("GET, HEAD"), ALLOW).await, "GET, HEAD");
        assert_eq!(header(ApiFault::too_often("Wait.", 7), RETRY_AFTER).await, "7");
        assert!(header(ApiFault::unauthorized("Who?"), WWW_AUTHENTICATE).await.starts_with("Keystone"));
        assert!(!answered(ApiFault::too_large()).await.0.headers().contains_key(RETRY_AFTER));
    }

    fn every_error() -> Vec<(store::Error, u16, bool)> {
        use store::Error as E;
        let cause = || "/var/data/blobs/A: SELECT 1".into();
        let digest = Sha256Digest::of(b"a");
        vec![
            (E::NotFound, 404, false),
            (E::Unavailable(cause()), 503, true),
            (E::WritesSuspended { reason: "/var/data: a disk error".to_owned() }, 503, true),
            (E::DiskFull { free_bytes: 3, needed_bytes: 5 }, 503, true),
            (E::InDoubt(cause()), 503, true),
            (E::Corrupt(cause()), 500, false),
            (E::Internal(cause()), 500, false),
            (E::NameTaken(Box::new(stored("/a", 1))), 500, false),
            (E::OverQuota { quota_bytes: 10, used_bytes: 7, needed_bytes: 5 }, 500, false),
            (E::WrongSize { promised: 9, received: 4 }, 500, false),
            (E::DigestMismatch { sent: digest, computed: digest }, 500, false),
            (E::AccountClosed { reason: "/var/data".to_owned() }, 500, false),
            (E::NotEntered { disk_is_full: true, source: cause() }, 500, false),
        ]
    }

    #[tokio::test]
    async fn every_outcome_of_the_store_has_its_status_and_none_shows_its_cause() {
        for (error, status, has_retry) in every_error() {
            let shown = format!("{error:?}");
            let (head, body) = answered(error.into()).await;
            assert_eq!((head.status().as_u16(), head.headers().contains_key(RETRY_AFTER)), (status, has_retry), "{shown}");
            assert!(!body.contains("/var") && !body.contains("SELECT"), "{body}");
        }
    }
}

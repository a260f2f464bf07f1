//! `ApiError`: a refusal or a failure as the client may read it, and its cause as the log may.
//!
//! The public text says what was wrong and what to do. It never holds a path of ours, SQL or a version; those are in the cause.

mod from_store;

use std::error::Error;

use http::header::{ALLOW, CONNECTION, ETAG, HeaderName, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};

use super::headers::accept::ErrorForm;
use super::headers::entity_tags::entity_tag;
use super::pages;
use super::reply::{self, Body};
use crate::model::stored_file::StoredFile;

pub type Cause = Box<dyn Error + Send + Sync>;

/// An answer that is not what the client hoped for.
#[derive(Debug)]
pub struct ApiError {
    pub status: StatusCode,
    /// Whole sentences without a final newline.
    pub text: String,
    cause: Option<Cause>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// A header that `http` has no name for.
pub const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
const SOON_SECONDS: u64 = 10;

impl ApiError {
    pub fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into(), cause: None, headers: Vec::new() }
    }

    pub fn bad_request(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    /// 503: catalog, disk or object store do not answer now.
    pub fn unavailable(cause: impl Into<Cause>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "The store cannot be reached just now. Try again in a moment.")
            .retry_after(SOON_SECONDS)
            .caused_by(cause)
    }

    /// 405 with the methods that do work here.
    pub fn not_allowed(allow: &'static str, text: impl Into<String>) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, text).with(ALLOW, HeaderValue::from_static(allow))
    }

    /// Says with a strong tag and a digest what is stored.
    pub fn describing(self, file: &StoredFile) -> Self {
        let value = |text: String| HeaderValue::try_from(text).expect("a digest is visible ASCII");
        self.with(ETAG, value(entity_tag(&file.sha256))).with(REPR_DIGEST, value(file.sha256.structured()))
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

    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "There is no file of this name here. GET / lists the files that there are.")
    }

    /// 403: the password was right, but the operator has closed the account.
    pub fn account_closed(reason: &str) -> Self {
        let reason = reason.trim_end_matches('.');
        Self::new(StatusCode::FORBIDDEN, format!("The account is disabled: {reason}. Its files are kept; ask the operator to enable it."))
    }

    /// Writes the cause to the log, once. What only the client can change is no matter for the log.
    pub fn log(&self) {
        let Some(cause) = &self.cause else { return };
        let status = self.status.as_u16();
        if self.status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(status, cause = chain(cause.as_ref()), "request failed");
        } else {
            tracing::warn!(status, cause = chain(cause.as_ref()), "request could not be served");
        }
    }

    /// The answer in the form that the client asked for. `home` is where its list is, if it has one.
    pub fn into_response(self, form: ErrorForm, home: Option<&str>) -> Response<Body> {
        let mut response = match form {
            ErrorForm::Text => reply::text(self.status, &self.text),
            ErrorForm::Problem => reply::whole(self.status, PROBLEM, problem(self.status, &self.text)),
            ErrorForm::Page => pages::respond(self.status, pages::error::page(self.status, &self.text, home)),
        };
        reply::varies(response.headers_mut());
        response.headers_mut().extend(self.headers);
        response
    }
}

/// RFC 9457. The status says all there is to say about the type.
fn problem(status: StatusCode, text: &str) -> String {
    let title = status.canonical_reason().unwrap_or("Error");
    format!("{}\n", serde_json::json!({ "type": "about:blank", "title": title, "status": status.as_u16(), "detail": text }))
}

/// An error and what caused it, each level once.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| (*error).source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::CONTENT_TYPE;
    use http_body_util::BodyExt as _;

    async fn answered(form: ErrorForm) -> (Response<()>, String) {
        let cause = std::io::Error::other("/var/data/catalog.db");
        let error = ApiError::new(StatusCode::NOT_FOUND, "No <such> file.").caused_by(cause).retry_after(7).closing();
        let (parts, body) = error.into_response(form, Some("/")).into_parts();
        let bytes = body.collect().await.expect("the body is at hand").to_bytes();
        (Response::from_parts(parts, ()), String::from_utf8(bytes.to_vec()).expect("it is text"))
    }

    #[tokio::test]
    async fn each_form_says_the_same() {
        for (form, content_type) in [
            (ErrorForm::Text, "text/plain; charset=utf-8"),
            (ErrorForm::Problem, "application/problem+json"),
            (ErrorForm::Page, "text/html; charset=utf-8"),
        ] {
            let (head, body) = answered(form).await;
            assert_eq!(head.status(), 404);
            let headers = [CONTENT_TYPE, RETRY_AFTER, CONNECTION, http::header::VARY, http::header::CACHE_CONTROL];
            let shown = headers.map(|name| head.headers()[name].to_str().expect("it is text").to_owned());
            assert_eq!(shown, [content_type, "7", "close", "Accept", "no-store"]);
            assert!(body.ends_with('\n') && !body.contains("/var"), "{body}");
            assert!(body.contains(if form == ErrorForm::Page { "No &lt;such&gt; file." } else { "No <such> file." }), "{body}");
        }
    }

    #[tokio::test]
    async fn a_problem_has_the_members_of_rfc_9457() {
        let (_, body) = answered(ErrorForm::Problem).await;
        let problem: serde_json::Value = serde_json::from_str(&body).expect("it is JSON");
        let expected = serde_json::json!({ "type": "about:blank", "title": "Not Found", "status": 404, "detail": "No <such> file." });
        assert_eq!(problem, expected);
    }

    #[test]
    fn the_log_gets_each_level_of_a_cause() {
        let inner = std::io::Error::other("disk gone");
        let outer = store_error(inner);
        assert_eq!(chain(&outer), "the store cannot be reached now: disk gone");
    }

    fn store_error(source: std::io::Error) -> crate::store::Error {
        crate::store::Error::Unavailable(Box::new(source))
    }
}

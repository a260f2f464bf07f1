//! Answers: bodies, and the headers that every one carries.

use std::error::Error;

use bytes::Bytes;
use futures_util::Stream;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use http::header::{HeaderName, LOCATION, REFERRER_POLICY, VARY, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full, StreamBody};
use hyper::body::Frame;

/// The body of every answer. An error ends the connection instead of the body, so nobody takes a part for the whole.
pub type Body = UnsyncBoxBody<Bytes, BodyError>;

pub type BodyError = Box<dyn Error + Send + Sync>;

/// For whatever is no page of ours: it may load nothing and run nothing, even where a browser shows it.
pub const SEALED_POLICY: HeaderValue = HeaderValue::from_static("sandbox; default-src 'none'; frame-ancestors 'none'");

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// No body, and no word about its length.
pub fn empty(status: StatusCode) -> Response<Body> {
    with_body(status, Body::new(Empty::new().map_err(|never| match never {})))
}

/// 204 for OPTIONS: the methods that work here.
pub fn options(allow: &'static str) -> Response<Body> {
    let mut response = empty(StatusCode::NO_CONTENT);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    response
}

/// A short text; the final newline is added here.
pub fn text(status: StatusCode, text: &str) -> Response<Body> {
    whole(status, TEXT, format!("{text}\n"))
}

/// A body that is at hand as a whole. Nobody keeps it: it says how things are now.
pub fn whole(status: StatusCode, content_type: HeaderValue, content: String) -> Response<Body> {
    let length = HeaderValue::from(content.len());
    let mut response = with_body(status, Body::new(Full::new(Bytes::from(content)).map_err(|never| match never {})));
    response.headers_mut().extend([(CONTENT_TYPE, content_type), (CONTENT_LENGTH, length), (CACHE_CONTROL, NO_STORE)]);
    response
}

/// Bytes that are at hand.
pub fn bytes(content: Bytes) -> Response<Body> {
    let length = HeaderValue::from(content.len());
    let mut response = with_body(StatusCode::OK, Body::new(Full::new(content).map_err(|never| match never {})));
    let kind = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().extend([(CONTENT_TYPE, kind), (CONTENT_LENGTH, length), (CACHE_CONTROL, NO_STORE)]);
    response
}

/// A body that is made while it is sent.
pub fn streamed(status: StatusCode, pieces: impl Stream<Item = Result<Bytes, BodyError>> + Send + 'static) -> Response<Body> {
    use futures_util::TryStreamExt as _;
    with_body(status, Body::new(StreamBody::new(pieces.map_ok(Frame::data))))
}

fn with_body(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

/// Puts a header of our own making, whose value is text that HTTP allows.
pub fn put(headers: &mut HeaderMap, name: HeaderName, value: impl Into<String>) {
    let value = HeaderValue::try_from(value.into()).expect("our own header values are visible ASCII");
    headers.insert(name, value);
}

/// What every answer carries: types are not guessed, nothing runs, other sites cannot embed it.
pub fn guard(headers: &mut HeaderMap, is_tls: bool) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(SEALED_POLICY);
    headers.entry(REFERRER_POLICY).or_insert(HeaderValue::from_static("same-origin"));
    if is_tls {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
}

/// What every answer under a session's URL carries, errors too: the URL is a secret, so no cache, no other site and no
/// search engine hears of it, and no browser is asked for a password.
pub fn guard_session(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(ROBOTS, HeaderValue::from_static("noindex, nofollow"));
    headers.remove(WWW_AUTHENTICATE);
}

/// The answer's form depends on `Accept`.
pub fn varies(headers: &mut HeaderMap) {
    headers.insert(VARY, HeaderValue::from_static("Accept"));
}

/// Sends the client on to `path` on this server.
pub fn see(status: StatusCode, path: String) -> Response<Body> {
    let mut response = empty(status);
    put(response.headers_mut(), LOCATION, path);
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_answer_is_kept_by_nobody_and_asks_for_no_password() {
        let mut response = text(StatusCode::UNAUTHORIZED, "x");
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
        guard_session(response.headers_mut());
        guard(response.headers_mut(), true);
        let shown: Vec<String> =
            ["cache-control", "referrer-policy", "x-robots-tag", "x-content-type-options", "strict-transport-security"]
                .map(|name| response.headers()[name].to_str().expect("it is text").to_owned())
                .to_vec();
        assert_eq!(shown, ["no-store", "no-referrer", "noindex, nofollow", "nosniff", "max-age=31536000"]);
        assert!(!response.headers().contains_key(WWW_AUTHENTICATE));
        assert_eq!(response.headers()[CONTENT_SECURITY_POLICY], SEALED_POLICY);
    }

    #[test]
    fn a_page_keeps_its_own_policy_and_plain_http_promises_no_tls() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'"));
        guard(&mut headers, false);
        assert_eq!(headers[CONTENT_SECURITY_POLICY], "default-src 'none'");
        assert!(!headers.contains_key(STRICT_TRANSPORT_SECURITY));
    }

    #[test]
    fn a_text_ends_with_a_newline() {
        let response = text(StatusCode::OK, "Stored /a");
        assert_eq!((&response.headers()[CONTENT_LENGTH], &response.headers()[CONTENT_TYPE]), (&HeaderValue::from(10), &TEXT));
    }
}

//! Which versions of the Cloud Backup API there are: `GET /` and `GET /v1.0`. Nobody has to log in for them.

use http::{Method, Response, StatusCode};

use super::fault::{self, ApiFault};
use super::reply::Body;
use super::request::RequestHead;
use crate::wire::versions;

const READING: &str = "GET, HEAD";

/// The list of all versions.
pub fn all(head: &RequestHead) -> Response<Body> {
    reading(head, versions::versions)
}

/// The one version by itself.
pub fn version(head: &RequestHead) -> Response<Body> {
    reading(head, versions::version)
}

fn reading(head: &RequestHead, document: fn(&str) -> String) -> Response<Body> {
    match *head.method() {
        Method::GET | Method::HEAD => fault::json(StatusCode::OK, document(&head.origin())),
        _ => ApiFault::bad_method(READING).into_response(),
    }
}

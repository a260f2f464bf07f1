//! The operations of the Cloud Backup API, below `/v1.0/`.

use http::Response;

use super::fault::ApiFault;
use super::reply::Body;
use super::request::RequestHead;
use super::request_body::RequestBody;

/// Answers one request; never fails: what goes wrong is an answer, too.
pub async fn answer(_head: &RequestHead, _body: &mut RequestBody) -> Response<Body> {
    ApiFault::no_path().into_response()
}

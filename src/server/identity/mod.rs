//! The identity service: users log in here, below `/v2.0/`, and as the oldest clients do with `GET /v1.0`.

mod login;
mod tokens;
mod users;
mod v1;

use http::{Method, Response};

use super::fault::ApiFault;
use super::reply::Body;
use super::request::RequestHead;
use super::request_body::RequestBody;

pub use v1::answer as answer_v1;

/// Answers one request below `/v2.0/`; one slash more at the end changes nothing. Never fails: what goes wrong is an answer, too.
pub async fn answer(head: &RequestHead, body: &mut RequestBody) -> Response<Body> {
    let path = head.path();
    let answer = match (path.strip_suffix('/').unwrap_or(path), head.method()) {
        ("/v2.0/tokens", &Method::POST) => tokens::post_tokens(head, body).await,
        ("/v2.0/tokens", _) => Err(ApiFault::bad_method("POST")),
        ("/v2.0/users", &Method::GET | &Method::HEAD) => users::find_user(head).await,
        ("/v2.0/users", _) => Err(ApiFault::bad_method("GET, HEAD")),
        _ => Err(ApiFault::no_path()),
    };
    answer.unwrap_or_else(|fault| fault.without_details().into_response())
}

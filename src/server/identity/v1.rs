//! `GET /v1.0`: with `X-Auth-User` and `X-Auth-Key` a login in headers, as the first clients did; else the version's document.

use http::header::HeaderName;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use super::login::log_in;
use crate::model::access::Secret;
use crate::model::user::Credential;
use crate::server::access_log::LoggedUser;
use crate::server::fault::ApiFault;
use crate::server::reply::{self, Body};
use crate::server::request::RequestHead;
use crate::server::token_auth::AUTH_TOKEN;
use crate::server::versions;

const AUTH_USER: HeaderName = HeaderName::from_static("x-auth-user");
const AUTH_KEY: HeaderName = HeaderName::from_static("x-auth-key");

/// Answers a request for `/v1.0` or `/v1.0/`.
pub async fn answer(head: &RequestHead) -> Response<Body> {
    let is_login = [AUTH_USER, AUTH_KEY].iter().any(|name| head.headers().contains_key(name));
    match *head.method() {
        Method::GET | Method::HEAD if is_login => make_token(head).await.unwrap_or_else(|fault| fault.without_details().into_response()),
        _ => versions::version(head),
    }
}

/// 204 with the token in a header.
async fn make_token(head: &RequestHead) -> Result<Response<Body>, ApiFault> {
    // What is missing or no text is a wrong login: it is looked for like any other.
    let (name, key) = (line(head.headers(), &AUTH_USER), Secret::presented(line(head.headers(), &AUTH_KEY)));
    let (secret, token) = log_in(head, name, Credential::ApiKey, &key, |_| true).await?;
    let mut response = reply::empty(StatusCode::NO_CONTENT);
    let mut value = HeaderValue::try_from(secret.reveal()).expect("a token is hexadecimal digits");
    value.set_sensitive(true);
    response.headers_mut().insert(AUTH_TOKEN, value);
    response.headers_mut().insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.extensions_mut().insert(LoggedUser(token.user.id));
    Ok(response)
}

fn line<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

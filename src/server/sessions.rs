//! Sessions: a URL that reads one account for 24 hours, made with MAKESESSION, used without a password.

use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderValue, Method, Response, StatusCode};

use super::auth::challenge;
use super::error::ApiError;
use super::files::get_file;
use super::list::{Viewer, get_list};
use super::reply::{self, Body};
use super::repository;
use super::request::RequestHead;
use crate::model::access::Secret;
use crate::model::account::{Account, Kind};
use crate::model::instant::Instant;
use crate::model::view::View;
use crate::store::Error;
use crate::store::sessions::Session;

/// Who wants a session, and so in which form it is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Maker {
    /// 204 with the URL in `Location`.
    Program,
    /// The button on the list: on to the session's page.
    Page,
}

/// The methods that work under a session's URL.
const READING: &str = "GET, HEAD, OPTIONS";

/// Makes a session of 24 hours.
pub async fn make_session(head: &RequestHead, account: &Account, maker: Maker) -> Result<Response<Body>, ApiError> {
    let store = &head.context.store;
    let token = store.make_session(account).await.map_err(|error| match error {
        Error::NotFound => challenge(),
        error => ApiError::from_store(error, store.now()),
    })?;
    tracing::info!(account = %account.id, peer = %head.peer.address, "a session was made");
    // With the host also for a browser: a bare path would keep the password of an access URL that was typed in, in an address that
    // is there to be passed on.
    let url = format!("{}/session/{}/", head.origin(), token.reveal());
    Ok(match maker {
        Maker::Page => reply::see(StatusCode::SEE_OTHER, url),
        Maker::Program => {
            let mut response = reply::empty(StatusCode::NO_CONTENT);
            reply::put(response.headers_mut(), LOCATION, url);
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
    })
}

/// What the token opens now. A look-up that fails is 503.
pub async fn find_session(head: &RequestHead, token: &str) -> Result<Session, ApiError> {
    head.context.store.session(&Secret::presented(token)).await.map_err(ApiError::unavailable)
}

/// The list or a download of a live session; `path` is what follows the token, with its `/`.
pub async fn read_session(head: &RequestHead, account: &Account, ends_at: Instant, path: &str) -> Result<Response<Body>, ApiError> {
    match *head.method() {
        Method::GET | Method::HEAD => {}
        Method::OPTIONS => return Ok(reply::options(READING)),
        Method::POST | Method::DELETE if account.kind == Kind::Vault && repository::is_lock(path) => {
            return Ok(reply::empty(StatusCode::OK));
        }
        _ => return Err(ApiError::not_allowed(READING, "A session's address only reads: list and download.")),
    }
    match path {
        "/" => get_list(head, account, View::Now, Viewer::Session { ends_at }).await,
        _ if account.kind == Kind::Vault => repository::read_session(head, account, ends_at, path).await,
        _ => get_file(head, account, path).await,
    }
}

/// 410: it did exist.
pub fn ended() -> ApiError {
    ApiError::new(
        StatusCode::GONE,
        "This session has ended: it expired 24 hours after it was made, or earlier with a new password of its account. Whoever holds the \
         access URL makes another with curl -i -u USER -X POST -H 'X-HTTP-Method-Override: MAKESESSION' https://HOST/, or with the \
         button on the list's page.",
    )
}

/// 404: no such token is known.
pub fn unknown() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "There is no such session. Check that the address was copied whole.")
}

/// A session's address that lost its last slash is sent to where it belongs; everything else below `/session/` is unknown.
pub fn without_slash(head: &RequestHead) -> Result<Response<Body>, ApiError> {
    let is_token = head.path().strip_prefix("/session/").is_some_and(Secret::is_well_formed);
    match *head.method() {
        Method::GET | Method::HEAD if is_token => Ok(reply::see(StatusCode::PERMANENT_REDIRECT, format!("{}/", head.path()))),
        _ => Err(unknown()),
    }
}

//! `GET /`: an account's files by name, as JSON for programs and as a page for browsers.

mod json;
mod pieces;
mod walk;

pub use pieces::{Pieces, streamed};
pub use walk::Walk;

use http::{Method, Response, StatusCode};

use super::error::ApiError;
use super::headers::accept::{ListForm, list_form};
use super::headers::query::{PAGE_ROWS, Query};
use super::pages;
use super::reply::{self, Body};
use super::request::RequestHead;
use crate::model::account::Account;
use crate::model::instant::Instant;
use crate::model::view::View;

/// A page never reads more rows than this to find those that a filter wants; it says where it stopped.
const PAGE_READS: usize = 100_000;

/// Who looks at a list, and what a page may offer to them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Viewer {
    /// The holder of the access URL.
    Owner,
    /// Whoever holds a session's URL.
    Session { ends_at: Instant },
}

/// 200 with the list in the form that the client prefers. A catalog that fails before the first row is 503; later, it breaks
/// the connection.
pub async fn get_list(head: &RequestHead, account: &Account, view: View, viewer: Viewer) -> Result<Response<Body>, ApiError> {
    let query = Query::parse(head.query()).map_err(|error| ApiError::bad_request(format!("This is no valid query: {error}.")))?;
    let mut response = match list_form(head.headers()) {
        ListForm::Json if head.method() == Method::HEAD => json::head(),
        ListForm::Json => json::respond(head, account, view, query).await?,
        ListForm::Page => page(head, account, view, viewer, query).await?,
    };
    reply::varies(response.headers_mut());
    Ok(response)
}

async fn page(head: &RequestHead, account: &Account, view: View, viewer: Viewer, query: Query) -> Result<Response<Body>, ApiError> {
    let store = &head.context.store;
    let rows = query.rows().unwrap_or(PAGE_ROWS);
    let mut walk = Walk::new(store.clone(), account.clone(), view, &query);
    let files = walk.take(rows, PAGE_READS).await.map_err(|error| ApiError::from_store(error, store.now()))?;
    let next = walk.rest_begins_after().await.map_err(|error| ApiError::from_store(error, store.now()))?;
    let origin = head.origin();
    let shown =
        pages::list::Shown { account, viewer, query: &query, files: &files, next: next.as_deref(), now: store.now(), origin: &origin };
    Ok(pages::respond(StatusCode::OK, pages::list::page(&shown)))
}

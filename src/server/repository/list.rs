//! Lists of one type's files: names alone (version 1 of the protocol), or names and sizes (version 2). Oldest first, streamed.
//!
//! A list names all that was answered 200 before it was asked for, and says so ([`CONSISTENCY`]): clients need not wait for each other's
//! locks to be seen.

use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use super::failed;
use crate::model::account::Account;
use crate::model::repository::{FileType, Prefix};
use crate::model::view::View;
use crate::server::error::ApiError;
use crate::server::list::{Pieces, streamed};
use crate::server::reply::{self, Body};
use crate::server::request::RequestHead;
use crate::store::dated::{After, FolderPage};
use crate::store::{Result as StoreResult, Store};

const V2: &str = "application/vnd.x.restic.rest.v2";
/// `strong`: a read of the catalog sees every change that was answered before.
const CONSISTENCY: HeaderName = HeaderName::from_static("strongroom-consistency");

/// The form of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Version {
    One,
    Two,
}

impl Version {
    /// What the client asks for by name; the first version for everybody else.
    fn of(headers: &HeaderMap) -> Self {
        let lines = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
        let mut forms = lines.flat_map(|line| line.split(',')).map(|form| form.split(';').next().unwrap_or_default().trim());
        if forms.any(|form| form.eq_ignore_ascii_case(V2)) { Self::Two } else { Self::One }
    }

    const fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::One => "application/vnd.x.restic.rest.v1",
            Self::Two => V2,
        })
    }

    /// Ids are hexadecimal digits: nothing in them is escaped.
    fn write(self, text: &mut String, id: &str, size_bytes: u64) {
        use std::fmt::Write as _;
        let written = match self {
            Self::One => write!(text, "\"{id}\""),
            Self::Two => write!(text, "{{\"name\":\"{id}\",\"size\":{size_bytes}}}"),
        };
        written.expect("a String takes all text");
    }
}

/// The files of `folder`. A catalog that fails before the first row is 503; later, it breaks the connection.
pub async fn files(head: &RequestHead, account: &Account, view: View, folder: &str) -> Result<Response<Body>, ApiError> {
    let version = Version::of(head.headers());
    if head.method() == Method::HEAD {
        return Ok(labelled(version, reply::empty(StatusCode::OK)));
    }
    let listing = Listing {
        store: head.context.store.clone(),
        account: account.clone(),
        view,
        folder: folder.to_owned(),
        version,
        next: Next::Page(None),
        is_first: true,
    };
    Ok(labelled(version, streamed(listing).await.map_err(|error| failed(head, error))?))
}

/// The locks that last.
pub async fn locks(head: &RequestHead, account: &Account, prefix: &Prefix) -> Result<Response<Body>, ApiError> {
    let found = head.context.store.locks(account, &prefix.folder(FileType::Locks)).await.map_err(|error| failed(head, error))?;
    Ok(whole(head, &found))
}

/// A list of nothing.
pub fn empty(head: &RequestHead) -> Response<Body> {
    whole(head, &[])
}

fn whole(head: &RequestHead, found: &[(String, u64)]) -> Response<Body> {
    let version = Version::of(head.headers());
    let mut text = "[".to_owned();
    entries(version, &mut text, found, true);
    text.push(']');
    let text = if head.method() == Method::HEAD { String::new() } else { text };
    labelled(version, reply::whole(StatusCode::OK, version.content_type(), text))
}

fn entries(version: Version, text: &mut String, found: &[(String, u64)], mut is_first: bool) {
    for (id, size_bytes) in found {
        if !std::mem::take(&mut is_first) {
            text.push(',');
        }
        version.write(text, id, *size_bytes);
    }
}

fn labelled(version: Version, mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, version.content_type());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONSISTENCY, HeaderValue::from_static("strong"));
    response
}

/// A list that is being written, a page of rows at a time.
struct Listing {
    store: Store,
    account: Account,
    view: View,
    folder: String,
    version: Version,
    next: Next,
    is_first: bool,
}

enum Next {
    Page(Option<After>),
    Done,
}

impl Pieces for Listing {
    async fn piece(&mut self) -> StoreResult<Option<Bytes>> {
        let Next::Page(after) = std::mem::replace(&mut self.next, Next::Done) else { return Ok(None) };
        let FolderPage { entries: found, next } = self.store.list_folder(&self.account, self.view, &self.folder, after).await?;
        let mut text = if self.is_first { "[".to_owned() } else { String::new() };
        entries(self.version, &mut text, &found, self.is_first);
        self.is_first &= found.is_empty();
        match next {
            Some(after) => self.next = Next::Page(Some(after)),
            None => text.push(']'),
        }
        Ok(Some(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(lines: &[&'static str]) -> Version {
        Version::of(&lines.iter().map(|line| (ACCEPT, HeaderValue::from_static(line))).collect())
    }

    #[test]
    fn only_a_client_that_names_the_second_version_gets_it() {
        for lines in
            [&[][..], &["*/*"], &["application/json"], &["application/vnd.x.restic.rest.v1"], &["application/vnd.x.restic.rest.v22"]]
        {
            assert_eq!(version(lines), Version::One, "{lines:?}");
        }
        for lines in [&[V2][..], &["Application/vnd.x.restic.REST.v2"], &["text/html, application/vnd.x.restic.rest.v2;q=0.5"]] {
            assert_eq!(version(lines), Version::Two, "{lines:?}");
        }
    }

    #[test]
    fn entries_are_what_the_protocol_says() {
        let found = [("a".to_owned(), 1), ("b".to_owned(), 2)];
        let text = |version, is_first| {
            let mut text = String::new();
            entries(version, &mut text, &found, is_first);
            text
        };
        assert_eq!(text(Version::One, true), r#""a","b""#);
        assert_eq!(text(Version::Two, false), r#",{"name":"a","size":1},{"name":"b","size":2}"#);
    }
}

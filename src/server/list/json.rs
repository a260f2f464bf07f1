//! The list as JSON: one object a line, written while it is read, so memory does not grow with the number of files.

use std::collections::VecDeque;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LINK};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use super::pieces::{Pieces, streamed};
use super::{PAGE_READS, Walk};
use crate::model::account::Account;
use crate::model::instant::Instant;
use crate::model::stored_file::StoredFile;
use crate::model::view::View;
use crate::server::error::ApiError;
use crate::server::headers::query::Query;
use crate::server::reply::{self, Body};
use crate::server::request::RequestHead;
use crate::store::Result as StoreResult;

/// A piece is sent when it has grown to this.
const PIECE_BYTES: usize = 32 << 10;

/// The headers alone, for HEAD.
pub fn head() -> Response<Body> {
    labelled(reply::empty(StatusCode::OK))
}

/// The list; with a limit, and where more files follow, with a `Link` to them.
pub async fn respond(head: &RequestHead, account: &Account, view: View, query: Query) -> Result<Response<Body>, ApiError> {
    let store = &head.context.store;
    let failed = |error| ApiError::from_store(error, store.now());
    let mut walk = Walk::new(store.clone(), account.clone(), view, &query);
    let mut next = None;
    let rows = match query.rows() {
        None => Rows::All(Box::new(walk)),
        // The link goes into a header, so where the page ends has to be known before its first line: the page is read first, and what
        // is written is what was read.
        Some(rows) => {
            let files = walk.take(rows, PAGE_READS).await.map_err(failed)?;
            next = walk.rest_begins_after().await.map_err(failed)?;
            Rows::Held(files.into())
        }
    };
    let mut response = labelled(streamed(Lines { rows, written: 0, is_done: false }).await.map_err(failed)?);
    if let Some(last) = next {
        // Relative to the list itself, so it is right whatever name the client knows us by.
        reply::put(response.headers_mut(), LINK, format!("<{}{}>; rel=\"next\"", head.path(), query.after_name(&last)));
    }
    Ok(response)
}

fn labelled(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A list that is being written.
struct Lines {
    rows: Rows,
    written: u64,
    is_done: bool,
}

/// Where the lines come from.
enum Rows {
    /// All that there are, read while they are written.
    All(Box<Walk>),
    /// One page.
    Held(VecDeque<StoredFile>),
}

impl Rows {
    async fn next(&mut self) -> StoreResult<Option<StoredFile>> {
        match self {
            Self::All(walk) => walk.next().await,
            Self::Held(files) => Ok(files.pop_front()),
        }
    }
}

impl Pieces for Lines {
    async fn piece(&mut self) -> StoreResult<Option<Bytes>> {
        let mut text = String::new();
        while !self.is_done && text.len() < PIECE_BYTES {
            match self.rows.next().await? {
                Some(file) => {
                    text.push_str(if self.written == 0 { "[\n" } else { ",\n" });
                    text.push_str(&line(&file));
                    self.written += 1;
                }
                None => self.end(&mut text),
            }
        }
        Ok((!text.is_empty()).then(|| Bytes::from(text)))
    }
}

impl Lines {
    fn end(&mut self, text: &mut String) {
        text.push_str(if self.written == 0 { "[]\n" } else { "\n]\n" });
        self.is_done = true;
    }
}

/// A file as the contract spells it.
#[derive(Serialize)]
struct Line<'a> {
    name: &'a str,
    size: u64,
    createtime: i64,
    /// Null where the file is kept for ever.
    deletetime: Option<i64>,
    sha256: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    damaged: bool,
}

fn line(file: &StoredFile) -> String {
    let line = Line {
        name: file.name.as_str(),
        size: file.size_bytes,
        createtime: file.shown_created_at().seconds(),
        deletetime: (file.expires_at != Instant::FOREVER).then(|| file.expires_at.seconds()),
        sha256: file.sha256.hex(),
        damaged: file.damaged_at.is_some(),
    };
    serde_json::to_string(&line).expect("numbers and text are always JSON")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::fixture::{NOW, stored};
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    #[test]
    fn a_line_is_spelled_as_the_contract_says() {
        let file = StoredFile {
            created_at: Instant::from_micros(1_274_439_603_900_000),
            kept_from: Instant::from_seconds(1_274_439_603),
            expires_at: Instant::from_seconds(1_277_031_603),
            ..stored("/data.20100521.tar.gz", 396_265)
        };
        let expected = format!(
            "{{\"name\":\"/data.20100521.tar.gz\",\"size\":396265,\"createtime\":1274439603,\"deletetime\":1277031603,\"sha256\":\"{}\"}}",
            file.sha256.hex()
        );
        assert_eq!(line(&file), expected);
    }

    #[test]
    fn only_damage_is_mentioned_and_for_ever_is_null() {
        assert!(!line(&stored("/a", 1)).contains("damaged"));
        assert!(line(&StoredFile { damaged_at: Some(NOW), ..stored("/a", 1) }).ends_with("\"damaged\":true}"));
        assert!(line(&StoredFile { expires_at: Instant::FOREVER, ..stored("/a", 1) }).contains("\"deletetime\":null,"));
    }

    proptest! {
        #[test]
        fn every_name_comes_back_on_one_line(segment in "[^/\\p{Cc}]{1,60}") {
            let name = format!("/a/{segment}");
            if crate::model::file_name::FileName::parse(name.as_bytes()).is_ok() {
                let text = line(&stored(&name, 1));
                prop_assert!(!text.contains('\n'));
                let value: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
                prop_assert_eq!(value["name"].as_str(), Some(&*name));
            }
        }
    }
}

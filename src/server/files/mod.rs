//! `PUT`, `GET` and `HEAD` of one file.

mod get;
mod put;

pub use get::{get_file, get_found, get_visited};
pub use put::put_file;

use http::HeaderMap;
use http::header::{CACHE_CONTROL, ETAG, HeaderName, LAST_MODIFIED};

use super::error::REPR_DIGEST;
use super::headers::conditional::http_date;
use super::headers::entity_tags::entity_tag;
use super::reply;
use crate::model::instant::Instant;
use crate::model::stored_file::StoredFile;

const DELETE_TIME: HeaderName = HeaderName::from_static("x-delete-time");

/// What is said of a stored file wherever it is answered about: which version it is, since when, until when.
fn describe(headers: &mut HeaderMap, file: &StoredFile) {
    reply::put(headers, ETAG, entity_tag(&file.sha256));
    reply::put(headers, REPR_DIGEST, file.sha256.structured());
    reply::put(headers, LAST_MODIFIED, http_date(file.shown_created_at()));
    reply::put(headers, CACHE_CONTROL, "private, no-transform");
    if file.expires_at != Instant::FOREVER {
        reply::put(headers, DELETE_TIME, file.expires_at.seconds().to_string());
    }
}

//! Downloads: conditions, ranges, and bytes that were checked before they are sent.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use http::header::{ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use super::describe;
use crate::model::account::Account;
use crate::model::file_name::FileName;
use crate::model::stored_file::StoredFile;
use crate::server::context::Context;
use crate::server::error::{ApiError, chain};
use crate::server::headers::conditional::{self, Verdict};
use crate::server::headers::disposition::attachment;
use crate::server::headers::range::{self, Wanted};
use crate::server::reply::{self, Body, BodyError};
use crate::server::request::RequestHead;
use crate::store::Error;
use crate::store::read::Download;
use crate::store::visit::{Asked, Visit};

/// 200, 206, 304, 404, 412 or 416 for GET and HEAD. `path` is the name, percent-encoded.
pub async fn get_file(head: &RequestHead, account: &Account, path: &str) -> Result<Response<Body>, ApiError> {
    let store = &head.context.store;
    let name = named(path)?;
    let asked = if head.method() == Method::GET { Asked::File(name) } else { Asked::Row(name) };
    let visit = store.visit(&account.id, asked, |_| true).await.map_err(|error| ApiError::from_store(error, store.now()))?;
    send(head, visit.ok_or_else(ApiError::not_found)?).await
}

/// The same for a file that was found otherwise.
pub async fn get_found(head: &RequestHead, account: &Account, file: StoredFile) -> Result<Response<Body>, ApiError> {
    send(head, Visit::of(account.clone(), file)).await
}

/// The same where the visit that let the request in has looked for the file of its path.
pub async fn get_visited(head: &RequestHead, visit: Visit) -> Result<Response<Body>, ApiError> {
    named(head.path())?;
    send(head, visit).await
}

fn named(path: &str) -> Result<FileName, ApiError> {
    FileName::from_url_path(path).map_err(|error| ApiError::bad_request(format!("This is no valid name: {error}")))
}

async fn send(head: &RequestHead, visit: Visit) -> Result<Response<Body>, ApiError> {
    let file = visit.file(head.context.store.now()).cloned().ok_or_else(ApiError::not_found)?;
    let mut response = match plan(head.method(), head.headers(), &file)? {
        Plan::NotModified => reply::empty(StatusCode::NOT_MODIFIED),
        Plan::Headers => sized(reply::empty(StatusCode::OK), file.size_bytes),
        Plan::Whole => sized(reply::streamed(StatusCode::OK, open(head, visit, 0..file.size_bytes).await?), file.size_bytes),
        Plan::Part(part) => partial(open(head, visit, part.clone()).await?, &part, file.size_bytes),
    };
    describe(response.headers_mut(), &file);
    describe_download(response.headers_mut(), &file.name);
    Ok(response)
}

/// What the headers of a request ask for.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Plan {
    NotModified,
    /// HEAD: `Range` is for GET alone (RFC 9110 §14.2).
    Headers,
    Whole,
    Part(Range<u64>),
}

fn plan(method: &Method, headers: &HeaderMap, file: &StoredFile) -> Result<Plan, ApiError> {
    match conditional::verdict(headers, &file.sha256, file.shown_created_at()) {
        Verdict::Failed => {
            let text = "The stored file is not the version that your If-Match or If-Unmodified-Since names.";
            Err(ApiError::new(StatusCode::PRECONDITION_FAILED, text).describing(file))
        }
        Verdict::NotModified => Ok(Plan::NotModified),
        Verdict::Proceed if method == Method::HEAD => Ok(Plan::Headers),
        Verdict::Proceed if !conditional::range_applies(headers, &file.sha256, file.shown_created_at()) => Ok(Plan::Whole),
        Verdict::Proceed => match range::wanted(headers, file.size_bytes) {
            Wanted::Whole => Ok(Plan::Whole),
            Wanted::Part(part) => Ok(Plan::Part(part)),
            Wanted::Unsatisfiable => Err(unsatisfiable(file)),
        },
    }
}

fn unsatisfiable(file: &StoredFile) -> ApiError {
    let size_bytes = file.size_bytes;
    let range = HeaderValue::try_from(format!("bytes */{size_bytes}")).expect("digits are visible ASCII");
    ApiError::new(StatusCode::RANGE_NOT_SATISFIABLE, format!("The file has {size_bytes} bytes: nothing of it lies in the range."))
        .with(CONTENT_RANGE, range)
        .with(ACCEPT_RANGES, HeaderValue::from_static("bytes"))
        .describing(file)
}

fn sized(mut response: Response<Body>, bytes: u64) -> Response<Body> {
    response.headers_mut().insert(CONTENT_LENGTH, bytes.into());
    response
}

fn partial(bytes: impl Stream<Item = Result<Bytes, BodyError>> + Send + 'static, part: &Range<u64>, size_bytes: u64) -> Response<Body> {
    let mut response = sized(reply::streamed(StatusCode::PARTIAL_CONTENT, bytes), part.end - part.start);
    reply::put(response.headers_mut(), CONTENT_RANGE, format!("bytes {}-{}/{size_bytes}", part.start, part.end - 1));
    response
}

/// What only a download carries: its type by its extension, and that a browser saves it instead of showing it.
fn describe_download(headers: &mut HeaderMap, name: &FileName) {
    let guess = mime_guess::from_path(name.last_segment()).first_or_octet_stream();
    reply::put(headers, CONTENT_TYPE, guess.essence_str());
    reply::put(headers, CONTENT_DISPOSITION, attachment(name));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
}

/// The bytes of `part`. Damage that shows at once breaks the connection as well: a client that does not look at the status
/// would take the text of an error for the file.
async fn open(
    head: &RequestHead,
    visit: Visit,
    part: Range<u64>,
) -> Result<impl Stream<Item = Result<Bytes, BodyError>> + Send + use<>, ApiError> {
    let context = Arc::clone(&head.context);
    match context.store.open_visited(visit, part).await {
        Err(error @ Error::Corrupt(_)) => {
            note_break(&error, &context);
            Ok(frames(Err(error), context))
        }
        Err(error) => Err(ApiError::from_store(error, context.store.now())),
        Ok(download) => Ok(frames(Ok(download), context)),
    }
}

/// The verified pieces, a frame each. An error ends the connection, so the client cannot take what it has for the file.
fn frames(opened: Result<Download, Error>, context: Arc<Context>) -> impl Stream<Item = Result<Bytes, BodyError>> + Send {
    stream::try_unfold((opened, context), |(opened, context)| async move {
        let mut download = opened?;
        let piece = download.next().await.inspect_err(|error| note_break(error, &context))?;
        Ok(piece.map(|piece| (piece, (Ok(download), context))))
    })
}

/// The store logs damage itself, with the file; whatever else breaks a download is logged here.
fn note_break(error: &Error, context: &Context) {
    if matches!(error, Error::Corrupt(_)) {
        context.metrics.damaged_reads.inc();
    } else {
        tracing::warn!(cause = chain(error), "a download was broken off");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::fixture::stored;
    use http::header::{IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE};

    fn planned(method: Method, lines: &[(http::HeaderName, &str)]) -> Result<Plan, u16> {
        let headers = lines.iter().map(|(name, line)| (name.clone(), line.parse().expect("a test's header is valid"))).collect();
        plan(&method, &headers, &stored("/a", 100)).map_err(|error| error.status.as_u16())
    }

    #[test]
    fn conditions_come_before_ranges() {
        let (mine, range) = (format!("\"{}\"", stored("/a", 100).sha256.hex()), (RANGE, "bytes=10-19"));
        assert_eq!(planned(Method::GET, &[]), Ok(Plan::Whole));
        assert_eq!(planned(Method::GET, std::slice::from_ref(&range)), Ok(Plan::Part(10..20)));
        assert_eq!(planned(Method::GET, &[range.clone(), (IF_NONE_MATCH, &mine)]), Ok(Plan::NotModified));
        assert_eq!(planned(Method::GET, &[range.clone(), (IF_MATCH, "\"other\"")]), Err(412));
        assert_eq!(planned(Method::GET, &[range.clone(), (IF_RANGE, &mine)]), Ok(Plan::Part(10..20)));
        assert_eq!(planned(Method::GET, &[range, (IF_RANGE, "\"other\"")]), Ok(Plan::Whole));
        assert_eq!(planned(Method::GET, &[(RANGE, "bytes=100-")]), Err(416));
        assert_eq!(planned(Method::GET, &[(RANGE, "bytes=100-"), (IF_RANGE, "\"other\"")]), Ok(Plan::Whole));
    }

    #[test]
    fn head_answers_conditions_but_no_ranges() {
        assert_eq!(planned(Method::HEAD, &[(RANGE, "bytes=10-19")]), Ok(Plan::Headers));
        assert_eq!(planned(Method::HEAD, &[(RANGE, "bytes=100-")]), Ok(Plan::Headers));
        assert_eq!(planned(Method::HEAD, &[(IF_NONE_MATCH, "*")]), Ok(Plan::NotModified));
    }

    #[test]
    fn active_types_are_attachments() {
        for (name, content_type) in [
            ("/a.html", "text/html"),
            ("/a.svg", "image/svg+xml"),
            ("/a.pdf", "application/pdf"),
            ("/a.tar.gz", "application/gzip"),
            ("/a.tar", "application/x-tar"),
            ("/a.unheard-of", "application/octet-stream"),
            ("/a.html/b", "application/octet-stream"),
        ] {
            let mut headers = HeaderMap::new();
            describe_download(&mut headers, &stored(name, 1).name);
            assert_eq!(headers[CONTENT_TYPE], content_type, "{name}");
            assert!(headers[CONTENT_DISPOSITION].as_bytes().starts_with(b"attachment; filename=\""), "{name}");
        }
    }
}

//! Uploads: everything that can be refused is refused before a byte of the body is asked for.

use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_RANGE, LOCATION};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::describe;
use crate::fault_point;
use crate::model::account::Kind;
use crate::model::digest::Sha256Digest;
use crate::model::file_name::FileName;
use crate::model::instant::Instant;
use crate::model::stored_file::StoredFile;
use crate::server::error::ApiError;
use crate::server::headers::conditional;
use crate::server::headers::content_length::{LengthError, content_length};
use crate::server::headers::digest_fields::sent_digests;
use crate::server::reply::{self, Body};
use crate::server::request::RequestHead;
use crate::server::request_body::RequestBody;
use crate::store::Error;
use crate::store::upload::Upload;
use crate::store::visit::Visit;

/// Stores one file. 201 is sent when it is kept, 200 when exactly it was stored before.
pub async fn put_file(head: &RequestHead, visit: Visit, body: &mut RequestBody) -> Result<Response<Body>, ApiError> {
    if visit.account.kind == Kind::Vault {
        return Err(ApiError::not_allowed("GET, HEAD, OPTIONS", VAULT));
    }
    let promise = Promise::of(head.path(), head.headers(), head.context.limits().max_file_bytes)?;
    let store = &head.context.store;
    let mut upload = match store.begin_visited(visit, &promise.name, promise.size_bytes).await {
        Ok(upload) => upload,
        Err(error) => return refused(head, &promise, error),
    };
    if promise.must_exist {
        return Err(ApiError::new(StatusCode::PRECONDITION_FAILED, "There is no file of this name that If-Match could mean."));
    }
    receive(&mut upload, body).await.map_err(|error| error.into_api(store.now()))?;
    match upload.finish(promise.digests.clone()).await {
        Ok(file) => {
            fault_point::pass("answering");
            Ok(stored(head, StatusCode::CREATED, "Stored", &file))
        }
        Err(error) => refused(head, &promise, error),
    }
}

/// What the headers of an upload promise.
#[derive(Debug)]
struct Promise {
    name: FileName,
    size_bytes: u64,
    /// All that were sent; each has to match.
    digests: Vec<Sha256Digest>,
    /// `If-None-Match: *`.
    must_be_new: bool,
    /// `If-Match`, which no new file fulfils.
    must_exist: bool,
}

impl Promise {
    /// Checks in the order in which a client is told: the name, the length, the other headers, the size.
    fn of(path: &str, headers: &HeaderMap, max_bytes: u64) -> Result<Self, ApiError> {
        let name = FileName::from_url_path(path).map_err(|error| ApiError::bad_request(format!("This is no valid name: {error}")))?;
        let size_bytes = content_length(headers).map_err(length_error)?;
        let digests = sent_digests(headers).map_err(|error| ApiError::bad_request(format!("{error}.")).closing())?;
        check_content_headers(headers)?;
        if size_bytes > max_bytes {
            return Err(too_large(size_bytes, max_bytes));
        }
        let (must_be_new, must_exist) = (conditional::forbids_existing(headers), conditional::demands_existing(headers));
        Ok(Self { name, size_bytes, digests, must_be_new, must_exist })
    }

    /// Whether `file`, which holds the name, is what the client means to store, whole and alive: then a lost answer was all
    /// that went wrong. Nobody hears "already stored" of a file that cannot be had back.
    fn is_kept_by(&self, file: &StoredFile, now: Instant) -> bool {
        let is_same = !self.digests.is_empty() && self.digests.iter().all(|digest| *digest == file.sha256);
        is_same && file.damaged_at.is_none() && !file.has_expired(now)
    }
}

const VAULT: &str = "This account is a vault: it takes backups through the restic REST protocol (restic -r rest:URL, rustic, or the \
                     agent), not by PUT. Files can be listed and downloaded here.";
const CHUNKED: &str = "The length of the upload has to be known before it begins, and a stream has none. Write it to a file first, then \
                       send that: curl -T FILE.";
const NO_LENGTH: &str = "An upload needs a Content-Length. curl -T FILE sends it.";

fn length_error(error: LengthError) -> ApiError {
    match error {
        LengthError::Chunked => ApiError::new(StatusCode::LENGTH_REQUIRED, CHUNKED),
        LengthError::Missing => ApiError::new(StatusCode::LENGTH_REQUIRED, NO_LENGTH),
        LengthError::Malformed => ApiError::bad_request("Content-Length is one whole number of bytes in decimal digits."),
    }
    .closing()
}

fn check_content_headers(headers: &HeaderMap) -> Result<(), ApiError> {
    if headers.contains_key(CONTENT_RANGE) {
        return Err(ApiError::bad_request("A file is sent whole: uploads cannot be resumed, so send it without Content-Range.").closing());
    }
    let is_identity = |line: &HeaderValue| line.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity");
    if headers.get_all(CONTENT_ENCODING).iter().all(is_identity) {
        return Ok(());
    }
    let text = "Files are stored as the bytes that are sent: send a compressed file under its own name, without Content-Encoding.";
    let error = ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text);
    Err(error.with(ACCEPT_ENCODING, HeaderValue::from_static("identity")).closing())
}

fn too_large(size_bytes: u64, max_bytes: u64) -> ApiError {
    let text = format!("A file has at most {max_bytes} bytes, and this one has {size_bytes}. Split it, for instance with split -b 4G.");
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, text)
}

/// 412 for a client that wanted to store a file only if there is none.
fn exists(file: &StoredFile) -> ApiError {
    let text = format!("{} exists, and If-None-Match: * says to store it only if it does not.", file.name);
    ApiError::new(StatusCode::PRECONDITION_FAILED, text).describing(file)
}

fn refused(head: &RequestHead, promise: &Promise, error: Error) -> Result<Response<Body>, ApiError> {
    let now = head.context.store.now();
    match error {
        Error::NameTaken(file) if promise.is_kept_by(&file, now) => Ok(stored(head, StatusCode::OK, "Already stored", &file)),
        // Also where another upload took the name while this one was sent.
        Error::NameTaken(file) if promise.must_be_new => Err(exists(&file)),
        error => Err(ApiError::from_store(error, now)),
    }
}

fn stored(head: &RequestHead, status: StatusCode, what: &str, file: &StoredFile) -> Response<Body> {
    let mut response = reply::text(status, &format!("{what} {}", file.name));
    describe(response.headers_mut(), file);
    reply::put(response.headers_mut(), LOCATION, format!("{}{}", head.origin(), file.name.url_path()));
    response
}

/// Why an upload ended before all of its bytes were handed over.
enum Broken {
    Store(Error),
    Client(hyper::Error),
}

impl Broken {
    fn into_api(self, now: Instant) -> ApiError {
        match self {
            Self::Store(error) => ApiError::from_store(error, now),
            // Mostly nobody is left to read this.
            Self::Client(error) => {
                tracing::debug!(%error, "an upload broke off");
                ApiError::bad_request("The upload broke off. Nothing was stored. Send the file again.").closing()
            }
        }
    }
}

async fn receive(upload: &mut Upload, body: &mut RequestBody) -> Result<(), Broken> {
    while let Some(bytes) = body.next().await.map_err(Broken::Client)? {
        upload.write(bytes).await.map_err(Broken::Store)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::fixture::{NOW, stored as file};

    fn promise(path: &str, lines: &[(&'static str, &str)]) -> Result<Promise, (u16, String)> {
        let mut headers = HeaderMap::new();
        for (name, line) in lines {
            headers.append(*name, line.parse().expect("a test's header is valid"));
        }
        Promise::of(path, &headers, 100).map_err(|error| (error.status.as_u16(), error.text))
    }

    /// Each line holds every fault of the lines below it.
    #[test]
    fn faults_are_told_in_the_order_of_the_contract() {
        let bad_digest = ("repr-digest", "sha-256=x");
        let (range, encoding) = (("content-range", "bytes 5-10/11"), ("content-encoding", "gzip"));
        let status = |path, lines: &[_]| promise(path, lines).map(|_| ()).map_err(|(status, _)| status);
        assert_eq!(status("/a//b", &[("transfer-encoding", "chunked"), bad_digest]), Err(400));
        assert_eq!(status("/a", &[("transfer-encoding", "chunked"), ("content-length", "x"), bad_digest]), Err(411));
        assert_eq!(status("/a", &[bad_digest, range, encoding]), Err(411));
        assert_eq!(status("/a", &[("content-length", "5,5"), encoding]), Err(400));
        assert_eq!(status("/a", &[("content-length", "101"), bad_digest, encoding]), Err(400));
        assert_eq!(status("/a", &[("content-length", "101"), range, encoding]), Err(400));
        assert_eq!(status("/a", &[("content-length", "101"), encoding]), Err(415));
        assert_eq!(status("/a", &[("content-length", "101")]), Err(413));
        assert_eq!(status("/a", &[("content-length", "100"), ("content-encoding", "Identity")]), Ok(()));
    }

    #[test]
    fn texts_say_what_to_do() {
        let (_, text) = promise("/a", &[("transfer-encoding", "chunked")]).expect_err("a stream has no length");
        assert!(text.contains("file first") && text.contains("curl -T FILE"), "{text}");
        let (_, text) = promise("/a", &[("content-length", "101")]).expect_err("it is too large");
        assert!(text.contains("101") && text.contains("100 bytes"), "{text}");
        let (_, text) = promise("/", &[("content-length", "1")]).expect_err("there is no name");
        assert!(text.contains("has no name"), "{text}");
    }

    #[test]
    fn only_a_file_that_can_be_had_back_is_already_stored() {
        let stored = file("/a", 5);
        let digest = stored.sha256.structured();
        let asks = |lines: &[(&'static str, &str)]| promise("/a", &[&[("content-length", "5")], lines].concat()).expect("it is valid");
        assert!(asks(&[("repr-digest", &digest)]).is_kept_by(&stored, NOW));
        assert!(asks(&[("x-content-sha256", &stored.sha256.hex())]).is_kept_by(&stored, NOW));
        assert!(!asks(&[]).is_kept_by(&stored, NOW), "nothing was said of the bytes");
        let other = Sha256Digest::of(b"other").hex();
        assert!(!asks(&[("repr-digest", &digest), ("x-content-sha256", &other)]).is_kept_by(&stored, NOW), "all have to match");
        let resent = asks(&[("content-digest", &digest)]);
        assert!(!resent.is_kept_by(&StoredFile { damaged_at: Some(NOW), ..stored.clone() }, NOW));
        assert!(!resent.is_kept_by(&stored, stored.expires_at));
    }

    #[test]
    fn conditions_are_read() {
        let asks = |line| promise("/a", &[("content-length", "5"), line]).expect("it is valid");
        assert!(asks(("if-none-match", "*")).must_be_new);
        assert!(!asks(("if-none-match", "\"x\"")).must_be_new);
        assert!(asks(("if-match", "*")).must_exist);
    }
}

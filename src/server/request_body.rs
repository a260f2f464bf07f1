//! The body of a request: read piece by piece, or left alone.
//!
//! hyper answers `Expect: 100-continue` when a body is first asked for. So nothing asks for it before the request is admitted,
//! and a client that waited for the 100 and did not get it sends nothing.

use bytes::Bytes;
use http::header::{CONNECTION, EXPECT};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, Version};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};

use super::drain::drain;
use super::reply::Body;
use super::request::RequestHead;

/// A body that may never be asked for.
pub struct RequestBody {
    incoming: Incoming,
    /// Whether the client keeps its body until it hears 100.
    is_held_back: bool,
}

impl RequestBody {
    pub fn new(incoming: Incoming, head: &Parts) -> Self {
        Self { incoming, is_held_back: expects_continue(&head.headers, head.version) }
    }

    /// The next bytes; `None` after the last. An error means that the client has gone or was too slow.
    pub async fn next(&mut self) -> Result<Option<Bytes>, hyper::Error> {
        self.is_held_back = false;
        while let Some(frame) = self.incoming.frame().await.transpose()? {
            if let Ok(bytes) = frame.into_data() {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// Deals with what was not read, beside the answer: a client that waits for 100 gets the answer and the end of the
    /// connection; anybody else's bytes are thrown away within the limits, so that the answer is read.
    pub fn leave(self, head: &RequestHead, response: &mut Response<Body>) {
        if self.incoming.is_end_stream() {
            return;
        }
        if self.is_held_back {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        } else {
            drain(&head.context, head.peer, self.incoming);
        }
    }
}

/// Whether the client may keep its body back until it hears 100. With several lines any one counts: which of them the client goes
/// by cannot be known. HTTP/1.0 knows no `Expect` (RFC 9110 §10.1.1).
pub fn expects_continue(headers: &HeaderMap, version: Version) -> bool {
    version >= Version::HTTP_11 && headers.get_all(EXPECT).iter().any(|line| line.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expects(version: Version, line: &'static str) -> bool {
        expects_continue(&[(EXPECT, HeaderValue::from_static(line))].into_iter().collect(), version)
    }

    #[test]
    fn of_several_lines_any_counts() {
        for lines in [["x", "100-continue"], ["100-continue", "x"]] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(EXPECT, HeaderValue::from_static(line));
            }
            assert!(expects_continue(&headers, Version::HTTP_11), "{lines:?}");
        }
    }

    #[test]
    fn only_an_http_1_1_client_waits_for_100() {
        assert!(expects(Version::HTTP_11, "100-continue"));
        assert!(expects(Version::HTTP_11, "100-Continue"));
        assert!(!expects(Version::HTTP_10, "100-continue"));
        assert!(!expects(Version::HTTP_11, "200-ok"));
    }
}

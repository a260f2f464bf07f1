//! The line of one request, from its head to the last byte of its answer.

use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use super::AccessLog;
use super::redacted::{first_chars, redacted};
use crate::model::access::AccountId;
use crate::server::metrics::InFlight;
use crate::server::progress::Exchange;
use crate::server::reply::Body;

/// Put into an answer's extensions by whoever found out whose request it was, so that the line names the account.
#[derive(Clone, Debug)]
pub struct LoggedAccount(pub AccountId);

/// The same for whoever sent a token: the line names the user by its id.
#[derive(Clone, Debug)]
pub struct LoggedUser(pub i64);

/// A request that is being answered. Writes its line, and counts itself, when it is dropped: after the last byte of
/// the answer, or when the client has gone.
pub struct Entry {
    method: Method,
    path: String,
    peer: IpAddr,
    began: Instant,
    status: Option<StatusCode>,
    account: Option<AccountId>,
    user: Option<i64>,
    sent_bytes: u64,
    /// The length that the answer's head tells. Nobody asks such a body for more.
    promised_bytes: Option<u64>,
    ending: Ending,
    exchange: Exchange,
    log: AccessLog,
    _in_flight: Option<InFlight>,
}

/// How an answer ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    Whole,
    /// We broke it off, so that nobody takes a part for the whole.
    Broken,
    /// The client or its connection went first.
    Left,
}

const LONGEST_METHOD: usize = 32;

impl Entry {
    pub(super) fn begin<B>(request: &Request<B>, peer: IpAddr, exchange: Exchange, log: AccessLog) -> Self {
        Self {
            method: request.method().clone(),
            path: redacted(request.uri().path()),
            peer,
            began: Instant::now(),
            status: None,
            account: None,
            user: None,
            sent_bytes: 0,
            promised_bytes: None,
            ending: Ending::Left,
            exchange,
            _in_flight: log.metrics.in_flight(request.method()),
            log,
        }
    }

    /// The answer with a body that carries this entry to its end.
    pub fn answered(mut self, mut response: Response<Body>) -> Response<Body> {
        self.status = Some(response.status());
        self.promised_bytes = promised_bytes(response.headers());
        self.account = response.extensions_mut().remove::<LoggedAccount>().map(|LoggedAccount(account)| account);
        self.user = response.extensions_mut().remove::<LoggedUser>().map(|LoggedUser(user)| user);
        let body = |inner: Body| {
            self.note_end(&inner);
            Body::new(LoggedBody { inner, entry: self })
        };
        response.map(body)
    }

    fn note_end(&mut self, body: &Body) {
        // An answer to HEAD has a body that nobody will ask for.
        if body.is_end_stream() || self.method == Method::HEAD {
            self.ending = Ending::Whole;
        }
    }
}

fn promised_bytes(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.log.metrics.count_request(&self.method, self.status);
        if self.account.is_none() && self.user.is_none() && !self.log.admits(self.peer) {
            return;
        }
        let method = first_chars(self.method.as_str(), LONGEST_METHOD);
        let what = match (self.status, self.ending) {
            (None, _) => "request, not answered",
            (_, Ending::Whole) => "request",
            (_, Ending::Broken) => "request, answer broken off",
            (_, Ending::Left) => "request, client left before the end",
        };
        tracing::info!(
            method = &*method,
            path = self.path,
            status = self.status.map(|status| status.as_u16()),
            peer = %self.peer,
            account = self.account.as_ref().map(AccountId::as_str),
            user = self.user,
            received_bytes = self.exchange.body_received(),
            sent_bytes = self.sent_bytes,
            millis = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            "{what}"
        );
    }
}

/// An answer's body, counted on its way.
struct LoggedBody {
    inner: Body,
    entry: Entry,
}

impl HttpBody for LoggedBody {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                self.entry.sent_bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                if self.inner.is_end_stream() || self.entry.promised_bytes == Some(self.entry.sent_bytes) {
                    self.entry.ending = Ending::Whole;
                }
            }
            Poll::Ready(Some(Err(_))) => {
                self.entry.ending = Ending::Broken;
                self.entry.exchange.break_off();
            }
            Poll::Ready(None) => self.entry.ending = Ending::Whole,
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use http_body_util::{BodyExt, StreamBody};

    use super::*;
    use crate::server::context::LiveLimits;
    use crate::server::metrics::Metrics;
    use crate::server::progress::Progress;
    use crate::server::test_limits::limits;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("no test panics while writing").write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// The line about a request that was answered with `body`, of which the client took `frames`.
    async fn line(request: Request<()>, body: Body, account: &str, frames: usize) -> serde_json::Value {
        line_of(request, Response::new(body), account, frames).await
    }

    async fn line_of(request: Request<()>, mut response: Response<Body>, account: &str, frames: usize) -> serde_json::Value {
        let lines = Lines::default();
        let out = lines.clone();
        let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || out.clone()).finish();
        let _guard = tracing::subscriber::set_default(subscriber);
        let exchange = Progress::new(Arc::new(limits())).begin(Some(0));
        let log = AccessLog::new(Metrics::default(), LiveLimits::new(limits()));
        let entry = log.begin(&request, IpAddr::from([192, 0, 2, 1]), exchange);
        response.extensions_mut().insert(LoggedAccount(account.parse().expect("an account id")));
        let mut response = entry.answered(response);
        for _ in 0..frames {
            let _ = response.body_mut().frame().await;
        }
        assert!(lines.0.lock().expect("no test panics").is_empty(), "nothing is logged before the end");
        drop(response);
        let bytes = lines.0.lock().expect("no test panics while writing").clone();
        serde_json::from_slice(&bytes).expect("one line of JSON")
    }

    fn body(frames: &[Result<&'static str, &'static str>]) -> Body {
        let frames: Vec<_> =
            frames.iter().map(|frame| frame.map(|text| Frame::data(Bytes::from_static(text.as_bytes()))).map_err(Into::into)).collect();
        Body::new(StreamBody::new(futures_util::stream::iter(frames)))
    }

    fn get(uri: &str) -> Request<()> {
        Request::get(uri).header("authorization", "Basic c2VjcmV0").body(()).expect("a request")
    }

    #[tokio::test]
    async fn a_line_says_who_asked_for_what_and_what_came_of_it() {
        let line = line(get("/session/abcdefghijklmnopqrstuv/a?token=secret"), body(&[Ok("12345"), Ok("678")]), "Y21R3P", 3).await;
        assert_eq!((&line["message"], &line["method"]), (&"request".into(), &"GET".into()));
        assert_eq!((&line["path"], &line["status"]), (&"/session/[redacted]/a".into(), &200.into()));
        assert_eq!((&line["peer"], &line["account"], &line["sent_bytes"]), (&"192.0.2.1".into(), &"Y21R3P".into(), &8.into()));
        assert!(!line.to_string().contains("secret") && !line.to_string().contains("c2VjcmV0"), "{line}");
    }

    /// Symptom that this prevents: the line of every whole download said that its client had left, since nobody asks for more than was promised.
    #[tokio::test]
    async fn an_answer_is_whole_with_the_last_byte_that_its_head_promised() {
        for (frames, message) in [(1, "request, client left before the end"), (2, "request")] {
            let response = Response::builder().header(CONTENT_LENGTH, 8).body(body(&[Ok("12345"), Ok("678")])).expect("a response");
            let line = line_of(get("/a"), response, "Y21R3P", frames).await;
            assert_eq!(line["message"], message, "{frames} frames");
        }
    }

    #[tokio::test]
    async fn a_line_says_how_an_answer_ended_that_was_not_whole() {
        let broken = line(get("/a"), body(&[Ok("12345"), Err("damaged")]), "Y21R3P", 2).await;
        assert_eq!((&broken["message"], &broken["sent_bytes"]), (&"request, answer broken off".into(), &5.into()));
        let left = line(get("/a"), body(&[Ok("12345"), Ok("678")]), "Y21R3P", 1).await;
        assert_eq!((&left["message"], &left["sent_bytes"]), (&"request, client left before the end".into(), &5.into()));
    }
}

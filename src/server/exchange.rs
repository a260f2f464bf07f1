//! One request and its answer, as far as every request is treated alike: limits, who it is from, panics, the log line.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use http::header::{CONNECTION, CONTENT_TYPE, EXPECT};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Incoming};

use super::access_log::AccessLog;
use super::context::{LiveLimits, Peer};
use super::forwarded::client_address;
use super::metrics::Metrics;
use super::progress::Progress;
use super::reply::Body;
use crate::config::Limits;

/// What answers a request: the routes, or a test's stand-in.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request; never fails: what goes wrong is an answer, too.
    fn answer(&self, peer: Peer, request: Request<Incoming>) -> impl Future<Output = Response<Body>> + Send;
}

impl<F, A> Handler for F
where
    F: Fn(Peer, Request<Incoming>) -> A + Send + Sync + 'static,
    A: Future<Output = Response<Body>> + Send,
{
    fn answer(&self, peer: Peer, request: Request<Incoming>) -> impl Future<Output = Response<Body>> + Send {
        self(peer, request)
    }
}

/// What the requests of every connection have in common.
pub struct Front<H> {
    pub handler: H,
    pub limits: LiveLimits,
    pub log: AccessLog,
    pub metrics: Metrics,
    pub trusted_proxies: Vec<IpAddr>,
    pub is_tls: bool,
}

impl<H: Handler> Front<H> {
    /// Answers one request of the connection from `socket_peer`. Notes the request in `progress` before it returns, and
    /// does the rest when it is polled.
    pub fn exchange(&self, socket_peer: IpAddr, progress: &Progress, request: Request<Incoming>) -> impl Future<Output = Response<Body>> {
        let address = client_address(socket_peer, request.headers(), &self.trusted_proxies);
        let exchange = progress.begin(request.body().size_hint().exact());
        let entry = self.log.begin(&request, address, exchange);
        let waits_for_continue = waits_for_continue(&request);
        let peer = Peer { address, is_tls: self.is_tls };
        async move {
            let mut response = match refusal(&request, &self.limits.get()) {
                Some(refusal) => refusal,
                None => self.without_panic(peer, request).await,
            };
            // Such a client sends its body, or does not, as it likes: only a new connection is sure to begin with a head.
            if waits_for_continue && !response.status().is_success() {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            entry.answered(response)
        }
    }

    async fn without_panic(&self, peer: Peer, request: Request<Incoming>) -> Response<Body> {
        let answer = Box::pin(AssertUnwindSafe(async move { self.handler.answer(peer, request).await }).catch_unwind());
        answer.await.unwrap_or_else(|_| {
            self.metrics.panics.inc();
            tracing::error!("a request ended in a panic; its client hears 500 and the connection closes");
            closing(StatusCode::INTERNAL_SERVER_ERROR, "The server has failed. Please try again; its log says more.\n")
        })
    }
}

/// The answer to a request whose head is beyond the limits.
fn refusal(request: &Request<Incoming>, limits: &Limits) -> Option<Response<Body>> {
    let uri = request.uri();
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    let uri_bytes = authority + uri.path_and_query().map_or(0, |path| path.as_str().len());
    let header_bytes: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len()).sum();
    if uri_bytes > limits.uri_bytes {
        return Some(closing(StatusCode::URI_TOO_LONG, "The URL is too long.\n"));
    }
    (header_bytes > limits.header_bytes).then(|| closing(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "The headers are too long.\n"))
}

fn waits_for_continue(request: &Request<Incoming>) -> bool {
    request.headers().get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

fn closing(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Full::from(text).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

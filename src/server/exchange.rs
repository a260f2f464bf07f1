//! One request and its answer, as far as every request is treated alike: limits, who it is from, panics, the log line.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::{Body as _, Incoming};
use tokio::sync::Semaphore;

use super::access_log::AccessLog;
use super::context::{LiveLimits, Peer};
use super::drain::Drains;
use super::forwarded::client_address;
use super::metrics::Metrics;
use super::progress::Progress;
use super::reply::{self, Body};
use super::request_body::expects_continue;
use super::route::is_below_session;
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
    /// Where the bodies of requests end that are refused here.
    pub drains: Arc<Drains>,
    pub trusted_proxies: Vec<IpAddr>,
    pub is_tls: bool,
    /// Places for the parsers of connections that are idle.
    pub idle_parsers: Semaphore,
}

impl<H: Handler> Front<H> {
    /// Answers one request of the connection from `socket_peer`. Notes the request in `progress` before it returns, and
    /// does the rest when it is polled.
    pub fn exchange(&self, socket_peer: IpAddr, progress: &Progress, request: Request<Incoming>) -> impl Future<Output = Response<Body>> {
        let address = client_address(socket_peer, request.headers(), &self.trusted_proxies);
        let exchange = progress.begin(request.body().size_hint().exact());
        let cuts_target = exchange.cuts_target();
        let entry = self.log.begin(&request, address, exchange);
        let waits_for_continue = expects_continue(request.headers(), request.version());
        let peer = Peer { address, is_tls: self.is_tls };
        async move {
            let limits = self.limits.get();
            let mut response = match refusal(&request, cuts_target, &limits) {
                Some((status, text)) => {
                    let response = self.closing(request.uri().path(), status, text);
                    if !waits_for_continue {
                        self.drains.start(peer, request.into_body(), &limits);
                    }
                    response
                }
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
        let uri = request.uri().clone();
        let answer = Box::pin(AssertUnwindSafe(async move { self.handler.answer(peer, request).await }).catch_unwind());
        answer.await.unwrap_or_else(|_| {
            self.metrics.panics.inc();
            tracing::error!("a request ended in a panic; its client hears 500 and the connection closes");
            self.closing(uri.path(), StatusCode::INTERNAL_SERVER_ERROR, "The server has failed. Please try again; its log says more.")
        })
    }

    /// An answer of our own, guarded as all are, after which the connection ends.
    fn closing(&self, path: &str, status: StatusCode, text: &str) -> Response<Body> {
        let mut response = reply::text(status, text);
        if is_below_session(path) {
            reply::guard_session(response.headers_mut());
        }
        reply::guard(response.headers_mut(), self.is_tls);
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

const CUT: &str = "A # ends a URL, so what follows it would be lost: write it as %23 where it is part of a name.";

/// Why a request is answered without looking at what it asks for: its head is beyond the limits, or the target that was read is
/// not the one that was sent.
fn refusal(request: &Request<Incoming>, cuts_target: bool, limits: &Limits) -> Option<(StatusCode, &'static str)> {
    let uri = request.uri();
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    let uri_bytes = authority + uri.path_and_query().map_or(0, |path| path.as_str().len());
    let header_bytes: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len()).sum();
    if cuts_target {
        return Some((StatusCode::BAD_REQUEST, CUT));
    }
    if uri_bytes > limits.uri_bytes {
        return Some((StatusCode::URI_TOO_LONG, "The URL is too long."));
    }
    (header_bytes > limits.header_bytes).then_some((StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "The headers are too long."))
}

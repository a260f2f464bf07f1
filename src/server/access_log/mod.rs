//! One line for each request: who asked for what, what came of it, how many bytes, how long.
//!
//! * The path of a session is redacted, and a token in a path; a query is never logged, and nothing else of a request's headers is.
//! * What no account and no user answers for (a wrong login, a guess, what is no HTTP at all) costs its sender's network a share of the minute;
//!   once that is used up its requests are counted and no longer told one by one, so nobody fills the log's disk from outside.

mod budget;
mod entry;
mod redacted;

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use http::{Method, Request, StatusCode};

use super::context::LiveLimits;
use super::metrics::Metrics;
use super::network::Network;
use super::progress::Exchange;
use budget::{Budget, Verdict};

pub use entry::{Entry, LoggedAccount, LoggedUser};

/// Where the lines come from. Cheap to clone; clones share the budget.
#[derive(Clone)]
pub struct AccessLog {
    metrics: Metrics,
    limits: LiveLimits,
    budget: Arc<Mutex<Budget>>,
}

impl AccessLog {
    pub fn new(metrics: Metrics, limits: LiveLimits) -> Self {
        Self { metrics, limits, budget: Arc::default() }
    }

    /// Begins the line of a request; it is written when the entry is dropped.
    pub fn begin<B>(&self, request: &Request<B>, peer: IpAddr, exchange: Exchange) -> Entry {
        Entry::begin(request, peer, exchange, self.clone())
    }

    /// Notes a request that was answered before it was understood: there is no method and no path to tell.
    pub fn unparsed(&self, peer: IpAddr, status: StatusCode, why: &hyper::Error) {
        self.metrics.count_request(&Method::from_bytes(b"UNKNOWN").expect("it is a token"), Some(status));
        if self.admits(peer) {
            tracing::info!(status = status.as_u16(), %peer, error = %why, "request, not understood");
        }
    }

    /// Whether a line that no account answers for may be written now; says so itself when lines begin to be left out, and how
    /// many were.
    fn admits(&self, peer: IpAddr) -> bool {
        let most = self.limits.get().log_lines_per_minute;
        let mut budget = self.budget.lock().expect("nobody panics while holding the budget");
        let (verdict, left_out) = budget.judge(Network::of(peer), most, Instant::now());
        if left_out > 0 {
            tracing::warn!(requests = left_out, "requests of networks that had used up their share of the log were not told one by one");
        }
        if verdict == Verdict::Last {
            tracing::warn!(%peer, most, "requests of this network without an account are not told one by one for the rest of the minute");
        }
        if verdict == Verdict::LeftOut {
            self.metrics.unlogged_requests.inc();
        }
        verdict != Verdict::LeftOut
    }
}

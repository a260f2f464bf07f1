//! What every handler may use.

use std::net::IpAddr;
use std::sync::{Arc, RwLock};

use super::links::Links;
use super::metrics::Metrics;
use super::throttle::Throttle;
use crate::config::Limits;
use crate::store::Store;

pub struct Context {
    pub store: Store,
    limits: RwLock<Arc<Limits>>,
    pub links: Links,
    pub throttle: Throttle,
    pub metrics: Metrics,
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer {
    /// The client's address: the socket's, or the one a trusted proxy forwarded for this request.
    pub address: IpAddr,
    pub is_tls: bool,
}

impl Context {
    pub fn new(store: Store, limits: Limits, links: Links) -> Self {
        Self { store, throttle: Throttle::new(&limits), limits: RwLock::new(Arc::new(limits)), links, metrics: Metrics::default() }
    }

    /// The limits in force now.
    pub fn limits(&self) -> Arc<Limits> {
        Arc::clone(&self.limits.read().expect("nobody panics while holding the limits"))
    }

    /// Puts new limits in force, for the next request.
    pub fn set_limits(&self, limits: Limits) {
        self.throttle.set_limits(&limits);
        *self.limits.write().expect("nobody panics while holding the limits") = Arc::new(limits);
    }
}

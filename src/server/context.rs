//! What every handler may use.

use std::net::IpAddr;
use std::sync::{Arc, RwLock};

use tokio::sync::Semaphore;

use super::agent_channel::polls::Polls;
use super::drain::Drains;
use super::json_body::LONG_LOGINS;
use super::links::Links;
use super::metrics::Metrics;
use super::throttle::Throttle;
use crate::config::{Limits, ListedStatus, ServerConfig};
use crate::store::Store;
use crate::store::fleet::vault_secret::VaultSecret;

pub struct Context {
    pub store: Store,
    limits: LiveLimits,
    pub links: Links,
    /// What a login names; at least one.
    pub regions: Vec<String>,
    /// What the list of agents says of their status.
    pub listed_status: ListedStatus,
    /// Opens the vaults whose users did not encrypt them.
    pub vault_secret: VaultSecret,
    /// Long polls of agents.
    pub polls: Arc<Polls>,
    pub throttle: Throttle,
    pub metrics: Metrics,
    /// Places for strangers that send more than a login.
    pub long_logins: Semaphore,
    /// Bodies of refused requests that are being read and thrown away.
    pub drains: Arc<Drains>,
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer {
    /// The client's address: the socket's, or the one a trusted proxy forwarded for this request.
    pub address: IpAddr,
    pub is_tls: bool,
}

/// The limits in force. Cheap to clone; clones change together.
#[derive(Clone)]
pub struct LiveLimits(Arc<RwLock<Arc<Limits>>>);

impl Context {
    /// `config` says what is the same for as long as the server runs.
    pub fn new(store: Store, limits: Limits, links: Links, config: &ServerConfig, vault_secret: VaultSecret) -> Self {
        Self {
            store,
            throttle: Throttle::new(&limits),
            limits: LiveLimits::new(limits),
            links,
            regions: config.regions.clone(),
            listed_status: config.listed_status,
            vault_secret,
            polls: Arc::default(),
            metrics: Metrics::default(),
            long_logins: Semaphore::new(LONG_LOGINS),
            drains: Arc::default(),
        }
    }

    /// The limits in force now.
    pub fn limits(&self) -> Arc<Limits> {
        self.limits.get()
    }

    /// The limits as something that follows when they change.
    pub fn live_limits(&self) -> LiveLimits {
        self.limits.clone()
    }

    /// Puts new limits in force, for the next request.
    pub fn set_limits(&self, limits: Limits) {
        self.throttle.set_limits(&limits);
        self.limits.set(limits);
    }
}

impl LiveLimits {
    pub fn new(limits: Limits) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(limits))))
    }

    pub fn get(&self) -> Arc<Limits> {
        Arc::clone(&self.0.read().expect("nobody panics while holding the limits"))
    }

    fn set(&self, limits: Limits) {
        *self.0.write().expect("nobody panics while holding the limits") = Arc::new(limits);
    }
}

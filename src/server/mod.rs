//! HTTP: one listener, TLS or loopback-plain, and the Backup API behind it.
//!
//! `accept` admits, `connection` bounds, `exchange` treats all requests alike, `route` decides, the handlers answer through
//! `reply` and `error`.

pub mod accept;
pub mod access_log;
pub mod admission;
pub mod agent_channel;
pub mod auth;
pub mod connection;
pub mod context;
pub mod control;
pub mod drain;
pub mod error;
pub mod exchange;
pub mod fault;
pub mod files;
#[cfg(test)]
mod fixture;
pub mod forwarded;
pub mod head_scan;
pub mod headers;
pub mod health;
pub mod identity;
pub mod json_body;
pub mod links;
pub mod list;
pub mod listener;
mod mail;
pub mod metrics;
pub mod metrics_listener;
pub mod minute;
pub mod network;
pub mod operation;
pub mod pages;
pub mod progress;
pub mod reply;
pub mod repository;
pub mod request;
pub mod request_body;
pub mod route;
pub mod sessions;
#[cfg(test)]
pub mod test_limits;
#[cfg(test)]
mod tests;
pub mod throttle;
pub mod tls;
pub mod token_auth;
pub mod versions;
pub mod watched;

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::config::{Config, Limits, ServerConfig};
use crate::server::accept::Accept;
use crate::server::access_log::AccessLog;
use crate::server::context::Context;
use crate::server::exchange::Front;
use crate::server::links::Links;
use crate::server::listener::{inherited, listen};
use crate::server::mail::{MailError, Mailer};
use crate::server::tls::Certificates;
use crate::server::tls::error::CertificateError;
use crate::shutdown::Shutdown;
use crate::store::Store;
use crate::store::fleet::vault_secret::{VaultSecret, VaultSecretError};

/// A server that listens and does not serve yet: connections wait until [`Server::run`].
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    metrics_listener: Option<TcpListener>,
    trusted_proxies: Vec<IpAddr>,
    mailer: Option<Mailer>,
    handle: Handle,
}

/// Changes what a running server can change. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    context: Arc<Context>,
    certificates: Option<Arc<Certificates>>,
}

/// Why the server does not listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("cannot listen on {address}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("metrics have no password, so {address} is refused: name a loopback address")]
    PublicMetrics { address: SocketAddr },
    #[error("cannot serve TLS")]
    Certificate(#[from] CertificateError),
    #[error("mail cannot be sent")]
    Mail(#[from] MailError),
    #[error("the vaults of agents cannot be opened")]
    VaultSecret(#[from] VaultSecretError),
}

impl Server {
    /// Loads or makes the certificate and listens. Nothing is accepted yet.
    pub fn bind(config: &Config, store: Store) -> Result<Self, BindError> {
        let server = &config.server;
        let certificates = match server.plain_http {
            true => None,
            false => Some(Certificates::open(server, &config.store.data, Clock::system())?),
        };
        let mailer = config.mail.as_ref().map(Mailer::new).transpose()?;
        let metrics_listener = server.metrics_listen.map(listen_for_metrics).transpose()?;
        let (listener, address) = main_listener(server.listen)?;
        let names = certificates.as_ref().map(|certificates| certificates.names()).unwrap_or_default();
        let links = Links::new(server.public_url.as_deref(), names, address.port(), certificates.is_some());
        let context = Arc::new(Context::new(
            store,
            within_descriptors(server.limits.clone()),
            links,
            server,
            open_vault_secret(&server.vault_secret)?,
        ));
        let handle = Handle { context, certificates };
        Ok(Self { listener, address, metrics_listener, trusted_proxies: server.trusted_proxies.clone(), mailer, handle })
    }

    /// Where it listens, with the port that the system chose where port 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `https://HOST[:PORT]` as links without a request have it.
    pub fn origin(&self) -> String {
        self.handle.context.links.origin(None)
    }

    /// The self-signed certificate, where clients need it to trust this server.
    pub fn own_certificate(&self) -> Option<PathBuf> {
        self.handle.certificates.as_ref().and_then(|certificates| certificates.own_certificate())
    }

    /// What changes this server while it runs.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves until the stop is given; returns when every connection and task has ended, at the latest `shutdown_time`
    /// after it.
    pub async fn run(self, shutdown: Shutdown) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let metrics_listener = self.metrics_listener.map(tokio::net::TcpListener::from_std).transpose()?;
        let Handle { context, certificates } = self.handle;
        let acceptor = certificates.as_ref().map(|certificates| certificates.acceptor());
        let mut beside = run_beside(&context, certificates, metrics_listener, &shutdown);
        if let Some(mailer) = self.mailer {
            beside.spawn(mailer.run(context.store.clone(), shutdown.clone()));
        }
        let handler = {
            let context = Arc::clone(&context);
            move |peer, request| route::handle(Arc::clone(&context), peer, request)
        };
        let front = Front {
            handler,
            limits: context.live_limits(),
            log: AccessLog::new(context.metrics.clone(), context.live_limits()),
            metrics: context.metrics.clone(),
            drains: Arc::clone(&context.drains),
            trusted_proxies: self.trusted_proxies,
            is_tls: acceptor.is_some(),
            idle_parsers: Semaphore::new(connection::IDLE_PARSERS),
        };
        Accept::new(front, acceptor, shutdown).run(listener).await;
        context.drains.stop().await;
        beside.join_all().await;
        Ok(())
    }
}

impl Handle {
    /// Puts new limits, a new `public_url` and a new certificate in force. A bad certificate is the one thing that can
    /// fail: the old one stays, and the rest is in force all the same.
    pub fn reload(&self, config: &ServerConfig) -> Result<(), CertificateError> {
        self.context.set_limits(within_descriptors(config.limits.clone()));
        let reloaded = self.certificates.as_ref().map_or(Ok(()), |certificates| certificates.reload(config));
        let names = self.certificates.as_ref().map(|certificates| certificates.names()).unwrap_or_default();
        self.context.links.update(config.public_url.as_deref(), names);
        reloaded
    }
}

/// Made at the first start, which says what it is worth.
fn open_vault_secret(path: &Path) -> Result<VaultSecret, VaultSecretError> {
    let (secret, is_new) = VaultSecret::open(path)?;
    if is_new {
        tracing::warn!(path = %path.display(), "this file opens the vaults of agents whose users did not encrypt them: keep a copy elsewhere");
    }
    Ok(secret)
}

/// What runs beside the accept loop, until the same stop.
fn run_beside(
    context: &Arc<Context>,
    certificates: Option<Arc<Certificates>>,
    metrics_listener: Option<tokio::net::TcpListener>,
    shutdown: &Shutdown,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    if let Some(certificates) = certificates.clone() {
        tasks.spawn(tls::expiry::watch(certificates, context.links.clone(), shutdown.clone()));
    }
    tasks.spawn(Arc::clone(&context.polls).run(context.store.clone(), shutdown.clone()));
    if let Some(listener) = metrics_listener {
        let context = Arc::clone(context);
        let render = move || scrape(Arc::clone(&context), certificates.clone());
        tasks.spawn(metrics_listener::run(listener, render, shutdown.clone()));
    }
    tasks
}

/// The socket that was handed over, where one was: then `listen` says nothing.
fn main_listener(address: SocketAddr) -> Result<(TcpListener, SocketAddr), BindError> {
    let failed = |source| BindError::Listen { address, source };
    match inherited().map_err(failed)? {
        Some(listener) => {
            let address = listener.local_addr().map_err(failed)?;
            Ok((listener, address))
        }
        None => bound(address),
    }
}

fn bound(address: SocketAddr) -> Result<(TcpListener, SocketAddr), BindError> {
    let failed = |source| BindError::Listen { address, source };
    let listener = listen(address).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

fn listen_for_metrics(address: SocketAddr) -> Result<TcpListener, BindError> {
    if !address.ip().is_loopback() {
        return Err(BindError::PublicMetrics { address });
    }
    bound(address).map(|(listener, _)| listener)
}

/// Asks the store how it is, then says all there is to say.
async fn scrape(context: Arc<Context>, certificates: Option<Arc<Certificates>>) -> String {
    let health = context.store.health().await;
    let metrics = &context.metrics;
    metrics.expiry_paused.set(i64::from(health.expiry_paused.is_some()));
    metrics.writes_suspended.set(i64::from(health.writes_suspended.is_some()));
    metrics.catalog_down.set(i64::from(health.catalog_down.is_some()));
    if let Some(certificates) = certificates {
        metrics.certificate_seconds_left.set(certificates.seconds_left());
    }
    metrics.render()
}

/// The limits with no more connections than three quarters of the descriptors that this process may have: the rest is for
/// files, so that a crowd of connections cannot keep an upload from its end.
fn within_descriptors(mut limits: Limits) -> Limits {
    let descriptors = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let most = descriptors.and_then(|count| usize::try_from(count).ok()).map_or(usize::MAX, |count| count / 4 * 3);
    if limits.connections > most {
        tracing::warn!(limits.connections, most, "fewer connections are taken than configured: this process may not open more files");
        limits.connections = most;
    }
    limits
}

//! The accept loop: never blocks, never spins, never dies; ends by telling every connection to finish.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::admission::{Admission, Full, Place, in_place};
use super::connection;
use super::exchange::{Front, Handler};
use super::forwarded::is_trusted;
use super::listener::{Acceptor, Backoff, is_of_one_connection};
use crate::config::Limits;
use crate::shutdown::Shutdown;

/// Takes connections and serves each in a task of its own.
pub struct Accept<H> {
    front: Arc<Front<H>>,
    tls: Option<TlsAcceptor>,
    admission: Admission,
    connections: JoinSet<()>,
    shutdown: Shutdown,
}

impl<H: Handler> Accept<H> {
    pub fn new(front: Front<H>, tls: Option<TlsAcceptor>, shutdown: Shutdown) -> Self {
        Self { front: Arc::new(front), tls, admission: Admission::default(), connections: JoinSet::new(), shutdown }
    }

    /// Serves until the stop is given, then stops listening at once, lets running requests end for `shutdown_time`, and
    /// breaks off the rest. Every task has ended when this returns.
    pub async fn run(mut self, acceptor: impl Acceptor) {
        self.take_connections(&acceptor).await;
        drop(acceptor);
        let grace = self.front.limits.get().shutdown_time;
        if timeout(grace, self.finished()).await.is_err() {
            tracing::warn!(connections = self.connections.len(), "connections are broken off: they did not end in time");
            self.connections.abort_all();
            self.finished().await;
        }
    }

    async fn take_connections(&mut self, acceptor: &impl Acceptor) {
        let mut backoff = Backoff::default();
        let mut shutdown = self.shutdown.clone();
        while !shutdown.is_stopping() {
            let wait = tokio::select! {
                biased;
                () = shutdown.stopped() => return,
                Some(ended) = self.connections.join_next() => { note_end(ended); continue }
                accepted = poll_fn(|context| acceptor.poll_accept(context)) => match accepted {
                    Ok((socket, address)) => { backoff.succeeded(); self.take(socket, address); continue }
                    Err(error) if is_of_one_connection(&error) => continue,
                    Err(error) => backoff.failed(&error),
                },
            };
            self.pause(wait, &mut shutdown).await;
        }
    }

    async fn pause(&mut self, wait: Duration, shutdown: &mut Shutdown) {
        tokio::select! {
            () = shutdown.stopped() => {}
            () = sleep(wait) => {}
        }
    }

    fn take(&mut self, socket: TcpStream, address: SocketAddr) {
        let peer = address.ip().to_canonical();
        let limits = self.front.limits.get();
        let exempt = is_trusted(peer, &self.front.trusted_proxies);
        match self.admission.admit(peer, exempt, &limits) {
            Ok(place) => self.spawn(socket, address, place),
            Err(full) => self.refuse(&socket, full, &limits),
        }
    }

    fn spawn(&mut self, socket: TcpStream, address: SocketAddr, place: Place) {
        let (front, tls, shutdown) = (Arc::clone(&self.front), self.tls.clone(), self.shutdown.clone());
        self.connections.spawn(async move {
            let _open = Open::count(&front.metrics.connections);
            in_place(place, connection::serve(Arc::clone(&front), tls, socket, address.ip().to_canonical(), shutdown)).await;
        });
    }

    /// Closes a connection that has no place. A client of plain HTTP hears why, if the kernel takes the words at once.
    fn refuse(&self, socket: &TcpStream, full: Full, limits: &Limits) {
        self.front.metrics.refused_connections.inc();
        tracing::debug!(?full, limits.connections, limits.connections_per_address, "a connection is refused: too many are open");
        if self.tls.is_none() {
            let answer = match full {
                Full::InAll => "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
                Full::ForNetwork => "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            };
            // The connection ends either way.
            let _ = socket.try_write(answer.as_bytes());
        }
    }

    async fn finished(&mut self) {
        while let Some(ended) = self.connections.join_next().await {
            note_end(ended);
        }
    }
}

/// Counts a connection as open while it lives.
struct Open(prometheus_client::metrics::gauge::Gauge);

impl Open {
    fn count(gauge: &prometheus_client::metrics::gauge::Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn note_end(ended: Result<(), JoinError>) {
    if ended.is_err_and(|error| error.is_panic()) {
        tracing::error!("a connection ended in a panic");
    }
}

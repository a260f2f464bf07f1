//! The listening socket, and a back-off for when it cannot give a connection.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;

/// Connections that the kernel holds for us while we are busy.
const BACKLOG: i32 = 1_024;

/// The socket that this process was started with, as systemd hands one over (`LISTEN_FDS`). It outlives each server that takes
/// connections from it, so a restart refuses none: they wait for the next one.
pub fn inherited() -> io::Result<Option<TcpListener>> {
    let listener = listenfd::ListenFd::from_env().take_tcp_listener(0)?;
    listener.map(|listener| listener.set_nonblocking(true).map(|()| listener)).transpose()
}

/// Listens on `address`. An unspecified IPv6 address takes IPv4 connections, too; where the machine has no IPv6 the
/// unspecified IPv4 address stands in for it.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    match listen_exactly(address) {
        Err(_) if address.ip().is_unspecified() && address.is_ipv6() && !has_ipv6() => {
            listen_exactly(SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())))
        }
        listening => listening,
    }
}

fn listen_exactly(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    // A restarted server takes its port back while old connections still end.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Whether this machine can bind an IPv6 address at all.
fn has_ipv6() -> bool {
    TcpListener::bind("[::1]:0").is_ok()
}

/// Where connections come from: a listener, or a test's stand-in.
pub trait Acceptor: Send + Sync {
    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>>;
}

impl Acceptor for tokio::net::TcpListener {
    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.poll_accept(context)
    }
}

/// How long to wait after an accept failed, so that a process without descriptors neither spins nor sleeps on.
#[derive(Default)]
pub struct Backoff {
    wait: Option<Duration>,
    logged_at: Option<Instant>,
}

const FIRST_WAIT: Duration = Duration::from_millis(10);
const LONGEST_WAIT: Duration = Duration::from_millis(320);
const LOG_EVERY: Duration = Duration::from_secs(60);

impl Backoff {
    /// How long to wait after `error`; says so in the log, at most once a minute.
    pub fn failed(&mut self, error: &io::Error) -> Duration {
        if self.logged_at.is_none_or(|at| at.elapsed() >= LOG_EVERY) {
            tracing::error!(%error, "cannot accept connections; trying again until it works");
            self.logged_at = Some(Instant::now());
        }
        let wait = self.wait.map_or(FIRST_WAIT, |wait| (wait * 2).min(LONGEST_WAIT));
        *self.wait.insert(wait)
    }

    pub fn succeeded(&mut self) {
        self.wait = None;
    }
}

/// Whether the error is the end of one connection that nobody had accepted yet, and says nothing about the next.
pub fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unspecified_v6_address_takes_v4_connections_too() {
        let listener = listen("[::]:0".parse().expect("an address")).expect("a listener");
        let port = listener.local_addr().expect("its address").port();
        std::net::TcpStream::connect(("127.0.0.1", port)).expect("a connection by IPv4");
    }

    #[test]
    fn waits_grow_to_a_third_of_a_second_and_begin_again_after_success() {
        let mut backoff = Backoff::default();
        let error = io::Error::other("no descriptors");
        let waits: Vec<_> = (0..8).map(|_| backoff.failed(&error).as_millis()).collect();
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 320, 320]);
        backoff.succeeded();
        assert_eq!(backoff.failed(&error), FIRST_WAIT);
    }
}

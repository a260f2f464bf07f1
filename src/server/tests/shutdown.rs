//! The accept loop's hard days, and its end.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::TcpStream;

use super::support::{End, TestServer, runtime};
use crate::config::Limits;
use crate::server::listener::{Acceptor, listen};
use crate::server::test_limits::limits;

/// Fails as a process without descriptors does, a number of times, before it accepts.
struct Failing {
    listener: tokio::net::TcpListener,
    failures: AtomicUsize,
    /// Polls since the beginning: a loop that spins makes many.
    polls: &'static AtomicUsize,
}

impl Acceptor for Failing {
    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.polls.fetch_add(1, Ordering::Relaxed);
        if self.failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
            return Poll::Ready(Err(io::Error::from_raw_os_error(24)));
        }
        self.listener.poll_accept(context)
    }
}

#[test]
fn the_loop_survives_a_lack_of_descriptors_without_spinning() {
    static POLLS: AtomicUsize = AtomicUsize::new(0);
    let runtime = runtime();
    let listener = listen("127.0.0.1:0".parse().expect("an address")).expect("a listener");
    let address = listener.local_addr().expect("its address");
    let acceptor = {
        let _inside = runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener for the runtime");
        Failing { listener, failures: AtomicUsize::new(8), polls: &POLLS }
    };
    let server = TestServer::run(limits(), None, Vec::new(), acceptor, address, runtime);
    assert!(server.connect().ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("hello"));
    assert!(POLLS.load(Ordering::Relaxed) < 50, "the loop spins");
}

#[test]
fn a_running_request_is_answered_after_the_stop_and_idle_connections_close_at_once() {
    // An address of its own: on a shared one another test's server could get the port as soon as it is free.
    let mut server = TestServer::start_on("127.7.7.7:0", limits(), None, Vec::new());
    let mut idle = server.connect();
    assert!(idle.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("hello"));
    let mut upload = server.connect();
    upload.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345");
    while server.metrics.render().contains("strongroom_uploads_in_flight 0\n") {
        std::thread::yield_now();
    }
    server.stop.stop();
    assert_eq!(idle.read_to_end().1, End::Closed);
    let (text, ..) = upload.send("67890").read_to_end();
    assert!(text.ends_with("10 bytes") && text.contains("\r\nconnection: close\r\n"), "{text}");
    assert!(server.stop() < Duration::from_secs(10));
    // Another test that starts a program may hold the listener's descriptor for a moment, so a connection proves nothing.
    if let Ok(mut late) = std::net::TcpStream::connect(server.address) {
        let answered = late.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").and_then(|()| late.read(&mut [0; 1]));
        assert!(!matches!(answered, Ok(1)), "somebody still serves");
    }
}

#[test]
fn a_request_that_does_not_end_in_time_is_broken_off() {
    let mut server = TestServer::start(Limits { shutdown_time: Duration::from_millis(200), ..limits() });
    let mut upload = server.connect();
    upload.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345");
    while server.metrics.render().contains("strongroom_uploads_in_flight 0\n") {
        std::thread::yield_now();
    }
    let took = server.stop();
    assert!(took >= Duration::from_millis(200) && took < Duration::from_secs(10), "{took:?}");
    assert_eq!(upload.read_to_end().0, "");
    assert_eq!(server.metrics.connections.get(), 0);
}

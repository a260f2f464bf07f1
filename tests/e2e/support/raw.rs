//! A bare connection, for what curl cannot send.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use super::answer::Head;
use super::server::TestServer;

/// Bytes in, bytes out.
pub struct Raw {
    stream: TcpStream,
    received: Vec<u8>,
}

/// One answer off the wire.
#[derive(Debug)]
pub struct RawAnswer {
    pub head: Head,
    pub body: Vec<u8>,
}

impl Raw {
    pub fn connect(server: &TestServer) -> Self {
        Self::connect_port(server.port())
    }

    pub fn connect_port(port: u16) -> Self {
        Self::try_connect(port).expect("the server takes a connection")
    }

    /// `None` when nobody listens there.
    pub fn try_connect(port: u16) -> Option<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_nodelay(true).ok()?;
        Some(Self::on(stream))
    }

    /// A connection that somebody else has made.
    pub const fn on(stream: TcpStream) -> Self {
        Self { stream, received: Vec::new() }
    }

    /// Sends all bytes; a server that closed meanwhile is no failure here.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        drop(self.stream.write_all(bytes.as_ref()));
        self
    }

    /// Ends our half of the connection.
    pub fn finish_sending(&self) {
        drop(self.stream.shutdown(Shutdown::Write));
    }

    /// Cuts the connection off with a reset.
    pub fn reset(self) {
        rustix::net::sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO)).expect("an option of every socket");
    }

    /// The next answer with a body of `Content-Length` bytes (none for HEAD: ask `answer_to_head`); `None` when the connection ends first.
    pub fn answer(&mut self, within: Duration) -> Option<RawAnswer> {
        let head = self.head(within)?;
        let length = match head.status {
            100 | 204 | 304 => 0,
            _ => head.header("content-length").and_then(|value| value.parse().ok()).unwrap_or(0),
        };
        Some(RawAnswer { head, body: self.take(length, within)? })
    }

    /// The next `length` bytes; `None` when the connection or the time ends first.
    pub fn take(&mut self, length: usize, within: Duration) -> Option<Vec<u8>> {
        let deadline = Instant::now() + within;
        while self.received.len() < length {
            if !self.read_more(deadline) {
                return None;
            }
        }
        Some(self.received.drain(..length).collect())
    }

    /// Reads the next `length` bytes as fast as they come and keeps none; how many came before the end of the connection or of the time.
    pub fn skip(&mut self, length: usize, within: Duration) -> usize {
        let mut skipped = self.received.len().min(length);
        self.received.drain(..skipped);
        self.stream.set_read_timeout(Some(within)).expect("an option of every socket");
        let mut buffer = vec![0; 256 << 10];
        while skipped < length {
            let room = buffer.len().min(length - skipped);
            match self.stream.read(&mut buffer[..room]) {
                Ok(count) if count > 0 => skipped += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                _ => break,
            }
        }
        skipped
    }

    /// The next head alone.
    pub fn head(&mut self, within: Duration) -> Option<Head> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(end) = find(&self.received, b"\r\n\r\n") {
                let head: Vec<u8> = self.received.drain(..end + 4).collect();
                return Head::parse(&String::from_utf8_lossy(&head));
            }
            if !self.read_more(deadline) {
                return None;
            }
        }
    }

    /// Everything until the server closes; `None` when it does not within the time.
    pub fn until_closed(&mut self, within: Duration) -> Option<Vec<u8>> {
        let deadline = Instant::now() + within;
        while self.read_more(deadline) {}
        (Instant::now() < deadline).then(|| std::mem::take(&mut self.received))
    }

    /// Everything within the time, and whether the server closed.
    pub fn received_until_closed(&mut self, within: Duration) -> (Vec<u8>, bool) {
        let closed = self.until_closed(within);
        let is_closed = closed.is_some();
        (closed.unwrap_or_else(|| std::mem::take(&mut self.received)), is_closed)
    }

    /// Whether the server closes the connection within the time.
    pub fn is_closed_within(&mut self, within: Duration) -> bool {
        self.until_closed(within).is_some()
    }

    /// Reads some; `false` at the end of the connection or of the time.
    fn read_more(&mut self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        self.stream.set_read_timeout(Some(left)).expect("an option of every socket");
        let mut buffer = [0; 16 << 10];
        match self.stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(count) => {
                self.received.extend_from_slice(&buffer[..count]);
                true
            }
            Err(error) => match error.kind() {
                ErrorKind::Interrupted => true,
                // The time is over: the caller sees it by the clock.
                ErrorKind::WouldBlock | ErrorKind::TimedOut => Instant::now() < deadline,
                _ => false,
            },
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

//! Waiting for the network with an eye on two things: whether anything moves at all, and whether the caller still wants it.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::vault::cancel::Cancel;

/// Counts what moves on a connection, whatever it is.
#[derive(Clone, Default)]
pub struct Moved(Arc<AtomicU64>);

impl Moved {
    pub fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why waiting ended before the work.
#[derive(PartialEq, Eq, Debug)]
pub enum Ended {
    Cancelled,
    /// Nothing moved for so long.
    Idle(Duration),
}

/// How often it is looked whether the caller still wants it.
const LOOK: Duration = Duration::from_millis(100);

pub async fn watched<T>(work: impl Future<Output = T>, moved: &Moved, idle: Duration, cancel: &Cancel) -> Result<T, Ended> {
    let mut work = pin!(work);
    let mut look = tokio::time::interval(LOOK.min(idle / 4).max(Duration::from_millis(1)));
    let (mut seen, mut since) = (moved.total(), Instant::now());
    loop {
        tokio::select! {
            biased;
            done = &mut work => return Ok(done),
            _ = look.tick() => {}
        }
        if cancel.is_raised() {
            return Err(Ended::Cancelled);
        }
        let total = moved.total();
        if total != seen {
            (seen, since) = (total, Instant::now());
        } else if since.elapsed() >= idle {
            return Err(Ended::Idle(idle));
        }
    }
}

/// A socket whose bytes are counted.
pub struct Counted {
    pub socket: TcpStream,
    pub moved: Moved,
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let polled = Pin::new(&mut self.socket).poll_read(context, into);
        self.moved.add(into.filled().len() - before);
        polled
    }
}

impl Counted {
    fn count(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(count)) = polled {
            self.moved.add(count);
        }
        polled
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.count(polled)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write_vectored(context, slices);
        self.count(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

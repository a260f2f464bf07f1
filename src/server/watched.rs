//! A stream whose waits end, and a socket whose bytes are counted.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_rustls::server::TlsStream;

use super::metrics::Metrics;
use super::progress::{Ending, Progress};

/// A stream of HTTP that fails a read or a write with `TimedOut` when it waits beyond its [`Progress`] deadline.
pub struct Watched<S> {
    stream: S,
    progress: Progress,
    /// Read ahead to see that there is one; the next read begins with it.
    first_byte: Option<u8>,
    read_timer: Timer,
    write_timer: Timer,
}

/// The socket below: counts bytes for the metrics and notes that they moved.
pub struct Metered {
    socket: TcpStream,
    progress: Progress,
    metrics: Metrics,
}

/// A stream that knows its socket.
pub trait OverSocket {
    fn socket(&self) -> &TcpStream;
}

/// A sleep that follows a deadline which may move while it sleeps.
#[derive(Default)]
pub struct Timer(Option<Pin<Box<Sleep>>>);

impl<S> Watched<S> {
    pub fn new(stream: S, progress: Progress) -> Self {
        Self { stream, progress, first_byte: None, read_timer: Timer::default(), write_timer: Timer::default() }
    }

    /// Waits for the first byte of a request, without a buffer to read it into; false when none will come.
    pub async fn wait_for_byte(&mut self) -> bool
    where
        S: AsyncRead + Unpin,
    {
        let mut byte = [0];
        if self.first_byte.is_none() && matches!(self.read(&mut byte).await, Ok(1)) {
            self.first_byte = Some(byte[0]);
        }
        self.first_byte.is_some()
    }

    fn judge_write<T>(&mut self, context: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.progress.wrote();
            return polled;
        }
        ready!(self.write_timer.poll_until(context, || self.progress.write_deadline()));
        self.progress.end(Ending::Reset);
        Poll::Ready(Err(timed_out()))
    }
}

impl Metered {
    pub fn new(socket: TcpStream, progress: Progress, metrics: Metrics) -> Self {
        Self { socket, progress, metrics }
    }

    fn note_sent(&self, polled: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(count)) = polled {
            self.progress.socket_sent();
            self.metrics.sent_bytes.inc_by(*count as u64);
        }
    }
}

impl Timer {
    /// Ready once the deadline has passed; pending while there is none.
    pub fn poll_until(&mut self, context: &mut Context<'_>, deadline: impl Fn() -> Option<Instant>) -> Poll<()> {
        loop {
            let Some(deadline) = deadline() else { return Poll::Pending };
            let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            if deadline < sleep.deadline() {
                sleep.as_mut().reset(deadline);
            }
            ready!(sleep.as_mut().poll(context));
            if deadline <= Instant::now() {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }
}

fn timed_out() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the client moved no byte for too long")
}

impl<S: OverSocket> OverSocket for Watched<S> {
    fn socket(&self) -> &TcpStream {
        self.stream.socket()
    }
}

impl OverSocket for Box<TlsStream<Metered>> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0.socket()
    }
}

impl OverSocket for Metered {
    fn socket(&self) -> &TcpStream {
        &self.socket
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(byte) = this.first_byte.take_if(|_| buffer.remaining() > 0) {
            buffer.put_slice(&[byte]);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(context, buffer);
        if polled.is_ready() {
            this.progress.received(&buffer.filled()[before..]);
            return polled;
        }
        ready!(this.read_timer.poll_until(context, || this.progress.read_deadline()));
        this.progress.end(Ending::TimedOut);
        Poll::Ready(Err(timed_out()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge_write(context, polled)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.judge_write(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        self.judge_write(context, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(context);
        self.judge_write(context, polled)
    }
}

impl AsyncRead for Metered {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.socket).poll_read(context, buffer);
        let count = buffer.filled().len() - before;
        if count > 0 {
            self.progress.socket_received();
            self.metrics.received_bytes.inc_by(count as u64);
        }
        polled
    }
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.note_sent(&polled);
        polled
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write_vectored(context, slices);
        self.note_sent(&polled);
        polled
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

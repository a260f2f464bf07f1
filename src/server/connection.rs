//! One connection: TLS, HTTP/1, and an end that loses no answer.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::header::CONNECTION;
use http::{HeaderValue, Response, StatusCode};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::exchange::{Front, Handler};
use super::progress::{Ending, Progress};
use super::reply::Body;
use super::watched::{Metered, OverSocket, Timer, Watched};
use crate::config::Limits;
use crate::shutdown::Shutdown;

/// Bytes of a transfer that wait in a connection's buffer, each way.
const BUFFER_BYTES: usize = 64 << 10;
/// Unsent bytes that the kernel takes of an answer. Small, so that a slow client's progress is seen in small steps: one
/// that takes 1 KiB a second moves half of this well within `progress_time`.
const UNSENT_BYTES: u32 = 64 << 10;
/// How long a parser waits for another request, so that those that follow at once do not each have one made.
const IDLE_MOMENT: Duration = Duration::from_secs(1);
/// So many parsers may wait at once. In a crowd that comes within a moment the others are dropped when they have answered.
pub const IDLE_PARSERS: usize = 1_024;
/// How long the end of a connection waits for its client, and how much it reads of what the client still sends.
const LINGER_TIME: Duration = Duration::from_secs(2);
const LINGER_BYTES: u64 = 4 << 20;

/// Serves the requests of one connection until either side ends it. At shutdown the running request is still answered.
pub async fn serve<H: Handler>(front: Arc<Front<H>>, tls: Option<TlsAcceptor>, socket: TcpStream, peer: IpAddr, mut shutdown: Shutdown) {
    let limits = front.limits.get();
    let progress = Progress::new(Arc::clone(&limits));
    prepare(&socket);
    let metered = Metered::new(socket, progress.clone(), front.metrics.clone());
    // Boxed one by one, so that a connection holds the memory of what it is doing and of nothing else.
    let Some(acceptor) = tls else {
        return Box::pin(serve_http(front, metered, peer, progress, &limits, shutdown)).await;
    };
    let handshake = tokio::select! {
        handshake = Box::pin(shake_hands(acceptor, metered, peer, &limits)) => handshake,
        () = shutdown.stopped() => None,
    };
    if let Some(stream) = handshake {
        progress.restart();
        Box::pin(serve_http(front, stream, peer, progress, &limits, shutdown)).await;
    }
}

async fn shake_hands(acceptor: TlsAcceptor, socket: Metered, peer: IpAddr, limits: &Limits) -> Option<Box<TlsStream<Metered>>> {
    let shaken = timeout(limits.handshake_time, async {
        let mut first = [0];
        match socket.socket().peek(&mut first).await {
            Ok(1) if first[0].is_ascii_uppercase() => {
                speak_plainly(socket).await;
                None
            }
            _ => Some(acceptor.accept(socket).await),
        }
    });
    match shaken.await {
        Ok(Some(Ok(stream))) => return Some(Box::new(stream)),
        Ok(Some(Err(error))) => tracing::debug!(%peer, %error, "a TLS handshake failed"),
        Ok(None) => tracing::debug!(%peer, "a client spoke HTTP without TLS"),
        Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
    }
    None
}

/// Tells a client that begins with a method, not with a handshake, what is wrong with its URL.
async fn speak_plainly(mut socket: Metered) {
    let answer = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n\
                  This port speaks HTTPS: begin the URL with https://.\n";
    if socket.write_all(answer.as_bytes()).await.is_ok() {
        close(socket, Ending::Unread).await;
    }
}

/// Serves requests as they come. While a connection is idle it is a socket and little else: the parser, with its buffers,
/// is made when a request begins and dropped a moment after the last one was answered, so that ten thousand idle clients cost next
/// to nothing.
async fn serve_http<H, S>(front: Arc<Front<H>>, stream: S, peer: IpAddr, progress: Progress, limits: &Limits, mut shutdown: Shutdown)
where
    H: Handler,
    S: AsyncRead + AsyncWrite + OverSocket + Unpin,
{
    let mut stream = Watched::new(stream, progress.clone());
    loop {
        let begins = tokio::select! {
            biased;
            begins = stream.wait_for_byte() => begins,
            () = shutdown.stopped() => false,
        };
        if !begins {
            break;
        }
        let (returned, is_idle) = Box::pin(serve_requests(&front, stream, peer, &progress, limits, &mut shutdown)).await;
        stream = returned;
        if !is_idle {
            break;
        }
    }
    Box::pin(close(stream, progress.ending())).await;
}

/// Serves the request that has begun and those that follow within a moment. Gives the stream back, and whether it may be used on.
async fn serve_requests<H, S>(
    front: &Front<H>,
    stream: Watched<S>,
    peer: IpAddr,
    progress: &Progress,
    limits: &Limits,
    shutdown: &mut Shutdown,
) -> (Watched<S>, bool)
where
    H: Handler,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let stopped = shutdown.clone();
    let service = service_fn(|request| {
        let answer = front.exchange(peer, progress, request);
        Box::pin(async {
            let answer = answer.await;
            Ok::<_, Infallible>(if stopped.is_stopping() { the_last(answer) } else { answer })
        })
    });
    let mut connection = http1(limits).serve_connection(TokioIo::new(stream), service);
    let (mut is_stopping, mut moment, mut place) = (false, Timer::default(), None);
    let ended = loop {
        tokio::select! {
            biased;
            ended = poll_fn(|context| match connection.poll_without_shutdown(context) {
                Poll::Ready(ended) => Poll::Ready(Some(ended)),
                Poll::Pending => {
                    let Some(since) = progress.idle_since() else {
                        place = None;
                        return Poll::Pending;
                    };
                    place = place.take().or_else(|| front.idle_parsers.try_acquire().ok());
                    // Whatever was to be sent is sent: the parser flushes before it waits, and a flush that waits is no idleness.
                    if place.is_none() {
                        return Poll::Ready(None);
                    }
                    moment.poll_until(context, || Some(since + IDLE_MOMENT)).map(|()| None)
                }
            }) => break ended,
            () = shutdown.stopped(), if !is_stopping => {
                is_stopping = true;
                std::pin::Pin::new(&mut connection).graceful_shutdown();
            }
        }
    };
    if let Some(Err(error)) = &ended {
        match answered_by_parser(error) {
            Some(status) => front.log.unparsed(peer, status, error),
            None => tracing::debug!(%peer, %error, "a connection ended early"),
        }
    }
    (connection.into_parts().io.into_inner(), ended.is_none())
}

/// What the HTTP library has answered by itself to a head that it could not read. A head that ends in the middle is answered by nobody.
fn answered_by_parser(error: &hyper::Error) -> Option<StatusCode> {
    match error {
        error if error.is_parse_too_large() => Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
        error if error.is_parse() => Some(StatusCode::BAD_REQUEST),
        _ => None,
    }
}

/// The answer, as the connection's last one: a client that is told sends its next request elsewhere.
fn the_last(mut answer: Response<Body>) -> Response<Body> {
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}

/// HTTP/1 within `limits`. Waits for heads end by [`Progress`]; the parser's own clock, which cannot tell a new
/// connection from an idle one, stands behind it.
fn http1(limits: &Limits) -> http1::Builder {
    // The parser counts the request line, too; what is exact is judged once the request is whole.
    let head_bytes = limits.header_bytes + limits.uri_bytes + 1_024;
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle_time + limits.header_time)
        .max_headers(limits.header_count)
        .max_header_size(head_bytes)
        .max_buf_size(BUFFER_BYTES.max(head_bytes))
        .half_close(false);
    builder
}

/// Ends the connection so that a client that still sends reads our last answer before it finds it closed.
async fn close<S: AsyncRead + AsyncWrite + OverSocket + Unpin>(mut stream: S, ending: Ending) {
    if ending == Ending::Reset {
        // Where this fails the socket is gone already.
        let _ = stream.socket().set_zero_linger();
        return;
    }
    let goodbye = async {
        let said = stream.shutdown().await;
        if said.is_ok() && ending == Ending::Unread {
            // An error is the end, too.
            let _ = tokio::io::copy(&mut stream.take(LINGER_BYTES), &mut tokio::io::sink()).await;
        }
    };
    // Whatever the client does by then, the connection is over.
    let _ = timeout(LINGER_TIME, goodbye).await;
}

fn prepare(socket: &TcpStream) {
    let options = socket.set_nodelay(true).and_then(|()| socket2::SockRef::from(socket).set_tcp_notsent_lowat(UNSENT_BYTES));
    if let Err(error) = options {
        tracing::debug!(%error, "a connection was gone before its options were set");
    }
}

//! Plain HTTP on a loopback address with `/metrics` and nothing else.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::listener::Backoff;
use crate::shutdown::Shutdown;

/// Scrapes at once; one more waits in the kernel's queue.
const SCRAPES: usize = 8;
/// A scrape that takes longer, or a connection kept open longer, is cut: the next one makes its own.
const SCRAPE_TIME: Duration = Duration::from_secs(10);
const TEXT_FORMAT: HeaderValue = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// Answers scrapes with what `render` says until the stop is given.
pub async fn run<R, A>(listener: TcpListener, render: R, mut shutdown: Shutdown)
where
    R: Fn() -> A + Clone + Send + Sync + 'static,
    A: Future<Output = String> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(SCRAPES));
    let (mut scrapes, mut backoff) = (JoinSet::new(), Backoff::default());
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("the semaphore is never closed");
        let accepted = tokio::select! {
            () = shutdown.stopped() => break,
            accepted = listener.accept() => accepted,
        };
        while scrapes.try_join_next().is_some() {}
        match accepted {
            Ok((socket, _)) => {
                backoff.succeeded();
                let render = render.clone();
                scrapes.spawn(async move {
                    let _place = place;
                    // A scrape that fails is the scraper's to report.
                    let _ = timeout(SCRAPE_TIME, scrape(socket, render)).await;
                });
            }
            Err(error) => tokio::time::sleep(backoff.failed(&error)).await,
        }
    }
    scrapes.shutdown().await;
}

async fn scrape<R, A>(socket: TcpStream, render: R) -> hyper::Result<()>
where
    R: Fn() -> A,
    A: Future<Output = String>,
{
    let answer = service_fn(|request: Request<Incoming>| {
        let asks = *request.method() == Method::GET && request.uri().path() == "/metrics";
        let text = asks.then(&render);
        async move {
            Ok::<_, Infallible>(match text {
                Some(text) => metrics(text.await),
                None => not_found(),
            })
        }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .max_buf_size(16 << 10)
        .serve_connection(TokioIo::new(socket), answer)
        .await
}

fn metrics(text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    response.headers_mut().insert(CONTENT_TYPE, TEXT_FORMAT);
    response
}

fn not_found() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from("Only /metrics is here.\n"));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::run;
    use crate::server::metrics::Metrics;
    use crate::server::tests::support::{Client, runtime};
    use crate::shutdown::channel;

    #[test]
    fn metrics_are_at_their_path_and_nothing_else_is_anywhere() {
        let runtime = runtime();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a listener");
        let address = listener.local_addr().expect("its address");
        let (stop, shutdown) = channel();
        let metrics = Metrics::default();
        let render = move || std::future::ready(metrics.render());
        let running = runtime.spawn(run(listener, render, shutdown));
        let get = |path: &str| {
            let mut client = Client(TcpStream::connect(address).expect("a connection"));
            client.send(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).read_to_end().0
        };
        let text = get("/metrics");
        assert!(text.starts_with("HTTP/1.1 200 ") && text.contains("\nstrongroom_connections_open 0\n"), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
        assert!(get("/").starts_with("HTTP/1.1 404 "));
        stop.stop();
        runtime.block_on(running).expect("it ends with the stop");
    }
}

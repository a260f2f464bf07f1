//! A server with a stand-in for the routes, and raw clients.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use crate::config::Limits;
use crate::server::accept::Accept;
use crate::server::access_log::AccessLog;
use crate::server::context::{LiveLimits, Peer};
use crate::server::drain::Drains;
use crate::server::exchange::Front;
use crate::server::listener::{Acceptor, listen};
use crate::server::metrics::Metrics;
use crate::server::reply::Body;
use crate::shutdown::{Stop, channel};

/// A running server of its own runtime; stopped and awaited when dropped.
pub struct TestServer {
    pub address: SocketAddr,
    pub metrics: Metrics,
    pub stop: Arc<Stop>,
    pub runtime: Option<Runtime>,
    running: Option<JoinHandle<()>>,
}

/// The stand-in for the routes:
/// * `GET /` answers `hello`; `GET /peer` the peer's address; `GET /panic` panics;
/// * `PUT /` reads the body and answers its length; `PUT /late` then waits for a second request to `/release`;
/// * `PUT /refused` answers 405 at once and drains; `PUT /dropped` answers 405 and forgets the body;
/// * `GET /endless` streams zeros without end; `GET /broken` breaks off after some bytes.
pub async fn stand_in(
    drains: Arc<Drains>,
    limits: LiveLimits,
    gate: Arc<tokio::sync::Notify>,
    peer: Peer,
    request: Request<Incoming>,
) -> Response<Body> {
    let path = request.uri().path().to_owned();
    match path.as_str() {
        "/peer" => text(StatusCode::OK, peer.address.to_string()),
        "/panic" => panic!("a test's panic"),
        "/release" => {
            gate.notify_one();
            text(StatusCode::OK, "released".into())
        }
        "/refused" => {
            drains.start(peer, request.into_body(), &limits.get());
            text(StatusCode::METHOD_NOT_ALLOWED, "files are kept\n".into())
        }
        "/dropped" => text(StatusCode::METHOD_NOT_ALLOWED, "files are kept\n".into()),
        "/endless" => streamed(futures_util::stream::repeat_with(|| Ok(Bytes::from(vec![0; 64 << 10])))),
        "/broken" => streamed(futures_util::stream::iter([Ok(Bytes::from_static(b"some")), Err("damaged")])),
        _ => {
            let length = request.into_body().collect().await.map(|body| body.to_bytes().len());
            if path == "/late" {
                gate.notified().await;
            }
            match length {
                Ok(0) => text(StatusCode::OK, "hello".into()),
                Ok(length) => text(StatusCode::CREATED, format!("{length} bytes")),
                Err(_) => text(StatusCode::BAD_REQUEST, "cut".into()),
            }
        }
    }
}

fn text(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Full::from(text).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response
}

fn streamed(chunks: impl futures_util::Stream<Item = Result<Bytes, &'static str>> + Send + 'static) -> Response<Body> {
    let frames = futures_util::StreamExt::map(chunks, |chunk| chunk.map(Frame::data).map_err(Into::into));
    Response::new(BodyExt::boxed_unsync(StreamBody::new(frames)))
}

impl TestServer {
    pub fn start(limits: Limits) -> Self {
        Self::start_with(limits, None, Vec::new())
    }

    pub fn start_with(limits: Limits, tls: Option<tokio_rustls::TlsAcceptor>, trusted_proxies: Vec<std::net::IpAddr>) -> Self {
        Self::start_on("127.0.0.1:0", limits, tls, trusted_proxies)
    }

    pub fn start_on(address: &str, limits: Limits, tls: Option<tokio_rustls::TlsAcceptor>, trusted_proxies: Vec<std::net::IpAddr>) -> Self {
        let listener = listen(address.parse().expect("an address")).expect("a listener");
        let address = listener.local_addr().expect("its address");
        let runtime = runtime();
        let acceptor = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener).expect("a listener for the runtime")
        };
        Self::run(limits, tls, trusted_proxies, acceptor, address, runtime)
    }

    pub fn run(
        limits: Limits,
        tls: Option<tokio_rustls::TlsAcceptor>,
        trusted_proxies: Vec<std::net::IpAddr>,
        acceptor: impl Acceptor + 'static,
        address: SocketAddr,
        runtime: Runtime,
    ) -> Self {
        let (stop, shutdown) = channel();
        let limits = LiveLimits::new(limits);
        let metrics = Metrics::default();
        let (drains, gate, of_handler) = (Arc::new(Drains::default()), Arc::new(tokio::sync::Notify::new()), limits.clone());
        let of_front = Arc::clone(&drains);
        let handler = move |peer, request| stand_in(Arc::clone(&drains), of_handler.clone(), Arc::clone(&gate), peer, request);
        let log = AccessLog::new(metrics.clone(), limits.clone());
        let is_tls = tls.is_some();
        // One connection's parser waits for its next request, those of the others are made anew.
        let idle_parsers = tokio::sync::Semaphore::new(1);
        let front = Front { handler, limits, log, metrics: metrics.clone(), drains: of_front, trusted_proxies, is_tls, idle_parsers };
        let running = runtime.spawn(Accept::new(front, tls, shutdown).run(acceptor));
        Self { address, metrics, stop: Arc::new(stop), runtime: Some(runtime), running: Some(running) }
    }

    pub fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time-out");
        Client(stream)
    }

    /// A client whose kernel holds little of what it has not read yet.
    pub fn connect_with_small_buffer(&self) -> Client {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        socket.set_recv_buffer_size(8 << 10).expect("its buffer");
        socket.connect(&self.address.into()).expect("a connection");
        Client(socket.into())
    }

    /// Stops the server and returns once it has ended, with the time that took.
    pub fn stop(&mut self) -> Duration {
        let began = Instant::now();
        self.stop.stop();
        if let (Some(runtime), Some(running)) = (&self.runtime, self.running.take()) {
            runtime.block_on(running).expect("the server ended without a panic");
        }
        began.elapsed()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.stop();
        }
    }
}

pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// A client that writes and reads bytes, and sees how the connection ends.
pub struct Client(pub TcpStream);

/// How the server ended a connection.
#[derive(PartialEq, Eq, Debug)]
pub enum End {
    Closed,
    Reset,
}

impl Client {
    pub fn send(&mut self, text: &str) -> &mut Self {
        self.0.write_all(text.as_bytes()).expect("the server takes it");
        self
    }

    /// Sends a request and reads its answer, whose body has a `Content-Length`.
    pub fn ask(&mut self, request: &str) -> String {
        self.send(request).answer()
    }

    /// Reads one answer with a `Content-Length`.
    pub fn answer(&mut self) -> String {
        let mut text = String::new();
        while !text.contains("\r\n\r\n") {
            text.push(self.byte());
        }
        let length =
            text.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |length| length.parse().expect("a length"));
        (0..length).for_each(|_| text.push(self.byte()));
        text
    }

    fn byte(&mut self) -> char {
        let mut byte = [0];
        self.0.read_exact(&mut byte).expect("more of the answer");
        char::from(byte[0])
    }

    /// Reads to the end: what came, how it ended, and after how long.
    pub fn read_to_end(&mut self) -> (String, End, Duration) {
        let began = Instant::now();
        let mut bytes = Vec::new();
        let end = match self.0.read_to_end(&mut bytes) {
            Ok(_) => End::Closed,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => End::Reset,
            Err(error) => panic!("the server did not end the connection: {error}"),
        };
        (String::from_utf8_lossy(&bytes).into_owned(), end, began.elapsed())
    }
}

/// TLS with a certificate of its own, for tests that do not look at it.
pub fn any_tls() -> tokio_rustls::TlsAcceptor {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a pair");
    tokio_rustls::TlsAcceptor::from(Arc::new(config))
}

/// Lets time pass, as a slow client does, whatever comes meanwhile.
pub fn pause(time: Duration) {
    let (_keep, nothing) = std::sync::mpsc::channel::<()>();
    nothing.recv_timeout(time).expect_err("nothing is ever sent");
}

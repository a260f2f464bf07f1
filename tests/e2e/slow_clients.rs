//! Clients that take their time: who says nothing is shown out, who moves is left alone, and nobody else notices.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::account::Account;
use crate::support::figure::figure;
use crate::support::raw::Raw;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{SOON, is_nightly, program, skip, skip_nightly, tree};

/// A crowd of connections that all do the same.
struct Crowd {
    what: &'static str,
    sockets: Vec<Option<TcpStream>>,
    /// Sent by each connection now and then.
    drip: Vec<u8>,
    began: Instant,
    /// When each was closed by the server.
    closed: Vec<Duration>,
    received: usize,
}

impl Crowd {
    fn gather(what: &'static str, port: u16, size: usize, first: &[u8], drip: &[u8]) -> Self {
        let connect = |_| {
            let mut socket = TcpStream::connect(("127.0.0.1", port)).expect("the server takes a connection");
            socket.write_all(first).expect("the server takes the beginning");
            socket.set_nonblocking(true).expect("an option of every socket");
            Some(socket)
        };
        let began = Instant::now();
        Self { what, sockets: (0..size).map(connect).collect(), drip: drip.to_vec(), began, closed: Vec::new(), received: 0 }
    }

    /// Each connection sends its next piece, and up to `read_bytes` of what came are taken.
    fn move_on(&mut self, read_bytes: usize) {
        let mut buffer = vec![0; read_bytes];
        for place in &mut self.sockets {
            let Some(socket) = place else { continue };
            // Where the connection has ended, reading says so.
            let _ = socket.write(&self.drip);
            match socket.read(&mut buffer) {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Ok(count) if count > 0 => self.received += count,
                Ok(_) | Err(_) => {
                    self.closed.push(self.began.elapsed());
                    *place = None;
                }
            }
        }
    }

    fn open(&self) -> usize {
        self.sockets.iter().flatten().count()
    }

    /// All were closed between the two times.
    #[track_caller]
    fn expect_closed(&self, from: u64, to: u64) -> String {
        let (first, last) = (self.closed.iter().min().copied(), self.closed.iter().max().copied());
        let (Some(first), Some(last)) = (first, last) else { panic!("none of {} was closed", self.what) };
        assert_eq!(self.open(), 0, "{}: some are still open", self.what);
        let window = Duration::from_secs(from)..=Duration::from_secs(to);
        assert!(window.contains(&first) && window.contains(&last), "{}: closed from {first:?} to {last:?}", self.what);
        format!("{} {} closed after {:.1} to {:.1} s", self.closed.len(), self.what, first.as_secs_f64(), last.as_secs_f64())
    }
}

/// Asks on a new connection again and again until it is told to stop; how long each took, shortest first.
fn probe(server: &TestServer, account: &Account, stop: &AtomicBool) -> Vec<Duration> {
    let mut times = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        let mut raw = Raw::connect(server);
        raw.send(format!("GET /small HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\nConnection: close\r\n\r\n", account.basic()));
        let answer = raw.answer(SOON);
        assert_eq!(answer.map(|answer| answer.head.status), Some(200), "the service is there for everybody else");
        times.push(began.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
    times.sort();
    times
}

fn p99(times: &[Duration]) -> Duration {
    times[(times.len() * 99 / 100).min(times.len() - 1)]
}

#[test]
fn silent_clients_are_shown_out_slow_ones_are_not_and_nobody_waits_for_either() {
    let (plain, secure) = (TestServer::start(), Setup::new().tls().start());
    let account = plain.account();
    account.store("/small", b"small");
    account.store("/large", tree::bytes(1, 16 << 20));
    let size = if is_nightly() { 1000 } else { 150 };
    let basic = account.basic();
    let put =
        |name: usize| format!("PUT /slow/{name} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic}\r\nContent-Length: 1000000\r\n\r\n");
    let get = format!("GET /large HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic}\r\n\r\n");
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    let mut moving: Vec<Crowd> = (0..20).map(|name| Crowd::gather("upload", plain.port(), 1, put(name).as_bytes(), &[0; 1024])).collect();
    let mut readers = Crowd::gather("downloads", plain.port(), 20, get.as_bytes(), b"");
    let mut silent = Crowd::gather("silent", plain.port(), size, b"", b"");
    let mut dripping = Crowd::gather("dripping a head", plain.port(), size, b"GET / HTTP/1.1\r\nHost: localhost\r\n", b"X: y\r\n");
    let mut unsaid = Crowd::gather("without a handshake", secure.port(), size, b"", b"");
    let mut halfway = Crowd::gather("stalled in a handshake", secure.port(), size, hello, b"x");
    let stop = AtomicBool::new(false);
    let span = Duration::from_secs(if is_nightly() { 120 } else { 19 });
    let times = std::thread::scope(|scope| {
        let probing = scope.spawn(|| probe(&plain, &account, &stop));
        let began = Instant::now();
        let mut second = 0;
        while began.elapsed() < span {
            // A drip of headers comes four times in a second, the slow bodies once.
            for crowd in [&mut silent, &mut dripping, &mut unsaid, &mut halfway] {
                crowd.move_on(4096);
            }
            if began.elapsed().as_secs() > second {
                second += 1;
                moving.iter_mut().for_each(|crowd| crowd.move_on(4096));
                readers.move_on(1024);
            }
            std::thread::sleep(Duration::from_millis(250));
        }
        stop.store(true, Ordering::Relaxed);
        probing.join().expect("every probe was answered")
    });
    assert!(moving.iter().all(|crowd| crowd.open() == 1 && crowd.received == 0), "a slow but moving upload is not cut");
    assert_eq!(readers.open(), 20, "a slow but moving download is not cut");
    assert!(readers.received > 20 * 10 * 1024, "{}", readers.received);
    let shown = [silent.expect_closed(10, 20), dripping.expect_closed(10, 20), unsaid.expect_closed(9, 20), halfway.expect_closed(9, 20)];
    figure(
        "S3",
        "slow clients",
        &format!("{}; 20 uploads and 20 downloads at 1 KiB/s live; {} probes, p99 {:?}", shown.join(", "), times.len(), p99(&times)),
        None,
    );
    assert!(p99(&times) < Duration::from_secs(1), "{:?}", p99(&times));
    drop((moving, readers));
}

/// The tool by which others test for it, in each of its four ways.
#[test]
fn slow_headers_of_slowhttptest_keep_nobody_from_the_service() {
    attack("slow headers", &["-H", "-i", "10"]);
}

#[test]
fn slow_bodies_of_slowhttptest_keep_nobody_from_the_service() {
    attack("slow bodies", &["-B", "-i", "10", "-s", "8192"]);
}

#[test]
fn slow_readers_of_slowhttptest_keep_nobody_from_the_service() {
    attack("slow readers", &["-X", "-n", "5"]);
}

#[test]
fn ranges_of_slowhttptest_keep_nobody_from_the_service() {
    attack("ranges", &["-R"]);
}

fn attack(kind: &str, arguments: &[&str]) {
    if !is_nightly() {
        return skip_nightly("120 seconds of 4,000 connections");
    }
    let Some(tool) = program(&["slowhttptest"]) else { return skip("slowhttptest is not installed") };
    let server = TestServer::start();
    let account = server.account();
    account.store("/small", b"small");
    let stop = AtomicBool::new(false);
    let times = std::thread::scope(|scope| {
        let probing = scope.spawn(|| probe(&server, &account, &stop));
        let url = format!("{}/small", server.site().origin());
        let mut command = Command::new(tool);
        command.args(arguments).args(["-c", "4000", "-r", "500", "-l", "120", "-p", "3", "-u", &url]);
        let ended = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().expect("the tool runs");
        stop.store(true, Ordering::Relaxed);
        assert!(ended.success(), "{ended:?}");
        probing.join().expect("every probe was answered")
    });
    figure("S3", kind, &format!("4,000 connections of slowhttptest; {} probes, p99 {:?}", times.len(), p99(&times)), None);
    assert!(p99(&times) < Duration::from_secs(1), "{kind}: {:?}", p99(&times));
}

//! Ten thousand connections that do nothing.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::account::Account;
use crate::support::figure::figure;
use crate::support::raw::Raw;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{SOON, is_nightly, skip, skip_nightly, tls};

/// The addresses that the crowd comes from; the last is nobody's but the probe's.
const FIRST: [u8; 4] = [127, 0, 0, 2];
const SECOND: [u8; 4] = [127, 0, 0, 3];
const PROBE: [u8; 4] = [127, 0, 0, 4];

/// As many descriptors as the system grants; `None` where they are too few.
fn descriptors(wanted: u64) -> Option<()> {
    let granted = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: granted.maximum, ..granted }).ok()?;
    granted.maximum.is_none_or(|most| most > wanted).then_some(())
}

fn resident_bytes(server: &TestServer) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("the server runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a process has a size");
    line.split_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok()).expect("a number of KiB") * 1024
}

/// A connection that has made one request and stays open.
fn idle(server: &TestServer, client: Option<&std::sync::Arc<rustls::ClientConfig>>, from: [u8; 4]) -> std::io::Result<TcpStream> {
    let request = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let socket = tls::socket_from(from, server.port())?;
    let Some(client) = client else {
        let mut raw = Raw::on(socket.try_clone()?);
        raw.send(request);
        let answer = raw.answer(SOON).ok_or_else(|| std::io::Error::other("closed"))?;
        return if answer.head.status == 200 { Ok(socket) } else { Err(std::io::Error::other(format!("{}", answer.head.status))) };
    };
    let mut stream = tls::connect(client, socket.try_clone()?)?;
    let head = tls::ask(&mut stream, request)?;
    assert_eq!(head.status, 200);
    // The session's memory is ours, not the server's: the socket alone keeps the connection open.
    Ok(socket)
}

/// Two hundred requests on new connections; the slowest but one percent.
fn probe(server: &TestServer, account: &Account, client: Option<&std::sync::Arc<rustls::ClientConfig>>) -> Duration {
    let request = format!("GET /small HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\nConnection: close\r\n\r\n", account.basic());
    let mut times: Vec<Duration> = (0..200)
        .map(|_| {
            let began = Instant::now();
            let socket = tls::socket_from(PROBE, server.port()).expect("another address is let in");
            let status = match client {
                None => Raw::on(socket).send(&request).answer(SOON).map(|answer| answer.head.status),
                Some(client) => {
                    tls::connect(client, socket).and_then(|mut stream| tls::ask(&mut stream, &request)).ok().map(|head| head.status)
                }
            };
            assert_eq!(status, Some(200));
            began.elapsed()
        })
        .collect();
    times.sort();
    times[197]
}

/// Opens `count` connections by four hands.
fn gather(server: &TestServer, client: Option<&std::sync::Arc<rustls::ClientConfig>>, from: [u8; 4], count: usize) -> Vec<TcpStream> {
    std::thread::scope(|scope| {
        let hands: Vec<_> = (0..4)
            .map(|_| scope.spawn(move || (0..count / 4).map(|_| idle(server, client, from).expect("there is a place")).collect::<Vec<_>>()))
            .collect();
        hands.into_iter().flat_map(|hand| hand.join().expect("every connection was taken")).collect()
    })
}

#[test]
fn ten_thousand_idle_clients_cost_little_and_keep_nobody_waiting() {
    if !is_nightly() {
        return skip_nightly("10,000 idle connections, plain and TLS, with and without a limit for an address");
    }
    if descriptors(12_000).is_none() {
        return skip("this user may not open 12,000 files");
    }
    for (is_tls, most_bytes) in [(false, 120 << 20), (true, 300 << 20)] {
        for capped in [true, false] {
            let setup = Setup::new().set("idle_seconds", 600).set("connections_per_address", if capped { 5000 } else { 0 });
            let server = if is_tls { setup.tls() } else { setup }.start();
            let account = server.account();
            account.store("/small", b"small");
            let client = is_tls.then(|| tls::client(&[tls::own_certificate(&server.data())], &["http/1.1"]));
            let client = client.as_ref();
            let mut crowd = gather(&server, client, FIRST, 5000);
            if capped {
                let refused = idle(&server, client, FIRST);
                assert!(refused.is_err(), "one connection more than an address may have");
                if !is_tls {
                    assert_eq!(refused.err().map(|error| error.to_string()).as_deref(), Some("429"));
                }
            }
            crowd.extend(gather(&server, client, if capped { SECOND } else { FIRST }, 5000));
            let (bytes, slowest) = (resident_bytes(&server), probe(&server, &account, client));
            let (kind, cap) = (if is_tls { "TLS" } else { "plain" }, if capped { "5,000 an address" } else { "no limit" });
            figure(
                "S4",
                &format!("{kind}, {cap}"),
                &format!("{} idle connections: {} MiB resident, a new request p99 {slowest:?}", crowd.len(), bytes >> 20),
                None,
            );
            assert!(bytes < most_bytes, "{kind}: {bytes} bytes");
            assert!(slowest < Duration::from_millis(50), "{kind}: {slowest:?}");
            drop(crowd);
        }
    }
}

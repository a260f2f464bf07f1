//! A refused client reads its refusal, whether it still sends or not.

use std::io::{Read, Write};
use std::process::Command;
use std::time::{Duration, Instant};

use super::support::TestServer;
use crate::config::Limits;
use crate::server::test_limits::limits;

const BODY_BYTES: usize = 100 << 20;

/// Python's `http.client` sends all of a body before it looks for an answer.
const PYTHON: &str = "import sys,http.client as h; c=h.HTTPConnection(sys.argv[1]); c.request('PUT','/refused',open(sys.argv[2],'rb'),\
    {'Content-Length':'104857600'}); print(c.getresponse().status,end='')";

/// Sends a large body to `path` without waiting for anything, then reads the status.
fn status_after_sending_all(server: &TestServer, path: &str) -> String {
    let mut client = server.connect();
    client.send(&format!("PUT {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {BODY_BYTES}\r\n\r\n"));
    let chunk = vec![0; 1 << 20];
    for _ in 0..BODY_BYTES / chunk.len() {
        client.0.write_all(&chunk).expect("the server reads on");
    }
    client.answer()
}

#[test]
fn a_client_that_sends_all_before_it_reads_sees_the_status_and_the_connection_goes_on() {
    let server = TestServer::start(limits());
    let mut client = server.connect();
    client.send(&format!("PUT /refused HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", 8 << 20));
    assert!(client.answer().starts_with("HTTP/1.1 405 "), "the answer comes before the body was sent");
    client.0.write_all(&vec![0; 8 << 20]).expect("the server reads on");
    assert!(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("hello"));
    assert!(status_after_sending_all(&server, "/refused").starts_with("HTTP/1.1 405 "));
}

/// Sends to `/refused` until the server takes no more; returns the bytes that it read.
fn taken(server: &TestServer) -> u64 {
    let before = server.metrics.received_bytes.get();
    let mut client = server.connect();
    client.send(&format!("PUT /refused HTTP/1.1\r\nHost: a\r\nContent-Length: {BODY_BYTES}\r\n\r\n"));
    assert!(client.answer().starts_with("HTTP/1.1 405 "));
    let chunk = vec![0; 1 << 20];
    assert!((0..BODY_BYTES / chunk.len()).any(|_| client.0.write_all(&chunk).is_err()), "the server took all of it");
    server.metrics.received_bytes.get() - before
}

#[test]
fn a_body_beyond_the_drain_limit_closes_the_connection() {
    let server = TestServer::start(Limits { drain_bytes: 8 << 20, ..limits() });
    let taken = taken(&server);
    assert!(taken > 8 << 20 && taken < 16 << 20, "{taken} bytes for a refusal");
}

#[test]
fn the_drains_of_one_network_are_bounded_together() {
    let server = TestServer::start(Limits { drain_bytes: 8 << 20, ..limits() });
    // As long as one drain runs, what the others discard is counted together.
    let mut slow = server.connect();
    assert!(slow.ask("PUT /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n").starts_with("HTTP/1.1 405 "));
    let each: Vec<_> = (0..5).map(|_| taken(&server)).collect();
    assert!(each[..3].iter().all(|taken| *taken > 8 << 20), "{each:?}");
    assert!(each[4] < 6 << 20, "{each:?}");
}

/// A chunked body was held to the time of a head once its refusal was sent: half the time of the drain.
#[test]
fn a_chunked_body_is_drained_for_the_time_of_the_drain_and_no_longer() {
    let short = Duration::from_millis(300);
    for length in ["Transfer-Encoding: chunked", "Content-Length: 1000000"] {
        let server = TestServer::start(Limits { header_time: short, drain_time: short * 6, ..limits() });
        let mut client = server.connect();
        client.send(&format!("PUT /refused HTTP/1.1\r\nHost: a\r\n{length}\r\n\r\n"));
        let began = Instant::now();
        assert!(client.answer().starts_with("HTTP/1.1 405 "));
        client.0.set_read_timeout(Some(short / 4)).expect("a time-out");
        let mut closed = false;
        while !closed && began.elapsed() < short * 40 {
            let sent = client.0.write_all(b"1\r\nx\r\n");
            let silence = |error: std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
            closed = sent.is_err() || !client.0.read(&mut [0; 8]).is_err_and(silence);
        }
        let drained = began.elapsed();
        assert!(drained >= short * 5 && drained < short * 40, "{length}: {drained:?} instead of {:?}", short * 6);
    }
}

#[test]
fn a_forgotten_body_still_leaves_a_readable_refusal() {
    let server = TestServer::start(limits());
    let mut client = server.connect();
    client.send(&format!("PUT /dropped HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", 2 << 20));
    client.0.write_all(&vec![0; 2 << 20]).expect("the server lingers");
    assert!(client.answer().starts_with("HTTP/1.1 405 "));
}

#[test]
fn a_client_that_waits_for_continue_gets_the_final_answer_alone() {
    let server = TestServer::start(limits());
    let ask = |path: &str| format!("PUT {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    let (text, ..) = server.connect().send(&ask("/dropped")).read_to_end();
    assert!(text.starts_with("HTTP/1.1 405 ") && text.contains("\r\nconnection: close\r\n"), "{text}");
    let mut accepted = server.connect();
    assert!(accepted.ask(&ask("/")).starts_with("HTTP/1.1 100 "));
    assert!(accepted.ask("12345").ends_with("5 bytes"));
}

#[test]
fn curl_wget_and_python_see_the_status_of_a_refused_upload() {
    let server = TestServer::start(limits());
    let url = format!("http://{}/refused", server.address);
    let file = tempfile::NamedTempFile::new().expect("a file");
    file.as_file().set_len(BODY_BYTES as u64).expect("its length");
    let path = file.path().to_str().expect("a plain path");
    for round in 0..5 {
        let curl = Command::new("curl").args(["-sS", "-H", "Expect:", "-o", "/dev/null", "-w", "%{http_code}", "-T", path, &url]).output();
        let Some(curl) = found(curl) else { return };
        assert_eq!(String::from_utf8_lossy(&curl.stdout), "405", "curl, round {round}: {}", String::from_utf8_lossy(&curl.stderr));
        let wget = Command::new("wget").args(["-t", "1", "-O", "/dev/null", "--method=PUT", "--body-file", path, &url]).output();
        let Some(wget) = found(wget) else { return };
        let said = String::from_utf8_lossy(&wget.stderr).into_owned();
        assert!(said.contains("405"), "wget, round {round}: {said}");
        let Some(python) = found(Command::new("python3").args(["-c", PYTHON, &server.address.to_string(), path]).output()) else { return };
        assert_eq!(String::from_utf8_lossy(&python.stdout), "405", "python, round {round}: {}", String::from_utf8_lossy(&python.stderr));
    }
}

/// The output of a tool; `None`, loudly, where it is not installed and not required.
pub fn found(output: std::io::Result<std::process::Output>) -> Option<std::process::Output> {
    match output {
        Ok(output) => Some(output),
        Err(error) => {
            assert_ne!(std::env::var("STRONGROOM_TEST_TOOLS").as_deref(), Ok("required"), "a tool is missing: {error}");
            let _ = writeln!(std::io::stderr(), "SKIPPED: a tool is missing: {error}");
            None
        }
    }
}

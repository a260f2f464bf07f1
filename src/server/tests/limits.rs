//! Waits that end, and waits that do not.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use super::support::{End, TestServer, pause};
use crate::config::Limits;
use crate::server::test_limits::limits;

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(1_000);

/// Every wait is long but the ones that a test makes short.
fn patient() -> Limits {
    Limits { header_time: LONG, idle_time: LONG, progress_time: LONG, handshake_time: LONG, ..limits() }
}

fn assert_about(waited: Duration, wanted: Duration) {
    assert!(waited >= wanted.mul_f32(0.8) && waited < wanted + Duration::from_secs(10), "{waited:?} instead of {wanted:?}");
}

#[test]
fn a_connection_that_says_nothing_is_closed_after_the_header_time() {
    let server = TestServer::start(Limits { header_time: SHORT, ..patient() });
    let (text, _, waited) = server.connect().read_to_end();
    assert_eq!(text, "");
    assert_about(waited, SHORT);
}

#[test]
fn a_head_that_never_ends_is_closed_after_the_header_time_though_bytes_keep_coming() {
    let server = TestServer::start(Limits { header_time: SHORT, ..patient() });
    let mut client = server.connect();
    let began = Instant::now();
    client.send("GET / HTTP/1.1\r\n");
    client.0.set_read_timeout(Some(Duration::from_millis(20))).expect("a time-out");
    let mut closed = false;
    while !closed {
        let sent = client.0.write_all(b"a: b\r\n");
        closed = sent.is_err() || client.0.read(&mut [0; 8]).is_ok() || began.elapsed() > LONG;
    }
    assert_about(began.elapsed(), SHORT);
}

#[test]
fn an_idle_connection_lives_for_the_idle_time_and_not_the_header_time() {
    let server = TestServer::start(Limits { header_time: SHORT, idle_time: SHORT * 4, ..patient() });
    let mut client = server.connect();
    assert!(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("hello"));
    let (text, _, waited) = client.read_to_end();
    assert_eq!(text, "");
    assert_about(waited, SHORT * 4);
}

#[test]
fn the_head_of_a_second_request_has_the_header_time_from_its_first_byte() {
    let server = TestServer::start(Limits { header_time: SHORT, ..patient() });
    let mut client = server.connect();
    assert!(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("hello"));
    pause(SHORT * 2);
    let (_, _, waited) = client.send("GET / HT").read_to_end();
    assert_about(waited, SHORT);
}

#[test]
fn an_upload_that_stops_is_cut_and_its_handler_hears_of_it() {
    let server = TestServer::start(Limits { progress_time: SHORT, ..patient() });
    let mut client = server.connect();
    let (text, _, waited) = client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345").read_to_end();
    assert!(text.starts_with("HTTP/1.1 400"), "{text}");
    assert_about(waited, SHORT);
}

#[test]
fn an_upload_that_moves_is_never_cut_however_slow() {
    let server = TestServer::start(Limits { progress_time: SHORT, idle_time: SHORT, header_time: SHORT, ..patient() });
    let mut client = server.connect();
    client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n");
    client.0.set_read_timeout(Some(SHORT / 3)).expect("a time-out");
    for _ in 0..19 {
        client.send("x");
        let silence = client.0.read(&mut [0; 1]).expect_err("nothing to read while the body is not whole");
        assert_eq!(silence.kind(), std::io::ErrorKind::WouldBlock, "the connection was cut");
    }
    client.0.set_read_timeout(Some(Duration::from_secs(30))).expect("a time-out");
    assert!(client.ask("x").ends_with("20 bytes"));
}

#[test]
fn a_client_that_waits_for_us_is_not_cut() {
    let server = TestServer::start(Limits { progress_time: SHORT, idle_time: SHORT, header_time: SHORT, ..patient() });
    let mut client = server.connect();
    client.send("PUT /late HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345");
    client.0.set_read_timeout(Some(SHORT * 4)).expect("a time-out");
    let silence = client.0.read(&mut [0; 1]).expect_err("no answer before the release");
    assert_eq!(silence.kind(), std::io::ErrorKind::WouldBlock, "the connection was cut");
    client.0.set_read_timeout(Some(Duration::from_secs(30))).expect("a time-out");
    server.connect().ask("GET /release HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.answer().ends_with("5 bytes"));
}

#[test]
fn a_download_that_nobody_takes_is_reset() {
    let server = TestServer::start(Limits { progress_time: SHORT, ..patient() });
    let mut client = server.connect();
    client.send("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n");
    while server.metrics.render().contains("strongroom_downloads_in_flight 0\n") {
        std::thread::yield_now();
    }
    let began = Instant::now();
    while server.metrics.render().contains("strongroom_downloads_in_flight 1\n") && began.elapsed() < LONG {
        std::thread::yield_now();
    }
    assert_about(began.elapsed(), SHORT);
    assert_eq!(client.read_to_end().1, End::Reset);
}

#[test]
fn a_download_that_is_taken_slowly_is_never_cut() {
    let server = TestServer::start(Limits { progress_time: SHORT * 4, ..patient() });
    let mut client = server.connect_with_small_buffer();
    client.send("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n");
    let began = Instant::now();
    while began.elapsed() < SHORT * 20 {
        client.0.read_exact(&mut [0; 4 << 10]).expect("the download goes on");
        pause(SHORT / 6);
    }
}

#[test]
fn a_handshake_that_stalls_is_closed_after_the_handshake_time() {
    let acceptor = super::support::any_tls();
    let server = TestServer::start_with(Limits { handshake_time: SHORT, ..patient() }, Some(acceptor), Vec::new());
    let (_, _, waited) = server.connect().send("\u{16}\u{3}\u{1}").read_to_end();
    assert_about(waited, SHORT);
}

#[test]
fn connections_beyond_the_limits_hear_why_and_free_places_are_given_again() {
    let server = TestServer::start(Limits { connections_per_address: 2, ..patient() });
    let mut first = server.connect();
    let mut second = server.connect();
    for client in [&mut first, &mut second] {
        assert!(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("hello"));
    }
    let (text, ..) = server.connect().read_to_end();
    assert!(text.starts_with("HTTP/1.1 429 "), "{text}");
    drop(first);
    while server.metrics.connections.get() > 1 {
        std::thread::yield_now();
    }
    assert!(server.connect().ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("hello"));
}

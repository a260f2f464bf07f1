//! What every request meets before and after its handler.

use std::io::Write;

use super::support::{End, TestServer};
use crate::config::Limits;
use crate::server::test_limits::limits;

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or(answer)
}

#[test]
fn url_headers_and_header_count_are_judged_at_the_limit_and_one_beyond() {
    let server = TestServer::start(Limits { uri_bytes: 100, header_bytes: 200, header_count: 5, ..limits() });
    let get = |path_bytes: usize, header_bytes: usize, headers: usize| {
        let path = "/".to_owned() + &"a".repeat(path_bytes - 1);
        // "Host: a" and its line end are 9 bytes, "x: " and its line end 5.
        let long = "b".repeat(header_bytes - 9 - 5);
        let more = "c: d\r\n".repeat(headers - 2);
        let answer = server.connect().ask(&format!("GET {path} HTTP/1.1\r\nHost: a\r\nx: {long}\r\n{more}\r\n"));
        status(&answer).to_owned()
    };
    assert_eq!(get(100, 200, 2), "200");
    assert_eq!(get(101, 200, 2), "414");
    assert_eq!(get(100, 201, 2), "431");
    assert_eq!(get(100, 100, 5), "200");
    assert_eq!(get(100, 100, 6), "431");
    assert_eq!(get(100, 1 << 20, 2), "431", "what the parser refuses is read on, so that the client reads the answer");
}

#[test]
fn refusals_of_a_head_are_guarded_as_all_answers_and_their_bodies_are_drained() {
    let server = TestServer::start(Limits { uri_bytes: 100, header_bytes: 200, ..limits() });
    let long = "a".repeat(200);
    for (target, header, wanted) in [
        (format!("/{long}"), String::new(), "414"),
        ("/".to_owned(), format!("x: {long}\r\n"), "431"),
        ("/a#b".to_owned(), String::new(), "400"),
        (format!("/session/{long}"), String::new(), "414"),
        ("/session/x/#".to_owned(), String::new(), "400"),
        ("/panic".to_owned(), String::new(), "500"),
    ] {
        let mut client = server.connect();
        let length = if wanted == "500" { 0 } else { 8 << 20 };
        client.send(&format!("PUT {target} HTTP/1.1\r\nHost: a\r\n{header}Content-Length: {length}\r\n\r\n"));
        client.0.write_all(&vec![0; length]).expect("the server reads on");
        let answer = client.answer();
        assert_eq!(status(&answer), wanted, "{target}");
        for guard in ["x-content-type-options: nosniff", "default-src 'none'", "cache-control: no-store", "connection: close"] {
            assert!(answer.contains(guard), "{guard} in {answer}");
        }
        assert_eq!(answer.contains("noindex"), target.starts_with("/session/"), "{answer}");
        assert_eq!(answer.contains("no-referrer"), target.starts_with("/session/"), "{answer}");
    }
}

#[test]
fn a_panic_is_a_500_and_a_closed_connection_and_nobody_elses_business() {
    let server = TestServer::start(limits());
    let mut other = server.connect();
    for round in 1..=20 {
        let (text, ..) = server.connect().send("GET /panic HTTP/1.1\r\nHost: a\r\n\r\n").read_to_end();
        assert_eq!(status(&text), "500");
        assert!(text.contains("\r\nconnection: close\r\n"), "{text}");
        assert!(other.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("hello"));
        assert_eq!(server.metrics.panics.get(), round);
    }
}

/// The server of these tests lets one parser wait; the other connection has one made for each request.
#[test]
fn requests_are_answered_in_their_order_with_a_parser_that_waits_and_without() {
    let server = TestServer::start(limits());
    let mut clients = [server.connect(), server.connect()];
    for _ in 0..3 {
        for client in &mut clients {
            assert!(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("hello"));
        }
        for client in &mut clients {
            client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nputGET /peer HTTP/1.1\r\nHo");
            assert!(client.answer().ends_with("3 bytes"));
            client.send("st: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
            assert!(client.answer().ends_with("127.0.0.1"));
            assert!(client.answer().ends_with("hello"));
        }
    }
}

#[test]
fn a_broken_answer_ends_in_a_reset_also_where_the_end_is_the_length() {
    let server = TestServer::start(limits());
    for version in ["1.0", "1.1"] {
        let (text, end, _) = server.connect().send(&format!("GET /broken HTTP/{version}\r\nHost: a\r\n\r\n")).read_to_end();
        assert_eq!(end, End::Reset, "HTTP/{version}: {text}");
    }
}

#[test]
fn forwarded_addresses_are_believed_from_the_named_proxy_alone() {
    let ask = "GET /peer HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.100.7, 192.0.2.1\r\n\r\n";
    let stranger = TestServer::start(limits());
    assert!(stranger.connect().ask(ask).ends_with("127.0.0.1"));
    let behind = TestServer::start_with(limits(), None, vec!["127.0.0.1".parse().expect("an address")]);
    assert!(behind.connect().ask(ask).ends_with("192.0.2.1"));
}

#[test]
fn http2_with_prior_knowledge_is_refused() {
    let server = TestServer::start(limits());
    let (text, ..) = server.connect().send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").read_to_end();
    assert!(!text.contains(" 200 "), "{text}");
}

#[test]
fn plain_http_on_a_tls_port_hears_what_is_wrong() {
    let server = TestServer::start_with(limits(), Some(super::support::any_tls()), Vec::new());
    let (text, ..) = server.connect().send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").read_to_end();
    assert!(text.starts_with("HTTP/1.1 400 ") && text.contains("https://"), "{text}");
}

#[test]
fn answers_carry_a_date_and_connections_are_kept_alive() {
    let server = TestServer::start(limits());
    let mut client = server.connect();
    for _ in 0..3 {
        assert!(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").contains("\r\ndate: "));
    }
}

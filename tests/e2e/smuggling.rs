//! Requests that two programs could read in two ways: refused and closed, so that nothing behind them is taken for a request.

use std::time::Duration;

use crate::support::raw::Raw;
use crate::support::server::TestServer;
use crate::support::{SOON, say};

/// How long a refused connection may stay open.
const CLOSED: Duration = Duration::from_secs(5);

/// What replaces `AUTH` in the cases below is a right `Authorization` header.
struct Case {
    what: &'static str,
    request: Vec<u8>,
}

fn case(what: &'static str, request: &str) -> Case {
    Case { what, request: request.as_bytes().to_vec() }
}

/// A PUT with these headers and a body of five bytes.
fn put(what: &'static str, headers: &str) -> Case {
    case(what, &format!("PUT /x HTTP/1.1\r\nHost: localhost\r\nAUTH\r\n{headers}\r\n\r\nhello"))
}

/// A GET whose whole head below the request line is `headers`.
fn get(what: &'static str, headers: &str) -> Case {
    case(what, &format!("GET / HTTP/1.1\r\n{headers}\r\nAUTH\r\n\r\n"))
}

fn lengths() -> Vec<Case> {
    vec![
        put("two different lengths", "Content-Length: 5\r\nContent-Length: 6"),
        put("a list of equal lengths", "Content-Length: 5,5"),
        put("a list of lengths", "Content-Length: 5, 6"),
        put("a plus", "Content-Length: +5"),
        put("a minus", "Content-Length: -5"),
        put("hexadecimal", "Content-Length: 0x5"),
        put("a point", "Content-Length: 5.0"),
        put("an exponent", "Content-Length: 5e0"),
        put("two to the 64th", "Content-Length: 18446744073709551616"),
        put("two to the 64th and five", "Content-Length: 18446744073709551621"),
        put("a space inside", "Content-Length: 1 5"),
        put("an empty length", "Content-Length:"),
        put("quotes", "Content-Length: \"5\""),
        put("a semicolon", "Content-Length: 5;"),
        put("an underscore", "Content-Length: 1_0"),
        put("Arabic digits", "Content-Length: ٥"),
        put("a length in another case beside it", "content-length: 5\r\nCONTENT-LENGTH: 7"),
    ]
}

fn encodings() -> Vec<Case> {
    vec![
        put("length and chunked", "Content-Length: 5\r\nTransfer-Encoding: chunked"),
        put("chunked and length", "Transfer-Encoding: chunked\r\nContent-Length: 5"),
        put("chunked alone", "Transfer-Encoding: chunked"),
        put("identity", "Transfer-Encoding: identity\r\nContent-Length: 5"),
        put("chunked, identity", "Transfer-Encoding: chunked, identity\r\nContent-Length: 5"),
        put("identity, chunked", "Transfer-Encoding: identity, chunked\r\nContent-Length: 5"),
        put("gzip, chunked", "Transfer-Encoding: gzip, chunked"),
        put("chunked twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        put("chunked, chunked", "Transfer-Encoding: chunked, chunked"),
        put("two encodings", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\nContent-Length: 5"),
        put("xchunked", "Transfer-Encoding: xchunked\r\nContent-Length: 5"),
        put("chunked with a tab", "Transfer-Encoding:\tchunked\r\nContent-Length: 5"),
        put("chunked with a vertical tab", "Transfer-Encoding: \x0bchunked\r\nContent-Length: 5"),
        put("chunked with a no-break space", "Transfer-Encoding: \u{a0}chunked\r\nContent-Length: 5"),
        put("chunked in capitals", "Transfer-Encoding: CHUNKED\r\nContent-Length: 5"),
        put("chunked in quotes", "Transfer-Encoding: \"chunked\"\r\nContent-Length: 5"),
        put("chunked with a parameter", "Transfer-Encoding: chunked;q=1\r\nContent-Length: 5"),
        put("an empty encoding", "Transfer-Encoding:\r\nContent-Length: 5"),
        put("a comma", "Transfer-Encoding: ,chunked\r\nContent-Length: 5"),
        case(
            "chunked in HTTP/1.0",
            "PUT /x HTTP/1.0\r\nHost: localhost\r\nAUTH\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello",
        ),
        case(
            "a chunked body with line feeds",
            "PUT /x HTTP/1.1\r\nHost: localhost\r\nAUTH\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n",
        ),
        case(
            "a chunk extension with a line feed",
            "PUT /x HTTP/1.1\r\nHost: localhost\r\nAUTH\r\nTransfer-Encoding: chunked\r\n\r\n5;a\nb\r\nhello\r\n0\r\n\r\n",
        ),
    ]
}

fn heads() -> Vec<Case> {
    vec![
        put("a space before the colon", "Content-Length : 5"),
        put("a tab before the colon", "Transfer-Encoding\t: chunked\r\nContent-Length: 5"),
        put("a folded line", "Content-Length: 5\r\nX-Folded: a\r\n b"),
        put("a folded encoding", "Content-Length: 5\r\nTransfer-Encoding:\r\n chunked"),
        put("a line that begins with a space", " Content-Length: 5"),
        put("an empty header name", ": x\r\nContent-Length: 5"),
        put("a header without a colon", "Content-Length 5"),
        put("a zero byte in a name", "Content\0-Length: 5\r\nContent-Length: 5"),
        put("a zero byte in a value", "X: a\0b\r\nContent-Length: 5"),
        put("a carriage return in a value", "X: a\rTransfer-Encoding: chunked\r\nContent-Length: 5"),
        put("a carriage return in a name", "X\rY: a\r\nContent-Length: 5"),
        put("a letter beyond ASCII in a name", "Contént-Length: 5\r\nContent-Length: 5"),
        get("no host", "X: y"),
        get("two hosts", "Host: localhost\r\nHost: localhost"),
        get("two different hosts", "Host: localhost\r\nHost: elsewhere"),
        get("a host with a space", "Host: local host"),
        get("a host with a path", "Host: localhost/a"),
        get("a host with a user", "Host: user@localhost"),
        case("absolute form of another host", "GET http://elsewhere/ HTTP/1.1\r\nHost: localhost\r\nAUTH\r\n\r\n"),
        case("authority form", "GET localhost:80 HTTP/1.1\r\nHost: localhost\r\nAUTH\r\n\r\n"),
        case("a space in the path", "GET /a b HTTP/1.1\r\nHost: localhost\r\nAUTH\r\n\r\n"),
        case("a version that does not exist", "GET / HTTP/1.2x\r\nHost: localhost\r\nAUTH\r\n\r\n"),
        case("HTTP/0.9", "GET /\r\n\r\n"),
        case("HTTP/2 in words", "GET / HTTP/2.0\r\nHost: localhost\r\nAUTH\r\n\r\n"),
        case("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        case("a method with a tab", "GET\t/ HTTP/1.1\r\nHost: localhost\r\nAUTH\r\n\r\n"),
        case("an empty method", " / HTTP/1.1\r\nHost: localhost\r\nAUTH\r\n\r\n"),
        case("CONNECT", "CONNECT localhost:22 HTTP/1.1\r\nHost: localhost:22\r\nAUTH\r\n\r\n"),
        Case { what: "a TLS greeting", request: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec() },
    ]
}

#[test]
fn ambiguous_requests_are_refused_and_closed() {
    let server = TestServer::start();
    let account = server.account();
    let authorization = format!("Authorization: {}", account.basic());
    let cases: Vec<Case> = [lengths(), encodings(), heads()].into_iter().flatten().collect();
    let mut wrong = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let request = replace(&case.request, b"AUTH", authorization.as_bytes());
        let mut raw = Raw::connect(&server);
        raw.send(&request);
        raw.send(format!("PUT /canary/{number} HTTP/1.1\r\nHost: localhost\r\n{authorization}\r\nContent-Length: 1\r\n\r\nx"));
        let (received, is_closed) = raw.received_until_closed(CLOSED);
        let text = String::from_utf8_lossy(&received).into_owned();
        let statuses: Vec<&str> = text.match_indices("HTTP/1.").filter_map(|(at, _)| text.get(at + 9..at + 12)).collect();
        // A connection that is closed without a word is a refusal as well.
        let is_refused = matches!(statuses[..], [] | ["400" | "411" | "413" | "501" | "505" | "405"]);
        let names = account.names();
        let is_smuggled = names.iter().any(|name| *name == format!("/canary/{number}"));
        if !is_refused || !is_closed || is_smuggled {
            wrong.push(format!("{}: {statuses:?}, closed: {is_closed}, canary taken: {is_smuggled}", case.what));
        }
    }
    say(&format!("{} ambiguous requests", cases.len()));
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(account.names(), Vec::<String>::new());
}

/// RFC 9110 §8.6 lets a recipient read equal lengths as one: there is only one way to read them.
#[test]
fn two_equal_lengths_are_one_or_none() {
    let server = TestServer::start();
    let account = server.account();
    let basic = account.basic();
    let mut raw = Raw::connect(&server);
    raw.send(format!(
        "PUT /a HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic}\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello"
    ));
    match raw.answer(SOON).map(|answer| answer.head.status) {
        Some(201) => account.expect_file("/a", b"hello"),
        other => assert_eq!((other, account.names().len()), (Some(400), 0)),
    }
}

#[test]
fn requests_that_follow_each_other_in_order_are_all_answered() {
    let server = TestServer::start();
    let account = server.account();
    let basic = account.basic();
    let mut raw = Raw::connect(&server);
    let put = |name: &str| format!("PUT {name} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic}\r\nContent-Length: 5\r\n\r\nhello");
    raw.send([put("/a"), put("/b"), put("/a"), put("/c")].concat());
    let statuses: Vec<Option<u16>> = (0..4).map(|_| raw.answer(SOON).map(|answer| answer.head.status)).collect();
    assert_eq!(statuses, [Some(201), Some(201), Some(405), Some(201)]);
    assert_eq!(account.names(), ["/a", "/b", "/c"]);
}

/// The parser cuts a target at a raw `#`: `/report#1.tar` was stored as `/report`.
#[test]
fn a_hash_in_the_target_is_refused_and_cuts_no_name() {
    let server = TestServer::start();
    let account = server.account();
    let basic = account.basic();
    let put = |target: &str| format!("PUT {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic}\r\nContent-Length: 1\r\n\r\n#");
    let (plain, bad) = (put("/a"), put("/report#1.tar"));
    // Whether the last one is sent with those before it or once they are answered.
    for (what, first, last) in [
        ("alone", vec![], bad.clone()),
        ("in absolute form", vec![], put("http://localhost/report#1.tar")),
        ("a fragment alone", vec![], put("/#report")),
        ("after another", vec![plain.clone()], bad.clone()),
        ("behind another", vec![], [plain.clone(), bad.clone()].concat()),
        ("behind two others", vec![], [plain.clone(), plain.clone(), bad.clone()].concat()),
        ("behind two others, after one", vec![plain.clone()], [plain.clone(), plain, bad.clone()].concat()),
        ("behind empty lines", vec![], format!("\r\n\r\n{bad}")),
    ] {
        let mut raw = Raw::connect(&server);
        for request in &first {
            raw.send(request);
            let status = raw.answer(SOON).map(|answer| answer.head.status);
            assert!(matches!(status, Some(201 | 405)), "{what}: {status:?}");
        }
        raw.send(&last).send(put("/canary"));
        let (received, is_closed) = raw.received_until_closed(SOON);
        let text = String::from_utf8_lossy(&received).into_owned();
        let statuses: Vec<&str> = text.match_indices("HTTP/1.1 ").filter_map(|(at, _)| text.get(at + 9..at + 12)).collect();
        assert!(is_closed && statuses.last() == Some(&"400") && text.contains("%23"), "{what}: {statuses:?}, closed: {is_closed}");
        assert!(account.names().iter().all(|name| name == "/a"), "{what}: {:?}", account.names());
    }
    let mut slow = Raw::connect(&server);
    for byte in bad.bytes() {
        slow.send([byte]);
    }
    assert_eq!(slow.answer(SOON).map(|answer| answer.head.status), Some(400), "byte by byte");
    account.put("/report%231.tar", b"x").expect(201);
    assert_eq!(account.names(), ["/a", "/report#1.tar"]);
}

#[test]
fn a_body_of_a_get_is_not_taken_for_a_request() {
    let server = TestServer::start();
    let account = server.account();
    let basic = account.basic();
    let canary = format!("PUT /canary HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic}\r\nContent-Length: 1\r\n\r\nx");
    for method in ["GET", "HEAD", "OPTIONS", "DELETE"] {
        let mut raw = Raw::connect(&server);
        let length = canary.len();
        raw.send(format!("{method} / HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic}\r\nContent-Length: {length}\r\n\r\n{canary}"));
        raw.finish_sending();
        assert!(raw.is_closed_within(SOON), "{method}");
        assert_eq!(account.names(), Vec::<String>::new(), "{method}");
    }
}

#[test]
fn heads_and_paths_have_their_limits() {
    let server = TestServer::start();
    let account = server.account();
    let long_header = ["-H", &format!("X-Long: {}", "x".repeat(40_000))];
    let answer = account.curl(&long_header, "/");
    assert!([400, 431].contains(&answer.status()), "{answer:?}");
    let many: Vec<String> = (0..200).flat_map(|index| ["-H".to_owned(), format!("X-{index}: y")]).collect();
    let answer = account.curl(&many, "/");
    assert!([400, 431].contains(&answer.status()), "{answer:?}");
    let answer = account.get(&format!("/{}", "x".repeat(10_000)));
    assert!([400, 414].contains(&answer.status()), "{answer:?}");
    account.get(&format!("/?filter={}", "x".repeat(4000))).expect(200);
    let mut upgrade = Raw::connect(&server);
    let basic = account.basic();
    upgrade.send(format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
    ));
    assert_ne!(upgrade.head(Duration::from_secs(5)).map(|head| head.status), Some(101), "no other protocol is spoken");
}

fn replace(bytes: &[u8], part: &[u8], by: &[u8]) -> Vec<u8> {
    match bytes.windows(part.len()).position(|window| window == part) {
        Some(at) => [&bytes[..at], by, &bytes[at + part.len()..]].concat(),
        None => bytes.to_vec(),
    }
}

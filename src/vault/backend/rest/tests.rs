use std::net::TcpListener;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName};

use super::scripted::Act::{Answer, AnswerAndClose, ResetAfter, Silence};
use super::scripted::{Act, Scripted, answer};
use crate::vault::backend::location::Location;
use crate::vault::backend::options::{Headers, Options, Retries};
use crate::vault::backend::{Backend, Kind, Listed, Name, contract, open};
use crate::vault::cancel::Cancel;
use crate::vault::error::Error;
use crate::vault::id::Id;

/// The same rules with pauses that tests can wait for.
fn soon() -> Options {
    let wait = Duration::from_millis(1);
    let retries = Retries { first_wait: wait, longest_wait: wait, longest_asked: wait, in_all: Duration::from_secs(10) };
    Options { retries, ..Options::default() }
}

fn place(server: &Scripted) -> Box<dyn Backend> {
    place_with(server, &soon())
}

fn place_with(server: &Scripted, options: &Options) -> Box<dyn Backend> {
    open(&Location::parse(server.url()).expect("a URL"), options).expect("a place")
}

fn pack() -> Name {
    Name::Of(Kind::Data, Id::of(b"pack"))
}

/// An error with all its causes, as a log has it.
fn told(error: &Error) -> String {
    let mut text = format!("{error}; {error:?}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!("; {error}; {error:?}"));
        cause = error.source();
    }
    text
}

#[track_caller]
fn expect_no_secret(error: &Error) {
    let text = told(error);
    for secret in ["S3CRET", "VVNFUjpTM0NSRVQ="] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn a_server_that_is_busy_is_asked_again() {
    let busy = answer("503 Service Unavailable\r\nRetry-After: 1", "busy");
    let too_many = answer("429 Too Many Requests", "");
    let server = Scripted::start(vec![Answer(busy), Answer(too_many), Answer(answer("200 OK", "pack"))]);
    assert_eq!(place(&server).read(pack(), None).expect("the third answer"), "pack");
    let asked = server.end();
    assert_eq!(asked.len(), 3);
    let head = asked[0].to_ascii_lowercase();
    assert!(head.starts_with(&format!("get /web/data/{} http/1.1\r\n", Id::of(b"pack"))), "{head}");
    assert!(head.contains("\r\nauthorization: basic vvnfujptm0nsrvq=\r\n"), "{head}");
    assert!(head.contains("\r\naccept: application/vnd.x.restic.rest.v2\r\n"), "{head}");
}

#[test]
fn a_request_whose_headers_were_overtaken_on_the_way_is_made_again_with_those_of_now() {
    let conflict = || answer("409 Conflict", "Another process of this agent was started since.");
    let server = Scripted::start(vec![Answer(conflict()), Answer(answer("200 OK", "pack"))]);
    let number = AtomicI64::new(0);
    let headers = move || HeaderMap::from_iter([(HeaderName::from_static("number"), number.fetch_add(1, Ordering::Relaxed).into())]);
    let options = Options { headers: Headers::of(headers), ..soon() };
    assert_eq!(place_with(&server, &options).read(pack(), None).expect("the second answer"), "pack");
    let asked = server.end();
    assert!(asked[0].contains("number: 0\r\n") && asked[1].contains("number: 1\r\n"), "{asked:?}");
    let server = Scripted::start(vec![Answer(conflict())]);
    assert!(matches!(place(&server).read(pack(), None), Err(Error::Refused(_))), "with the same headers it would be refused again");
}

#[test]
fn a_server_that_stays_away_is_given_up_and_named() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let retries = Retries { in_all: Duration::from_millis(20), ..soon().retries };
    let location = Location::parse(format!("http://USER:S3CRET@127.0.0.1:{port}/")).expect("a URL");
    let error = open(&location, &Options { retries, ..soon() }).expect("a place").read(pack(), None).expect_err("nobody is there");
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    assert!(told(&error).contains(&format!("http://USER:***@127.0.0.1:{port}/")), "{}", told(&error));
    assert!(told(&error).to_lowercase().contains("refused"), "{}", told(&error));
    expect_no_secret(&error);
}

#[test]
fn what_would_fail_again_is_not_asked_again() {
    for (head, body, expected) in [
        ("401 Unauthorized", "who are you, USER:S3CRET?", "Refused(\"looking"),
        ("403 Forbidden", "not you", "Refused("),
        ("400 Bad Request", "hash mismatch", "Refused("),
        ("413 Payload Too Large", "", "Refused("),
        ("416 Range Not Satisfiable", "", "Refused("),
        ("404 Not Found", "", "NotFound("),
        ("507 Insufficient Storage", "the quota", "Full("),
    ] {
        let server = Scripted::start(vec![Answer(answer(head, body))]);
        let error = place(&server).list(Kind::Key);
        if head.starts_with("404") {
            assert_eq!(error.expect("a folder that is not there is empty"), []);
            continue;
        }
        let error = error.expect_err("a refusal");
        assert!(format!("{error:?}").starts_with(expected.trim_end_matches("\"looking")), "{head}: {error:?}");
        assert!(body.is_empty() || told(&error).contains(body.split(',').next().expect("words")), "{}", told(&error));
        expect_no_secret(&error);
        assert_eq!(server.end().len(), 1, "{head}");
    }
}

#[test]
fn a_session_token_that_the_server_repeats_is_not_told() {
    let server = Scripted::start(vec![Answer(answer("403 Forbidden", "no /session/T0KEN/config here"))]);
    let location = Location::parse(format!("http://127.0.0.1:{}/session/T0KEN/", server.port)).expect("a URL");
    let error = open(&location, &soon()).expect("a place").read(Name::Config, None).expect_err("a refusal");
    assert!(told(&error).contains("no /session/***/config here") && !told(&error).contains("T0KEN"), "{}", told(&error));
    assert!(server.end()[0].starts_with("GET /session/T0KEN/config HTTP/1.1\r\n"));
}

#[test]
fn a_refusal_with_very_many_words_or_half_of_them_is_a_refusal() {
    let many = answer("403 Forbidden", &"no! ".repeat(1_000_000));
    let half = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 1000\r\n\r\nno! ".to_vec();
    for act in [Act::AnswerInVain(many), AnswerAndClose(half)] {
        let server = Scripted::start(vec![act, Answer(answer("200 OK", "pack"))]);
        let place = place(&server);
        let error = place.read(pack(), None).expect_err("a refusal");
        assert!(matches!(&error, Error::Refused(why) if why.contains("no!") && why.len() < 1_000), "{error:?}");
        assert_eq!(place.read(pack(), None).expect("on another connection"), "pack");
        server.end();
    }
}

#[test]
fn a_connection_is_used_again_and_a_closed_one_is_no_failure() {
    let closing = answer("200 OK\r\nConnection: close", "pack");
    let ok = || Answer(answer("200 OK", "pack"));
    let server = Scripted::start(vec![ok(), ok(), AnswerAndClose(closing), ok(), AnswerAndClose(answer("200 OK", "pack")), ok()]);
    let options = Options { retries: Retries { in_all: Duration::ZERO, ..Retries::default() }, ..soon() };
    let place = place_with(&server, &options);
    for _ in 0..6 {
        assert_eq!(place.read(pack(), None).expect("an answer without a retry"), "pack");
    }
    assert_eq!(server.end().len(), 6);
}

#[test]
fn a_body_that_is_cut_is_read_again() {
    let cut = |bytes: &str| AnswerAndClose(format!("HTTP/1.1 206 Partial Content\r\nContent-Length: 4\r\n\r\n{bytes}").into_bytes());
    let whole = Answer(answer("206 Partial Content", "pack"));
    let server = Scripted::start(vec![cut("p"), cut("pa"), cut("pac"), cut(""), cut("p"), whole]);
    assert_eq!(place(&server).read(pack(), Some(0..4)).expect("the last answer"), "pack");
    let asked = server.end();
    assert!(asked.iter().all(|head| head.to_ascii_lowercase().contains("\r\nrange: bytes=0-3\r\n")), "{asked:?}");
}

#[test]
fn a_body_that_always_ends_at_the_same_wrong_place_is_damaged() {
    let cut = AnswerAndClose(b"HTTP/1.1 206 Partial Content\r\nContent-Length: 4\r\n\r\npa".to_vec());
    let short = Answer(answer("206 Partial Content", "pa"));
    let long = AnswerAndClose(answer("206 Partial Content", "packs"));
    let open_end = AnswerAndClose(b"HTTP/1.1 206 Partial Content\r\nConnection: close\r\n\r\npacks".to_vec());
    for act in [cut, short, long, open_end] {
        let server = Scripted::start(vec![act; 4]);
        let error = place(&server).read(pack(), Some(0..4)).expect_err("never four bytes");
        assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
        assert_eq!(server.end().len(), 4);
    }
}

#[test]
fn a_reset_in_the_middle_of_an_upload_is_repeated_with_the_whole_body() {
    let bytes = Bytes::from(vec![b'x'; 3_000_000]);
    let server = Scripted::start(vec![ResetAfter(500_000), ResetAfter(10), Answer(answer("200 OK", ""))]);
    let name = Name::Of(Kind::Data, Id::of(&bytes));
    place(&server).save(name, bytes).expect("the third answer");
    let asked = server.end();
    assert!(asked[2].starts_with(&format!("POST /web/{name} HTTP/1.1\r\n")), "{}", &asked[2][..100]);
    assert!(asked[2].ends_with(&format!("\r\n\r\n{}", "x".repeat(3_000_000))));
}

#[test]
fn a_server_that_falls_silent_is_left_and_asked_anew() {
    let half = Act::Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npa".to_vec());
    let server = Scripted::start(vec![Silence, half, Answer(answer("200 OK", "pack"))]);
    let options = Options { idle: Duration::from_millis(100), ..soon() };
    assert_eq!(place_with(&server, &options).read(pack(), None).expect("the third answer"), "pack");
    assert_eq!(server.end().len(), 3);
}

#[test]
fn a_call_ends_soon_after_it_was_cancelled_whatever_it_waits_for() {
    for act in [Silence, Answer(answer("503 Busy\r\nRetry-After: 1000", ""))] {
        let server = Scripted::start(vec![act]);
        let cancel = Cancel::default();
        let options = Options { cancel: cancel.clone(), ..Options::default() };
        let place = place_with(&server, &options);
        let began = Instant::now();
        let outcome = std::thread::scope(|scope| {
            let reading = scope.spawn(|| place.read(pack(), None));
            while server.asked().is_empty() {
                std::thread::yield_now();
            }
            cancel.raise();
            reading.join().expect("no panic")
        });
        assert!(matches!(outcome, Err(Error::Cancelled)), "{outcome:?}");
        assert!(began.elapsed() < options.idle / 4, "it did not wait for the server: {:?}", began.elapsed());
    }
}

#[test]
fn a_redirect_is_not_followed_and_nobody_else_hears_the_password() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a port");
    other.set_nonblocking(true).expect("a listener that does not wait");
    let target = format!("302 Found\r\nLocation: http://{}/web/config", other.local_addr().expect("an address"));
    for status in ["301", "302", "307", "308"] {
        let server = Scripted::start(vec![Answer(answer(&target.replace("302", status), ""))]);
        let error = place(&server).read(Name::Config, None).expect_err("a redirect");
        assert!(matches!(&error, Error::Refused(why) if why.contains("redirect")), "{error:?}");
        server.end();
    }
    assert!(other.accept().is_err(), "nobody came");
}

#[test]
fn plain_http_does_not_leave_this_machine_unless_it_is_allowed() {
    let location = Location::parse("http://USER:S3CRET@192.0.2.1/").expect("a URL");
    let error = open(&location, &soon()).err().expect("a refusal");
    assert!(matches!(&error, Error::Refused(why) if why.contains("https")), "{error:?}");
    expect_no_secret(&error);
    assert!(open(&location, &Options { allows_plain_http: true, ..soon() }).is_ok());
    assert!(open(&Location::parse("https://USER:S3CRET@192.0.2.1/").expect("a URL"), &soon()).is_ok());
}

#[test]
fn a_save_whose_answer_was_lost_is_accepted_where_the_file_is_there() {
    let head = |length: usize| Answer(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").into_bytes());
    let forbidden = || Answer(answer("403 Forbidden", "exists"));
    let server = Scripted::start(vec![ResetAfter(10), forbidden(), head(4)]);
    place(&server).save(pack(), Bytes::from_static(b"pack")).expect("it is there");
    assert!(server.end()[2].starts_with("HEAD "));
    let server = Scripted::start(vec![forbidden(), head(5)]);
    let error = place(&server).save(pack(), Bytes::from_static(b"pack")).expect_err("another one is there");
    assert!(matches!(&error, Error::Refused(why) if why.contains("exists")), "{error:?}");
    server.end();
    let server = Scripted::start(vec![forbidden(), Answer(answer("404 Not Found", ""))]);
    let error = place(&server).save(pack(), Bytes::from_static(b"pack")).expect_err("nothing is there");
    assert!(matches!(&error, Error::Refused(why) if why.contains("exists")), "{error:?}");
    server.end();
}

#[test]
fn a_config_that_is_there_is_not_sent_over() {
    let server = Scripted::start(vec![Answer(answer("200 OK", "theirs"))]);
    let error = place(&server).save(Name::Config, Bytes::from_static(b"ours")).expect_err("another config");
    assert!(matches!(error, Error::Refused(_)), "{error:?}");
    assert!(server.end()[0].starts_with("GET "));
}

#[test]
fn what_is_removed_already_is_removed() {
    let server = Scripted::start(vec![Answer(answer("404 Not Found", "")), Answer(answer("403 Forbidden", "append-only"))]);
    let place = place(&server);
    place.remove(pack()).expect("it is not there");
    assert!(matches!(place.remove(pack()), Err(Error::Refused(_))));
    assert!(server.end()[0].starts_with("DELETE "));
}

#[test]
fn a_list_without_sizes_is_completed_by_asking() {
    let (one, two) = (Id::of(b"1"), Id::of(b"2"));
    let list = answer("200 OK\r\nContent-Type: application/vnd.x.restic.rest.v1", &format!(r#"["{one}","{two}"]"#));
    let head = Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n".to_vec());
    let server = Scripted::start(vec![Answer(list), head, Answer(b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n".to_vec())]);
    assert_eq!(place(&server).list(Kind::Index).expect("a list"), [Listed { id: one, size_bytes: 77 }]);
    let asked = server.end();
    assert!(asked[0].starts_with("GET /web/index/ HTTP/1.1\r\n") && asked[1].starts_with("HEAD "), "{asked:?}");
}

#[test]
fn a_limited_place_moves_the_same_bytes() {
    let bytes = contract::bytes(1, 100_000);
    let body = [&b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"[..], &bytes].concat();
    let server = Scripted::start(vec![Answer(answer("200 OK", "")), Answer(body)]);
    let options = Options { limit_upload_kib: 4_000, limit_download_kib: 4_000, ..soon() };
    let place = place_with(&server, &options);
    let name = Name::Of(Kind::Data, Id::of(&bytes));
    place.save(name, bytes.clone()).expect("it is stored");
    assert!(place.read(name, None).expect("it is read") == bytes);
    server.end();
}

#[test]
fn a_server_lists_at_once_where_its_last_list_says_so() {
    let of = |consistency: &str| answer(&format!("200 OK\r\nContent-Type: {}{consistency}", super::listing::V2), "[]");
    let says = |what: &str| of(&format!("\r\nStrongroom-Consistency: {what}"));
    let lists = [of(""), says("strong"), says("eventual"), says("strong"), answer("404 Not Found", ""), says("strong")];
    let server = Scripted::start(lists.into_iter().map(Answer).collect());
    let place = place(&server);
    assert!(!place.lists_at_once(), "nothing was asked yet");
    for is_strong in [false, true, false, true, false, true] {
        place.list(Kind::Lock).expect("a list");
        assert_eq!(place.lists_at_once(), is_strong);
    }
    server.end();
}

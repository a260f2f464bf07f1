//! Who is let in: credentials, the throttle, and what an operator does to an account while it is in use.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::account::Account;
use crate::support::raw::Raw;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{SOON, eventually, tree, wait_until};

const CHALLENGE: &str = "Basic realm=\"Strongroom\", charset=\"UTF-8\"";

#[test]
fn wrong_credentials_of_every_kind_get_the_same_challenge() {
    for server in TestServer::each_catalog() {
        let account = server.account();
        account.store("/a", b"x");
        let unknown = Account { user: "ZZZZZZ".to_owned(), ..account.clone() };
        let wrong = account.with_password("wrongwrongwrongwrongwr");
        let (first, second) = (wrong.get("/a"), unknown.get("/a"));
        first.expect_plain_refusal(401).expect_header("www-authenticate", CHALLENGE);
        assert_eq!(first.body, second.body, "an unknown user and a wrong password are the same answer");
        let names = |answer: &crate::support::answer::Answer| -> Vec<String> {
            answer.heads.last().map(|head| head.headers.iter().map(|(name, _)| name.clone()).collect()).unwrap_or_default()
        };
        assert_eq!(names(&first), names(&second));
        server.site().curl::<&str>(&[], "/a").expect(401).expect_header("www-authenticate", CHALLENGE);
        let (basic, long) = (account.basic(), "A".repeat(2000));
        let malformed = [
            "Basic",
            "Basic ",
            "Basic !!!!",
            "Basic QUJDREVG",
            "Bearer x",
            &format!("Basic {long}"),
            &format!("{} {}", &basic[..20], &basic[20..]),
            &format!("Basic  x{}", &basic[6..]),
        ];
        for value in malformed {
            let answer = server.site().curl(&["-H", &format!("Authorization: {value}")], "/a");
            assert_eq!(answer.status(), 401, "{value}: {answer:?}");
            answer.expect_header("www-authenticate", CHALLENGE);
        }
        for scheme in ["basic", "BASIC", "bAsIc"] {
            let answer = server.site().curl(&["-H", &format!("Authorization: {scheme} {}", &basic[6..])], "/a");
            answer.expect(200);
        }
        let twice = ["-H", &format!("Authorization: {basic}"), "-H", &format!("Authorization: {basic}")];
        assert!([400, 401].contains(&server.site().curl(&twice, "/a").status()), "one Authorization header only");
    }
}

#[test]
fn a_disabled_account_hears_why_after_a_right_password() {
    for server in TestServer::each_catalog() {
        let account = server.account();
        account.store("/a", b"x");
        server.run(&["account", "disable", &account.user, "--reason", "the invoice of May is open"]).expect_exit(0);
        for answer in [account.get("/a"), account.get("/"), account.put("/b", b"y")] {
            answer.expect_plain_refusal(403).expect_words("the invoice of May is open");
        }
        let wrong = account.with_password("wrong").get("/a");
        wrong.expect(401);
        assert!(!wrong.text().contains("invoice"), "{wrong:?}");
        server.run(&["account", "enable", &account.user]).expect_exit(0);
        account.expect_file("/a", b"x");
        assert_eq!(account.names(), ["/a"]);
    }
}

#[test]
fn rotation_acts_on_the_next_request_of_a_running_connection() {
    for server in TestServer::each_catalog() {
        let account = server.account();
        account.store("/a", b"x");
        let ask = |raw: &mut Raw, account: &Account| {
            raw.send(format!("GET /a HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\n\r\n", account.basic()));
            raw.answer(SOON).map(|answer| answer.head.status)
        };
        let mut raw = Raw::connect(&server);
        assert_eq!(ask(&mut raw, &account), Some(200));
        let ran = server.run(&["account", "rotate", &account.user]).expect_exit(0);
        let renewed = Account::from_access_url(server.site(), ran.out.trim()).expect("rotation prints the new access URL");
        assert!(renewed.user == account.user && renewed.password != account.password);
        assert_eq!(ask(&mut raw, &account), Some(401));
        assert_eq!(ask(&mut Raw::connect(&server), &renewed), Some(200));
        renewed.expect_file("/a", b"x");
    }
}

#[test]
fn an_upload_outlives_a_rotation_and_breaks_when_the_account_is_disabled() {
    for server in TestServer::each_catalog() {
        for (disabled, expected) in [(false, 201), (true, 403)] {
            let account = server.add_account(&[]);
            let bytes = tree::bytes(1, 3 << 20);
            let mut raw = Raw::connect(&server);
            raw.send(format!(
                "PUT /a HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
                account.basic(),
                bytes.len()
            ));
            assert_eq!(raw.head(SOON).map(|head| head.status), Some(100));
            raw.send(&bytes[..1 << 20]);
            if disabled {
                server.run(&["account", "disable", &account.user, "--reason", "lost laptop"]).expect_exit(0);
            } else {
                server.run(&["account", "rotate", &account.user]).expect_exit(0);
            }
            raw.send(&bytes[1 << 20..]);
            assert_eq!(raw.answer(SOON).map(|answer| answer.head.status), Some(expected));
            let left = usize::from(!disabled);
            wait_until("a broken upload leaves no blob", SOON, || server.blobs(&account).len() == left);
        }
    }
}

#[test]
fn disabling_breaks_an_upload_in_the_middle_of_its_bytes() {
    let server = TestServer::start();
    let account = server.add_account(&[]);
    let mut raw = Raw::connect(&server);
    let head = format!("PUT /a HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\nContent-Length: 5000000000\r\n\r\n", account.basic());
    raw.send(head).send([0; 100_000]);
    server.run(&["account", "disable", &account.user, "--reason", "lost laptop"]).expect_exit(0);
    let answer = eventually("the upload is refused before its end", SOON, || {
        raw.send([0; 100_000]);
        raw.answer(Duration::from_millis(50))
    });
    assert_eq!(answer.head.status, 403);
    assert!(String::from_utf8_lossy(&answer.body).contains("lost laptop"), "{answer:?}");
    drop(raw);
    wait_until("its space is free", SOON, || server.staging_files().is_empty());
}

#[test]
fn a_removed_account_is_unknown_and_its_files_stay() {
    let server = TestServer::start();
    let account = server.add_account(&[]);
    account.store("/a", b"x");
    server.run(&["account", "remove", &account.user]).expect_exit(2);
    account.get("/a").expect(200);
    server.run(&["account", "remove", &account.user, "--yes"]).expect_exit(0);
    account.get("/a").expect(401).expect_header("www-authenticate", CHALLENGE);
    assert_eq!(server.blobs(&account).len(), 1, "the files live out their life");
    assert!(!server.run(&["account", "list"]).expect_exit(0).out.contains(&account.user));
}

#[test]
fn guessing_is_slowed_down_and_right_credentials_never_are() {
    let server = Setup::new().set("login_failures_per_minute", 10).start();
    let account = server.account();
    account.store("/a", b"x");
    let wrong = account.with_password("guess");
    let statuses: Vec<u16> = (0..15).map(|_| wrong.get("/a").status()).collect();
    assert_eq!(statuses[..10], [401; 10], "{statuses:?}");
    assert_eq!(statuses[11..], [429; 4], "{statuses:?}");
    let slowed = wrong.get("/a");
    slowed.expect_plain_refusal(429);
    let wait: u64 = slowed.header("retry-after").and_then(|value| value.parse().ok()).expect("seconds to wait");
    assert!((1..=60).contains(&wait), "{wait}");
    for _ in 0..5 {
        account.expect_file("/a", b"x");
    }
    let elsewhere = wrong.curl(&["--interface", "127.0.0.2"], "/a");
    elsewhere.expect(401);
    let forwarded = wrong.get_with("X-Forwarded-For: 10.1.2.3", "/a");
    forwarded.expect(429);
}

#[test]
fn a_named_proxy_speaks_for_its_clients() {
    let server = Setup::new().set("login_failures_per_minute", 3).set("trusted_proxies", "127.0.0.1").start();
    let wrong = server.account().with_password("guess");
    let ask = |client: &str| wrong.get_with(&format!("X-Forwarded-For: {client}"), "/a").status();
    let first: Vec<u16> = (0..5).map(|_| ask("10.1.2.3")).collect();
    assert_eq!((first[0], first[4]), (401, 429), "{first:?}");
    assert_eq!(ask("10.9.9.9"), 401);
    // A client can write any list; only what the proxy added last is believed.
    assert_eq!(ask("10.9.9.8, 10.1.2.3"), 429);
}

/// Requests run all the time while the operator rotates and disables: each is answered, none wrongly let in.
#[test]
fn rotating_and_disabling_under_load_is_seen_at_once() {
    for server in TestServer::each_catalog() {
        let (busy, quiet) = (server.account(), server.add_account(&[]));
        busy.store("/a", b"x");
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let load: Vec<_> = (0..4).map(|_| scope.spawn(|| hammer(&server, &busy, &stop))).collect();
            let mut current = quiet.clone();
            for _ in 0..5 {
                let ran = server.run(&["account", "rotate", &quiet.user]).expect_exit(0);
                let next = Account::from_access_url(server.site(), ran.out.trim()).expect("an access URL");
                assert_eq!((current.get("/").status(), next.get("/").status()), (401, 200));
                server.run(&["account", "disable", &quiet.user, "--reason", "test of the lock"]).expect_exit(0);
                assert_eq!(next.get("/").status(), 403);
                server.run(&["account", "enable", &quiet.user]).expect_exit(0);
                assert_eq!(next.get("/").status(), 200);
                current = next;
            }
            stop.store(true, Ordering::SeqCst);
            let answered: usize = load.into_iter().map(|thread| thread.join().expect("the load runs well")).sum();
            assert!(answered > 20, "{answered} requests beside it");
        });
    }
}

fn hammer(server: &TestServer, account: &Account, stop: &AtomicBool) -> usize {
    let (mut raw, mut answered) = (Raw::connect(server), 0);
    while !stop.load(Ordering::SeqCst) {
        raw.send(format!("GET /a HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\n\r\n", account.basic()));
        let answer = raw.answer(SOON).expect("an answer under load");
        assert_eq!((answer.head.status, answer.body.as_slice()), (200, &b"x"[..]));
        answered += 1;
    }
    answered
}

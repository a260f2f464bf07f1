//! Sessions: reading one account for 24 hours by a URL, and nothing else.

use std::collections::HashSet;
use std::time::Duration;

use crate::support::account::listed;
use crate::support::answer::Answer;
use crate::support::clock::{DAY, HOUR, SECOND, TestClock};
use crate::support::figure::figure;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::tree;

/// What every answer of a session carries, errors too.
#[track_caller]
fn expect_careful(answer: &Answer) {
    answer.expect_header("cache-control", "no-store").expect_header("referrer-policy", "no-referrer");
    answer.expect_header("x-content-type-options", "nosniff").expect_no_header("www-authenticate");
    assert!(answer.header("content-security-policy").is_some_and(|policy| policy.contains("default-src 'none'")), "{answer:?}");
    assert!(answer.header("x-robots-tag").is_some_and(|tag| tag.contains("noindex")), "{answer:?}");
}

#[test]
fn a_session_lists_and_downloads_without_a_password() {
    for server in TestServer::each_catalog() {
        let account = server.account();
        let bytes = tree::bytes(1, 1_200_000);
        account.store("/db/dump.html", &bytes);
        for made in [["-X", "POST", "-H", "X-HTTP-Method-Override: MAKESESSION"].as_slice(), &["-X", "MAKESESSION"]] {
            let answer = account.curl(made, "/");
            answer.expect(204).expect_body(b"");
            let location = answer.header("location").expect("a location").to_owned();
            assert!(answer.header("date").is_some(), "{answer:?}");
            let path = location.strip_prefix(&server.site().origin()).expect("the location is at this host").to_owned();
            let list = server.site().curl::<&str>(&[], &path);
            assert_eq!(listed(list.expect(200))[0].name, "/db/dump.html");
            expect_careful(&list);
            let got = server.site().curl::<&str>(&[], &format!("{path}db/dump.html"));
            got.expect(200).expect_body(&bytes);
            expect_careful(&got);
            let saved_as = got.header("content-disposition").expect("a download is an attachment");
            assert!(saved_as.starts_with("attachment") && saved_as.contains("dump.html"), "{saved_as}");
            let part = server.site().curl(&["-H", "Range: bytes=5-9"], &format!("{path}db/dump.html"));
            part.expect(206).expect_body(&bytes[5..10]);
            server.site().curl(&["-I"], &format!("{path}db/dump.html")).expect(200).expect_body(b"");
            let page = server.site().curl(&["-H", "Accept: text/html"], &path);
            expect_careful(page.expect(200).expect_words("dump.html"));
        }
    }
}

#[test]
fn a_session_ends_after_24_hours_with_words() {
    let clock = TestClock::new();
    for mut server in Setup::new().clock(&clock).each_catalog() {
        let account = server.account();
        account.store("/a", b"x");
        let path = account.make_session();
        let ask = |server: &TestServer| server.site().curl::<&str>(&[], &format!("{path}a"));
        clock.advance(DAY - SECOND);
        ask(&server).expect(200);
        clock.advance(SECOND);
        let gone = ask(&server);
        expect_careful(gone.expect_plain_refusal(410).expect_words("expired").expect_words("24 hours").expect_words("MAKESESSION"));
        clock.advance(SECOND);
        server.restart();
        ask(&server).expect(410);
        clock.advance(29 * DAY);
        ask(&server).expect(410);
        clock.advance(2 * DAY);
        expect_careful(ask(&server).expect_plain_refusal(404));
    }
    figure("S12", "lifetime", "200 at 24 h − 1 s, 410 at 24 h and for 30 days, then 404; careful headers on each; both catalogs", None);
}

#[test]
fn a_session_that_lives_survives_a_restart_and_a_clock_set_back() {
    let clock = TestClock::new();
    let mut server = Setup::new().clock(&clock).start();
    let account = server.account();
    let path = account.make_session();
    clock.advance(12 * HOUR);
    clock.jump_back(10 * HOUR);
    server.restart();
    server.site().curl::<&str>(&[], &path).expect(200);
    clock.advance(12 * HOUR + SECOND);
    // Setting the clock back lengthens nothing: 24 hours have passed.
    server.site().curl::<&str>(&[], &path).expect(410);
}

#[test]
fn a_session_reads_and_does_nothing_else() {
    let server = TestServer::start();
    let account = server.account();
    account.store("/a", b"x");
    let path = account.make_session();
    let targets = [path.clone(), format!("{path}a"), format!("{path}new"), format!("{path}a/b/c"), format!("{path}?share")];
    let methods = ["PUT", "POST", "DELETE", "MAKESESSION", "PATCH", "TRACE", "PROPFIND", "MKCOL", "MOVE", "LOCK", "BREW"];
    for target in &targets {
        for method in methods {
            let answer = server.site().curl(&["-X", method, "-H", "Content-Type:", "--data-binary", "y"], target);
            expect_careful(answer.expect(405));
        }
    }
    expect_careful(server.site().curl(&["-X", "OPTIONS"], &path).expect(204).expect_header("allow", "GET, HEAD, OPTIONS"));
    figure("S12", "methods", &format!("{} methods on {} paths: all 405 with careful headers", methods.len(), targets.len()), None);
    let override_method = ["-X", "POST", "-H", "X-HTTP-Method-Override: MAKESESSION"];
    server.site().curl(&override_method, &path).expect(405);
    expect_careful(server.site().curl::<&str>(&[], &format!("{path}nothing")).expect_plain_refusal(404));
    assert_eq!(account.names(), ["/a"]);
    account.expect_file("/a", b"x");
}

#[test]
fn an_unknown_token_is_404_whatever_else_comes_with_it() {
    let server = TestServer::start();
    let account = server.account();
    let unknown = "/session/AAAAAAAAAAAAAAAAAAAAAA/";
    expect_careful(server.site().curl::<&str>(&[], unknown).expect_plain_refusal(404));
    // With credentials and no such token it is a name of the account's.
    account.put(&format!("{unknown}a"), b"mine").expect(201);
    account.expect_file(&format!("{unknown}a"), b"mine");
    // A token that exists wins over credentials that a browser sends along.
    let (other, path) = (server.add_account(&[]), account.make_session());
    assert_eq!(listed(other.get(&path).expect(200)).len(), 1);
    other.with_password("wrong").get(&path).expect(200);
}

#[test]
fn rotation_and_disabling_end_sessions_and_other_changes_do_not() {
    for server in TestServer::each_catalog() {
        for (index, change) in
            [&["rotate", "USER"][..], &["disable", "USER", "--reason", "unpaid"], &["remove", "USER", "--yes"]].iter().enumerate()
        {
            let account = server.add_account(&[]);
            account.store("/a", b"x");
            let path = account.make_session();
            let set = ["account", "set", &account.user, "--retention", "60", "--description", "changed"];
            server.run(&set).expect_exit(0);
            server.site().curl::<&str>(&[], &path).expect(200);
            let words: Vec<&str> = change.iter().map(|&word| if word == "USER" { account.user.as_str() } else { word }).collect();
            server.run(&[&["account"], &words[..]].concat()).expect_exit(0);
            expect_careful(server.site().curl::<&str>(&[], &path).expect_plain_refusal(410));
            if index == 1 {
                server.run(&["account", "enable", &account.user]).expect_exit(0);
                server.site().curl::<&str>(&[], &path).expect(410);
            }
        }
    }
}

#[test]
fn the_hundred_and_first_session_ends_the_oldest() {
    let clock = TestClock::new();
    let server = Setup::new().clock(&clock).start();
    let account = server.account();
    let mut paths = Vec::new();
    for _ in 0..101 {
        paths.push(account.make_session());
        clock.advance(Duration::from_millis(10));
    }
    assert_eq!(paths.iter().collect::<HashSet<_>>().len(), 101, "no token twice");
    let ask = |path: &str| server.site().curl::<&str>(&[], path).status();
    assert_eq!((ask(&paths[0]), ask(&paths[1]), ask(&paths[100])), (410, 200, 200));
}

#[test]
fn tokens_are_kept_as_hashes_alone() {
    let server = TestServer::start();
    let account = server.account();
    let path = account.make_session();
    let token = path.trim_end_matches('/').rsplit('/').next().expect("a token").to_owned();
    assert!(token.len() == 22 && token.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{token}");
    for file in tree::files_below(&server.data()) {
        let bytes = std::fs::read(&file).expect("the file is read");
        for secret in [token.as_bytes(), account.password.as_bytes()] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret), "a secret in {}", file.display());
        }
    }
}

#[test]
fn links_name_the_public_url_whatever_host_was_asked() {
    let server = Setup::new().set("public_url", "https://backup.example.com/").start();
    let account = server.account();
    let is_public = |location: Option<&str>| location.is_some_and(|url| url.starts_with("https://backup.example.com/"));
    let stored = account.put("/a", b"x");
    stored.expect(201).expect_header("location", "https://backup.example.com/a");
    for (arguments, path, status) in [
        (&["-X", "POST", "-H", "X-HTTP-Method-Override: MAKESESSION"][..], "/", 204),
        (&["-X", "MAKESESSION"], "/", 204),
        (&["-X", "POST"], "/?share", 303),
    ] {
        let answer = account.curl(arguments, path);
        assert!(is_public(answer.expect(status).header("location")), "{answer:?}");
    }
    assert!(server.printed().iter().any(|line| line.ends_with("@backup.example.com/")), "{:?}", server.printed());
    let added = server.run(&["account", "add"]).expect_exit(0);
    assert!(added.out.trim().ends_with("@backup.example.com/"), "{added:?}");
}

#[test]
fn each_session_leaves_a_line_with_account_and_address() {
    let server = TestServer::start();
    let account = server.account();
    let session = account.make_session();
    let log = server.log();
    let line = log.lines().find(|line| line.contains("a session was made")).expect("a line");
    assert!(line.contains(&account.user) && line.contains("127.0.0.1") && !line.contains(&session), "{line}");
}

/// A page elsewhere that posts a form makes no session.
#[test]
fn another_site_cannot_make_a_session() {
    let server = TestServer::start();
    let account = server.account();
    let post = |headers: &[&str]| {
        let mut arguments = vec!["-X", "POST", "-H", "X-HTTP-Method-Override: MAKESESSION"];
        headers.iter().for_each(|header| arguments.extend(["-H", header]));
        account.curl(&arguments, "/").status()
    };
    assert_eq!(post(&["Sec-Fetch-Site: cross-site"]), 403);
    assert_eq!(post(&["Origin: https://elsewhere.example"]), 403);
    assert_eq!(post(&[&format!("Origin: {}", server.site().origin()), "Sec-Fetch-Site: same-origin"]), 204);
}

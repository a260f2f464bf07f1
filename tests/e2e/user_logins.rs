//! Tokens and logins while things happen: time passes, an operator acts, somebody guesses, bodies are too large, the catalog is away.

use std::time::Duration;

use crate::identity::UNAUTHORIZED;
use crate::support::clock::{DAY, SECOND, TestClock};
use crate::support::raw::Raw;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::user::{User, by_token, post_tokens, token_of};
use crate::support::{SOON, eventually, tree, wait_until};

const MAX_BODY_BYTES: usize = 1_048_576;

#[test]
fn a_token_ends_when_its_answer_said() {
    let clock = TestClock::new();
    for mut server in Setup::new().clock(&clock).each_catalog() {
        let ada = User::add(&server, "ada", &[]);
        let answer = ada.log_in();
        let (token, begun) = (token_of(answer.expect(200)), clock.time());
        let expires = answer.json()["access"]["token"]["expires"].as_str().expect("an end").to_owned();
        let day_later = |text: &str| text.parse::<jiff::Timestamp>().expect("a time") + jiff::Span::new().hours(24);
        assert_eq!(expires.parse::<jiff::Timestamp>().expect("a time"), day_later(&begun));
        clock.advance(DAY - SECOND);
        ada.look_with(&token).expect(200);
        post_tokens(server.site(), &by_token(&token, &ada.tenant)).expect(200).expect_body(&answer.body);
        clock.advance(SECOND);
        ada.look_with(&token).expect(401);
        post_tokens(server.site(), &by_token(&token, &ada.tenant)).expect_fault(401, UNAUTHORIZED);
        server.restart();
        ada.look_with(&token).expect(401);
        if server.data().join("catalog.db").exists() {
            let catalog = rusqlite::Connection::open(server.data().join("catalog.db")).expect("the catalog opens");
            let count = || catalog.query_row("SELECT COUNT(*) FROM tokens", [], |row| row.get::<_, i64>(0));
            wait_until("a token that has ended is forgotten", SOON, || count() == Ok(0));
        }
        ada.look_with(&ada.token()).expect(200);
    }
}

#[test]
fn rotating_disabling_moving_and_removing_end_tokens_at_once_and_other_roles_do_not() {
    for server in TestServer::each_catalog() {
        for change in [&["rotate"][..], &["disable"], &["set", "--tenant", "7"], &["remove", "--yes"]] {
            let ada = User::add(&server, "ada", &["--tenant", "5501"]);
            let token = ada.token();
            server.run(&["user", "set", "ada", "--role", "observer"]).expect_exit(0);
            ada.look_with(&token).expect(200);
            let again = post_tokens(server.site(), &by_token(&token, "5501")).expect(200).json();
            assert_eq!(again["access"]["user"]["roles"][0]["name"], "observer", "the new role holds at once");
            let words = [&["user", change[0], "ada"], &change[1..]].concat();
            server.run(&words).expect_exit(0);
            ada.look_with(&token).expect(401);
            post_tokens(server.site(), &by_token(&token, "5501")).expect_fault(401, UNAUTHORIZED);
            match change[0] {
                "disable" => {
                    let told = r#"{"userDisabled":{"code":403,"message":"The user is disabled. Ask the operator to enable it."}}"#;
                    ada.log_in().expect_fault(403, told);
                    let wrong = User { api_key: ada.password.clone(), ..ada.clone() };
                    wrong.log_in().expect_fault(401, UNAUTHORIZED);
                    server.run(&["user", "enable", "ada"]).expect_exit(0);
                    ada.look_with(&token).expect(401);
                    ada.log_in().expect(200);
                }
                "set" => assert_eq!(ada.log_in().expect(200).json()["access"]["token"]["tenant"]["id"], "7"),
                _ => drop(ada.log_in().expect_fault(401, UNAUTHORIZED)),
            }
            if change[0] != "remove" {
                server.run(&["user", "remove", "ada", "--yes"]).expect_exit(0);
            }
        }
    }
}

#[test]
fn guessing_is_slowed_down_and_right_logins_never_are() {
    let server = Setup::new().set("login_failures_per_minute", 4).start();
    let ada = User::add(&server, "ada", &[]);
    let wrong = User { api_key: "0".repeat(32), password: "x".to_owned(), ..ada.clone() };
    let guesses = || {
        [
            wrong.log_in(),
            post_tokens(server.site(), &wrong.by_password()),
            post_tokens(server.site(), &by_token(&"0".repeat(32), &ada.tenant)),
            server.site().curl(&["-H", "X-Auth-User: nobody", "-H", "X-Auth-Key: x"], "/v1.0"),
        ]
    };
    let first = guesses();
    // A minute may end meanwhile: then the guesses before it count no more.
    if first.iter().all(|answer| answer.status() == 401) {
        for answer in guesses() {
            let message = "Too many wrong logins came from your address. Wait, then check name and secret.";
            answer.expect_fault(413, &format!(r#"{{"overLimit":{{"code":413,"message":"{message}"}}}}"#));
            let wait: u64 = answer.header("retry-after").and_then(|text| text.parse().ok()).expect("a time to wait");
            assert!((1..=60).contains(&wait), "{wait}");
        }
        server.account().with_password("wrong").get("/").expect(429);
    }
    ada.look_with(&ada.token()).expect(200);
    let mut meant_for_another = ada.by_api_key();
    meant_for_another["auth"]["tenantId"] = "7".into();
    post_tokens(server.site(), &meant_for_another).expect_fault(401, UNAUTHORIZED);
}

/// A body of this size that logs in.
fn padded(user: &User, size: usize) -> String {
    let body = user.by_api_key().to_string();
    format!("{body}{}", " ".repeat(size - body.len()))
}

#[test]
fn a_body_may_have_1_mb_and_no_byte_more() {
    let server = TestServer::start();
    let ada = User::add(&server, "ada", &[]);
    let post = |size: usize, headers: &[&str]| {
        let file = server.home().join("body");
        std::fs::write(&file, padded(&ada, size)).expect("the body is written");
        let data = format!("@{}", file.display());
        let mut arguments = vec!["--data-binary", &data];
        headers.iter().for_each(|header| arguments.extend(["-H", header]));
        server.site().curl(&arguments, "/v2.0/tokens")
    };
    let fault = r#"{"overLimit":{"code":413,"message":"The body is larger than 1 MB (1,048,576 bytes)."}}"#;
    for headers in [&["Expect:"][..], &["Expect:", "Transfer-Encoding: chunked"]] {
        post(MAX_BODY_BYTES, headers).expect(200);
        post(MAX_BODY_BYTES + 1, headers).expect_fault(413, fault);
        post(20 * MAX_BODY_BYTES, headers).expect_fault(413, fault);
    }
    let answer = post(MAX_BODY_BYTES + 1, &["Expect: 100-continue"]);
    answer.expect_fault(413, fault);
    assert!(!answer.was_asked_to_continue() && answer.sent_bytes == 0, "refused by what it declares, before a byte: {answer:?}");
}

/// Bodies are held in memory, and whoever sends one here may be anybody.
#[test]
fn a_crowd_that_sends_long_logins_cannot_fill_the_memory_or_keep_others_out() {
    let server = TestServer::start();
    let ada = User::add(&server, "ada", &[]);
    let begin = || {
        let mut raw = Raw::connect(&server);
        raw.send(format!(
            "POST /v2.0/tokens HTTP/1.1\r\nHost: localhost\r\nContent-Length: {MAX_BODY_BYTES}\r\n\r\n{}",
            " ".repeat(100_000)
        ));
        raw
    };
    let mut crowd: Vec<Raw> = Vec::new();
    let refused = eventually("one more is refused", SOON, || {
        let mut raw = begin();
        let answer = raw.answer(Duration::from_millis(20));
        crowd.push(raw);
        answer
    });
    crowd.pop();
    assert!(crowd.len() >= 64, "{} were taken", crowd.len());
    assert_eq!((refused.head.status, refused.head.header("retry-after")), (503, Some("10")));
    assert!(String::from_utf8_lossy(&refused.body).starts_with(r#"{"serviceUnavailable":{"code":503,"#), "{refused:?}");
    ada.log_in().expect(200);
    for raw in &mut crowd {
        raw.send(" ".repeat(MAX_BODY_BYTES - 100_000));
    }
    let heard: Vec<u16> = crowd.iter_mut().filter_map(|raw| raw.answer(SOON).map(|answer| answer.head.status)).collect();
    let taken = heard.iter().filter(|status| **status == 400).count();
    assert_eq!(taken, 64, "those that were taken are read to their end: {heard:?}");
    post_tokens(server.site(), &ada.by_password()).expect(200);
}

#[test]
fn no_secret_of_a_user_is_in_the_log_or_on_the_disk() {
    let server = Setup::new().set("log_level", "trace").start();
    let ada = User::add(&server, "ada", &["--tenant", "5501"]);
    let token = ada.token();
    let second = token_of(post_tokens(server.site(), &ada.by_password()).expect(200));
    ada.look_with(&token).expect(200);
    let header = format!("X-Auth-Token: {token}");
    server.site().curl(&["-H", &header], &format!("/v2.0/users?name=ada&key={}", ada.api_key)).expect(200);
    server.site().curl(&["-H", &header], &format!("/v2.0/tokens/{token}")).expect(404);
    server.site().curl(&["-H", &header], &format!("/v1.0/5501/user/agents?token={token}"));
    let old = server.site().curl(&["-H", "X-Auth-User: ada", "-H", &format!("X-Auth-Key: {}", ada.api_key)], "/v1.0");
    let third = old.expect(204).header("x-auth-token").expect("a token").to_owned();
    let swapped = User { name: ada.password.clone(), ..ada.clone() };
    swapped.log_in().expect(401);
    post_tokens(server.site(), &by_token(&format!("{token}x"), "5501")).expect(401);
    let shown =
        ["list", "show"].map(|word| server.run(&[&["user", word][..], &["ada"][..usize::from(word == "show")]].concat()).out).concat();
    let mut places = vec![("log".to_owned(), server.log_bytes()), ("commands".to_owned(), shown.into_bytes())];
    for file in tree::files_below(&server.data()) {
        places.push((file.display().to_string(), std::fs::read(&file).expect("the file is read")));
    }
    for (place, bytes) in &places {
        for secret in [&token, &second, &third, &ada.api_key, &ada.password] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "a secret in {place}");
        }
    }
    let log = server.log();
    assert!(log.contains("a user logged in") && log.contains("/v2.0/tokens/[redacted]"), "the log at TRACE was really read");
}

#[test]
fn each_login_and_each_request_of_a_user_leaves_a_line_that_names_it() {
    let server = Setup::new().set("log_format", "json").set("log_lines_per_minute", 1).start();
    let ada = User::add(&server, "ada", &["--tenant", "5501"]);
    let token = ada.token();
    for _ in 0..4 {
        server.site().curl::<&str>(&[], "/nothing").expect(401);
        ada.look_with(&token).expect(200);
    }
    let log = server.log();
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
    let said = |what: &str| lines.iter().filter(|line| line["fields"]["message"] == what || line["message"] == what).count();
    assert_eq!(said("a user logged in"), 1, "{log}");
    let of_ada = lines.iter().filter(|line| line["user"] == 1 || line["fields"]["user"] == 1).count();
    assert_eq!(of_ada, 5, "strangers cannot crowd them out: {log}");
}

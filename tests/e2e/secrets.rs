//! Secrets stay secret: not in logs, not in other processes' sight, not on disk; and nobody writes into our log.

use crate::support::raw::Raw;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{SOON, tree};

#[test]
fn no_secret_is_seen_anywhere_but_by_its_owner() {
    let server = Setup::new().set("log_level", "trace").start();
    let account = server.account();
    let added = server.add_account(&["--description", "second"]);
    for account in [&account, &added] {
        account.store("/a", b"x");
        account.get("/a").expect(200);
        account.get("/nothing").expect(404);
        account.put("/a", b"y").expect(405);
        account.curl(&["-X", "BREW"], "/").expect(405);
    }
    let session = account.make_session();
    server.site().curl::<&str>(&[], &format!("{session}a")).expect(200);
    server.site().curl::<&str>(&[], &format!("{session}nothing")).expect(404);
    server.site().curl(&["-X", "PUT", "-d", "x"], &format!("{session}a")).expect(405);
    let page = account.get_with("Accept: text/html", "/");
    let shown = server.run(&["account", "show", &account.user]).expect_exit(0);
    let listed = server.run(&["account", "list", "--json"]).expect_exit(0);
    let config = server.run(&["config", "show"]).expect_exit(0);
    let token = session.trim_end_matches('/').rsplit('/').next().expect("a token").to_owned();
    let encoded = |account: &crate::support::account::Account| account.basic()["Basic ".len()..].to_owned();
    let secrets = [account.password.clone(), added.password.clone(), token, encoded(&account), encoded(&added)];
    let process = |name: &str| std::fs::read(format!("/proc/{}/{name}", server.pid())).unwrap_or_default();
    let mut places = vec![
        ("log".to_owned(), server.log_bytes()),
        ("page".to_owned(), page.body),
        ("account show".to_owned(), shown.out.into_bytes()),
        ("account list".to_owned(), listed.out.into_bytes()),
        ("config show".to_owned(), config.out.into_bytes()),
        ("command line".to_owned(), process("cmdline")),
        ("environment".to_owned(), process("environ")),
    ];
    for file in tree::files_below(&server.data()) {
        places.push((file.display().to_string(), std::fs::read(&file).expect("the file is read")));
    }
    for (place, bytes) in &places {
        for secret in &secrets {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "a secret in {place}");
        }
    }
    assert!(server.log().contains(&account.user), "the log at TRACE was really read");
}

#[test]
fn control_characters_of_clients_never_reach_the_log_raw() {
    let server = Setup::new().set("log_level", "debug").start();
    let account = server.account();
    account.put("/evil%0D%0AERROR%1B%5B31m", b"x").expect(400);
    account.store("/%E2%80%AEgnp.exe", b"x");
    account.get("/%E2%80%AEgnp.exe").expect(200);
    account.get("/%C2%85%C2%9B31m").expect(404);
    for header in ["User-Agent: \u{1b}[31mred", "User-Agent: \u{202e}live", "Referer: \u{9b}31m", "X-Forwarded-For: \u{1b}]0;x\u{7}"] {
        account.get_with(header, "/");
    }
    let evil_user = data_encoding::BASE64.encode("\u{1b}[31m\r\nERROR forged line\u{202e}:x".as_bytes());
    let mut raw = Raw::connect(&server);
    raw.send(format!("GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {evil_user}\r\n\r\n"));
    assert_eq!(raw.head(SOON).map(|head| head.status), Some(401));
    let mut raw = Raw::connect(&server);
    raw.send("GET /\u{1b}[31m HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(raw.head(SOON).is_some_and(|head| [400, 401].contains(&head.status)));
    let log = server.log();
    assert!(log.lines().count() > 5, "something was logged");
    let raw_ones: Vec<char> = log.chars().filter(|c| c.is_control() && *c != '\n' || ('\u{202A}'..='\u{202E}').contains(c)).collect();
    assert!(raw_ones.is_empty(), "{raw_ones:?} in\n{log}");
    assert!(!log.lines().any(|line| line.starts_with("ERROR forged")), "{log}");
}

#[test]
fn json_logs_are_one_object_a_line() {
    let server = Setup::new().set("log_format", "json").start();
    let account = server.account();
    account.store("/a%22b", b"x");
    account.get("/nothing").expect(404);
    let log = server.log();
    assert!(log.lines().count() >= 2, "{log}");
    for line in log.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(value.get("level").is_some(), "{line}");
    }
    assert!(!log.contains(&account.password));
}

#[test]
fn programs_that_ask_for_it_get_problems_as_json() {
    let server = TestServer::start();
    let account = server.account();
    let answer = account.get_with("Accept: application/problem+json", "/nothing");
    answer.expect(404).expect_header("content-type", "application/problem+json");
    let problem: serde_json::Value = serde_json::from_slice(&answer.body).expect("the problem is JSON");
    assert_eq!(problem["status"], 404);
    assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
}

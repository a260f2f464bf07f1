//! One line of the log for each request, and a bound on what strangers can write there.

use serde_json::Value;

use crate::support::raw::Raw;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{SOON, wait_until};

/// The log's lines about requests.
fn lines(server: &TestServer) -> Vec<Value> {
    let all = server.log();
    let lines = all.lines().map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}")));
    lines.filter(|line| line["message"].as_str().is_some_and(|message| message.starts_with("request"))).collect()
}

fn statuses(server: &TestServer) -> Vec<u64> {
    lines(server).iter().filter_map(|line| line["status"].as_u64()).collect()
}

#[test]
fn each_request_has_one_line_that_says_who_what_and_how_it_ended() {
    let server = Setup::new().set("log_format", "json").start();
    let account = server.account();
    account.store("/a", b"12345");
    account.get("/a").expect(200);
    account.put("/a", b"other").expect(405);
    server.site().curl::<&str>(&[], "/a").expect(401);
    wait_until("four lines", SOON, || lines(&server).len() >= 4);
    let lines = lines(&server);
    assert_eq!(statuses(&server), [201, 200, 405, 401]);
    let told: Vec<_> = lines.iter().map(|line| (line["method"].as_str(), line["path"].as_str(), line["account"].as_str())).collect();
    let user = Some(account.user.as_str());
    let (put, get) = ((Some("PUT"), Some("/a"), user), (Some("GET"), Some("/a"), user));
    assert_eq!(told, [put, get, put, (Some("GET"), Some("/a"), None)]);
    assert_eq!((&lines[0]["received_bytes"], &lines[1]["sent_bytes"]), (&5.into(), &5.into()));
    assert!(lines.iter().all(|line| line["peer"] == "127.0.0.1" && line["millis"].is_u64()), "{lines:?}");
}

/// A head that the HTTP library cannot read is answered without any handler: it used to leave no trace.
#[test]
fn what_is_no_request_has_a_line_as_well() {
    let server = Setup::new().set("log_format", "json").start();
    let too_long = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    for (request, status) in [("GET / HTTP/1.1\r\nno colon\r\n\r\n", 400), (too_long.as_str(), 431), ("BREW \0 HTTP/1.1\r\n\r\n", 400)] {
        let before = statuses(&server).len();
        let mut raw = Raw::connect(&server);
        raw.send(request);
        assert_eq!(raw.head(SOON).map(|head| u64::from(head.status)), Some(status));
        wait_until("its line", SOON, || statuses(&server).len() > before);
        assert_eq!(statuses(&server).last(), Some(&status));
    }
    assert!(lines(&server).iter().all(|line| line["message"] == "request, not understood"), "{}", server.log());
}

#[test]
fn strangers_cannot_fill_the_log_and_accounts_are_told_all_the_same() {
    let server = Setup::new().set("log_format", "json").set("log_lines_per_minute", 5).start();
    let account = server.account();
    let mut raw = Raw::connect(&server);
    for _ in 0..50 {
        raw.send("GET /guess HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(raw.answer(SOON).map(|answer| answer.head.status), Some(401));
    }
    account.store("/a", b"x");
    wait_until("the account's line", SOON, || statuses(&server).contains(&201));
    let strangers = statuses(&server).iter().filter(|status| **status == 401).count();
    // A minute of the limit may end in the middle of the test.
    assert!((5..=10).contains(&strangers), "{strangers} lines");
    assert!(server.log().contains("not told one by one"), "that lines are left out is said: {}", server.log());
}

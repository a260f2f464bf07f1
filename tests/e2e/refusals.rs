//! What a PUT is refused for: in which order, before any byte of the body, and so that every client can read it.

use std::time::Duration;

use crate::support::account::Account;
use crate::support::answer::Head;
use crate::support::figure::figure;
use crate::support::raw::Raw;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{SOON, is_nightly, skip_nightly, tree};

const LARGEST: u64 = 5_368_709_120;

/// Sends a head alone, never a byte of a body, and returns the final head.
fn refusal(server: &TestServer, authorization: &str, path: &str, headers: &str) -> Head {
    let mut raw = Raw::connect(server);
    raw.send(format!("PUT {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\n{headers}\r\n"));
    raw.head(SOON).unwrap_or_else(|| panic!("an answer before the body of {path} with {headers}"))
}

#[test]
fn checks_come_in_order_and_before_the_body() {
    let server = TestServer::start();
    let account = server.add_account(&["--quota", "1 MiB"]);
    account.store("/taken", b"x");
    let (right, wrong) = (account.basic(), account.with_password("wrongwrongwrongwrongwr").basic());
    let (chunked, long, bad_digest) = ("Transfer-Encoding: chunked\r\n", "Content-Length: 5368709121\r\n", "Repr-Digest: sha-256=:x:\r\n");
    let over_quota = "Content-Length: 5000000\r\n";
    let steps = [
        (401, &wrong, "/a//b", format!("{chunked}{bad_digest}")),
        (400, &right, "/a//b", format!("{chunked}{bad_digest}")),
        (411, &right, "/taken", chunked.to_owned()),
        (411, &right, "/taken", String::new()),
        (400, &right, "/taken", format!("{long}{bad_digest}")),
        (400, &right, "/taken", format!("{long}Content-Range: bytes 5-10/11\r\n")),
        (415, &right, "/taken", format!("{long}Content-Encoding: gzip\r\n")),
        (400, &right, "/taken", "Content-Length: 1x\r\n".to_owned()),
        (413, &right, "/taken", long.to_owned()),
        (405, &right, "/taken", over_quota.to_owned()),
        (412, &right, "/taken", format!("{over_quota}If-None-Match: *\r\n")),
        (507, &right, "/free", over_quota.to_owned()),
    ];
    for expect in ["", "Expect: 100-continue\r\n"] {
        for (status, authorization, path, headers) in &steps {
            let head = refusal(&server, authorization, path, &format!("{headers}{expect}"));
            assert_eq!(head.status, *status, "{path} {headers}{expect}");
            if !expect.is_empty() {
                assert_eq!(head.header("connection"), Some("close"), "{path} {headers}");
            }
        }
    }
    assert_eq!(account.names(), ["/taken"]);
}

#[test]
fn closed_accounts_and_guessers_hear_it_before_the_body() {
    let server = Setup::new().set("login_failures_per_minute", 2).start();
    let account = server.account();
    let disabled = server.add_account(&[]);
    server.run(&["account", "disable", &disabled.user, "--reason", "unpaid"]).expect_exit(0);
    let headers = "Content-Length: 5\r\nExpect: 100-continue\r\n";
    let ask = |who: &Account| refusal(&server, &who.basic(), "/a", headers);
    let closed = ask(&disabled);
    assert_eq!((closed.status, closed.header("connection")), (403, Some("close")));
    let wrong = account.with_password("wrongwrongwrongwrongwr");
    let statuses: Vec<u16> = (0..3).map(|_| ask(&wrong).status).collect();
    assert_eq!(statuses, [401, 401, 429]);
    let throttled = ask(&wrong);
    assert_eq!(throttled.header("connection"), Some("close"));
    assert!(throttled.header("retry-after").is_some(), "{throttled:?}");
    account.store("/a", b"right credentials are never refused");
}

#[test]
fn any_line_that_expects_100_counts() {
    let server = TestServer::start();
    let account = server.account();
    account.store("/taken", b"x");
    for lines in ["Expect: 100-continue\r\nExpect: x\r\n", "Expect: x\r\nExpect: 100-continue\r\n"] {
        let mut raw = Raw::connect(&server);
        let basic = account.basic();
        raw.send(format!("PUT /taken HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic}\r\nContent-Length: 5\r\n{lines}\r\n"));
        let head = raw.head(SOON).expect("an answer");
        assert_eq!((head.status, head.header("connection")), (405, Some("close")), "{lines}");
        assert!(raw.is_closed_within(SOON), "nothing is read of what may or may not be a body: {lines}");
    }
}

#[test]
fn what_is_already_stored_is_said_before_the_body_and_before_507() {
    for server in TestServer::each_catalog() {
        let account = server.account();
        let bytes = tree::bytes(1, 5000);
        account.store("/a", &bytes);
        server.run(&["account", "set", &account.user, "--quota", "1KiB"]).expect_exit(0);
        let length = format!("Content-Length: {}\r\n", bytes.len());
        let digest = format!("X-Content-SHA256: {}\r\n", tree::sha256(&bytes));
        for expect in ["", "Expect: 100-continue\r\n"] {
            let head = refusal(&server, &account.basic(), "/a", &format!("{length}{digest}{expect}"));
            assert_eq!(head.status, 200, "{expect:?}");
            assert_eq!(refusal(&server, &account.basic(), "/b", &format!("{length}{digest}{expect}")).status, 507);
        }
    }
}

/// The name was free when the upload began, and taken when it ended.
#[test]
fn a_conditional_upload_that_loses_at_the_commit_is_412() {
    for server in TestServer::each_catalog() {
        let account = server.account();
        let lose = |name: &str, header: &str| {
            let mut raw = Raw::connect(&server);
            let basic = account.basic();
            raw.send(format!(
                "PUT {name} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic}\r\nContent-Length: 5\r\nExpect: 100-continue\r\n{header}\r\n"
            ));
            assert_eq!(raw.head(SOON).map(|head| head.status), Some(100), "{name} is admitted");
            account.store(name, b"first");
            raw.send(b"later");
            let answer = raw.answer(SOON).expect("an answer");
            assert_eq!(answer.head.header("etag"), Some(&*format!("\"{}\"", tree::sha256(b"first"))));
            answer.head.status
        };
        assert_eq!(lose("/a", "If-None-Match: *\r\n"), 412);
        assert_eq!(lose("/b", ""), 405);
    }
}

#[test]
fn a_length_that_is_not_a_number_is_refused() {
    let server = TestServer::start();
    let account = server.account();
    for length in ["-1", "+5", "0x5", "5,6", "1e3", "", " ", "18446744073709551616", "5 5"] {
        let head = refusal(&server, &account.basic(), "/a", &format!("Content-Length: {length}\r\n"));
        assert!([400, 413].contains(&head.status), "{length:?}: {head:?}");
    }
    assert_eq!(account.names(), Vec::<String>::new());
}

#[test]
fn a_refused_client_that_waits_for_100_sends_no_body() {
    let server = TestServer::start();
    let account = server.account();
    account.store("/a", b"x");
    let bytes = tree::bytes(1, 5 << 20);
    let waits = ["-H", "Expect: 100-continue", "--expect100-timeout", "60"];
    let answer = account.put_with(&waits, "/a", &bytes);
    answer.expect(405).expect_header("connection", "close");
    assert!(!answer.was_asked_to_continue() && answer.sent_bytes == 0, "{answer:?}");
    let answer = account.put_with(&waits, "/b", &bytes);
    answer.expect(201);
    assert!(answer.was_asked_to_continue(), "{answer:?}");
    let answer = account.with_password("wrong").put_with(&waits, "/c", &bytes);
    answer.expect(401);
    assert!(!answer.was_asked_to_continue() && answer.sent_bytes == 0, "{answer:?}");
}

/// A refusal that closes at once over a client that is still sending reaches it as a broken pipe.
#[test]
fn clients_that_do_not_wait_read_the_refusal() {
    let server = TestServer::start();
    let account = server.account();
    account.store("/taken", b"x");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("big");
    std::fs::write(&file, tree::bytes(2, 100_000_000)).expect("the upload is written");
    // Twice five or a hundred refusals by each client, and a third.
    let rounds = if is_nightly() { 100 } else { 5 };
    for _ in 0..rounds {
        for (sender, path, status) in
            [(account.clone(), "/taken", 405), (account.with_password("wrong"), "/free", 401), (account.clone(), "/a//b", 400)]
        {
            let answer = sender.put_file(&["-H", "Expect:"], path, &file);
            assert_eq!((answer.status(), answer.exit), (status, 0), "{answer:?}");
            let seen = wget_put(&sender, path, &file);
            assert!(seen.contains(&status.to_string()), "wget, {path}: {seen}");
            // Debian's wget2 sends bodies with POST alone, which no name ever makes a 400.
            if let Some(seen) = wget2_post(&sender, path, &file).filter(|_| status != 400) {
                assert!(seen.contains(&status.to_string()), "wget2, {path}: {seen}");
            }
        }
        assert_eq!(python_put(&account, "/taken", &file), "405");
    }
    figure("S17", "readable refusals", &format!("{rounds} rounds of 3 refusals by curl, wget, wget2 and 1 by Python: all read"), None);
    assert_eq!(account.names(), ["/taken"]);
    assert_eq!(server.blobs(&account).len(), 1);
}

fn wget_put(account: &Account, path: &str, file: &std::path::Path) -> String {
    let mut command = std::process::Command::new("wget");
    command.args(["--server-response", "--tries=1", "--auth-no-challenge", "--method=PUT", "-O", "-"]);
    command.arg(format!("--user={}", account.user)).arg(format!("--password={}", account.password));
    command.arg(format!("--body-file={}", file.display())).arg(format!("{}{path}", account.site.origin()));
    let output = command.output().expect("wget is installed");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn wget2_post(account: &Account, path: &str, file: &std::path::Path) -> Option<String> {
    let Some(wget2) = crate::support::program(&["wget2"]) else {
        crate::support::skip("wget2 is not installed");
        return None;
    };
    let mut command = std::process::Command::new(wget2);
    command.args(["--server-response", "--tries=1", "--no-config", "-O", "-"]);
    command.arg(format!("--header=Authorization: {}", account.basic()));
    command.arg(format!("--post-file={}", file.display())).arg(format!("{}{path}", account.site.origin()));
    let output = command.output().expect("wget2 runs");
    Some(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

fn python_put(account: &Account, path: &str, file: &std::path::Path) -> String {
    let script = "import http.client, sys\n\
        host, path, auth, name = sys.argv[1:]\n\
        c = http.client.HTTPConnection(host)\n\
        c.request('PUT', path, open(name, 'rb').read(), {'Authorization': auth})\n\
        print(c.getresponse().status)\n";
    let host = account.site.origin().replace("http://", "");
    let mut command = std::process::Command::new("python3");
    command.args(["-c", script, &host, path, &account.basic()]).arg(file);
    let output = command.output().expect("python3 is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn one_byte_more_than_the_largest_file_is_413_before_any_byte() {
    let server = TestServer::start();
    let account = server.account();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("sparse");
    std::fs::File::create(&file).and_then(|file| file.set_len(LARGEST + 1)).expect("a sparse file");
    let answer = account.put_file(&["--expect100-timeout", "60"], "/huge", &file);
    answer.expect_plain_refusal(413).expect_words("5368709120");
    assert_eq!(answer.sent_bytes, 0, "{answer:?}");
    let head = refusal(&server, &account.basic(), "/huge", "Content-Length: 5368709121\r\n");
    assert_eq!(head.status, 413);
}

#[test]
fn the_largest_file_is_stored_and_served() {
    if !is_nightly() {
        return skip_nightly("5,368,709,120 bytes up and down");
    }
    let server = TestServer::start();
    let account = server.account();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (file, back) = (folder.path().join("sparse"), folder.path().join("back"));
    std::fs::File::create(&file).and_then(|file| file.set_len(LARGEST)).expect("a sparse file");
    account.put_file(&["--max-time", "1800"], "/largest", &file).expect(201);
    assert_eq!(account.list()[0].size, LARGEST);
    let status = std::process::Command::new("curl").args(["-q", "-sS", "-o"]).arg(&back).arg(account.url("/largest")).status();
    assert!(status.expect("curl is installed").success());
    assert_eq!(std::fs::metadata(&back).expect("the download").len(), LARGEST);
    let same = std::process::Command::new("cmp").arg(&file).arg(&back).status().expect("cmp is installed");
    assert!(same.success(), "every byte came back");
}

#[test]
fn a_limit_on_file_sizes_holds_at_its_edge() {
    let server = Setup::new().set("max_file_bytes", 1000).start();
    let account = server.account();
    account.store("/fits", tree::bytes(1, 1000));
    account.put("/larger", tree::bytes(1, 1001)).expect_plain_refusal(413).expect_words("1000");
    assert_eq!(account.names(), ["/fits"]);
}

/// `curl -C 5 -T f` sends a part with `Content-Range`: stored as a whole file it would be a torso.
#[test]
fn a_continued_upload_is_refused() {
    let server = TestServer::start();
    let account = server.account();
    account.put_with(&["-C", "5"], "/a", b"hello world").expect_plain_refusal(400).expect_words("Content-Range");
    assert_eq!(account.names(), Vec::<String>::new());
}

#[test]
fn encoded_bodies_are_415_and_identity_is_none() {
    let server = TestServer::start();
    let account = server.account();
    for encoding in ["gzip", "br", "identity, gzip", "x"] {
        account.put_with(&["-H", &format!("Content-Encoding: {encoding}")], "/a", b"x").expect_plain_refusal(415);
    }
    account.put_with(&["-H", "Content-Encoding: identity"], "/a", b"x").expect(201);
}

#[test]
fn a_quota_counts_bytes_names_and_what_is_in_flight() {
    for server in TestServer::each_catalog() {
        let account = server.add_account(&["--quota", "1000000"]);
        account.store("/a", tree::bytes(1, 500_000));
        // A path segment counts 4 KiB: 500,000 + 4,096 are used, so 491,808 bytes under one segment still fit.
        account.put("/b", tree::bytes(2, 491_809)).expect_plain_refusal(507).expect_words("1000000");
        let mut slow = Raw::connect(&server);
        slow.send(format!(
            "PUT /slow HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\nContent-Length: 400000\r\nExpect: 100-continue\r\n\r\n",
            account.basic()
        ));
        assert_eq!(slow.head(SOON).map(|head| head.status), Some(100), "an upload was admitted");
        account.put("/b", tree::bytes(2, 100_000)).expect(507);
        slow.send(tree::bytes(3, 400_000));
        assert_eq!(slow.answer(SOON).map(|answer| answer.head.status), Some(201));
        account.put("/b", tree::bytes(2, 87_713)).expect(507);
        account.store("/b", tree::bytes(2, 87_712));
        account.put("/c", b"").expect(507);
        assert_eq!(account.names(), ["/a", "/b", "/slow"]);
    }
}

#[test]
fn a_reserve_of_disk_space_is_left_to_the_catalog() {
    let server = Setup::new().set("disk_reserve", 1_u64 << 49).start();
    let account = server.account();
    let answer = account.put("/a", b"x");
    answer.expect_plain_refusal(507);
    assert!(answer.text().chars().any(|c| c.is_ascii_digit()), "the figures are in {answer:?}");
    assert_eq!(account.names(), Vec::<String>::new());
}

#[test]
fn a_slow_client_is_not_cut_off_and_a_silent_one_is() {
    let server = Setup::new().set("progress_seconds", 2).set("header_seconds", 2).set("idle_seconds", 2).start();
    let account = server.account();
    let put = |name: &str| {
        let mut raw = Raw::connect(&server);
        let basic = account.basic();
        raw.send(format!("PUT {name} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic}\r\nContent-Length: 8\r\n\r\n"));
        raw
    };
    let (mut slow, mut silent) = (put("/slow"), put("/silent"));
    silent.send(b"1234");
    let said_nothing = &mut Raw::connect(&server);
    let half_head = &mut Raw::connect(&server);
    half_head.send(b"GET / HTTP/1.1\r\nHost: lo");
    for byte in b"12345678" {
        // Longer than the time-out in all, each pause shorter.
        assert!(!slow.is_closed_within(Duration::from_millis(600)), "a moving upload is left alone");
        slow.send([*byte]);
    }
    assert_eq!(slow.answer(SOON).map(|answer| answer.head.status), Some(201), "a slow upload ends as every other");
    for closed in [&mut silent, said_nothing, half_head] {
        assert!(closed.is_closed_within(SOON), "a silent connection is closed");
    }
    assert_eq!(account.names(), ["/slow"]);
    crate::support::wait_until("the silent upload's space is free", SOON, || server.staging_files().is_empty());
}

//! Retention: a file lives for its days and not a second less, and its name is held a day longer.

use crate::support::account::Account;
use crate::support::clock::{DAY, HOUR, SECOND, TestClock};
use crate::support::raw::Raw;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{SOON, tree, wait_until};

/// Expiry has removed everything that the account had.
fn await_removal(server: &TestServer, account: &Account, left: usize) {
    wait_until("expiry removes the bytes", SOON, || server.blobs(account).len() == left);
}

#[test]
fn a_file_ends_at_its_deletetime_and_its_name_a_day_later() {
    let clock = TestClock::new();
    for mut server in Setup::new().clock(&clock).each_catalog() {
        let account = server.account();
        account.store("/a", b"x");
        let digest = format!("Repr-Digest: {}", tree::repr_digest(b"x"));
        clock.advance(30 * DAY - SECOND);
        account.expect_file("/a", b"x");
        assert_eq!(account.names(), ["/a"]);
        clock.advance(SECOND);
        account.get("/a").expect_plain_refusal(404);
        account.head("/a").expect(404);
        account.get_with("Range: bytes=0-", "/a").expect(404);
        assert_eq!(account.names(), Vec::<String>::new());
        account.put("/a", b"y").expect_plain_refusal(405).expect_words("free");
        clock.advance(DAY - SECOND);
        server.restart();
        account.put("/a", b"y").expect(405);
        assert_eq!(server.blobs(&account).len(), 1, "the bytes are held as long as the name");
        let held = account.put_with(&["-H", &digest], "/a", b"x");
        assert!([200, 405].contains(&held.status()), "{held:?}");
        clock.advance(SECOND);
        await_removal(&server, &account, 0);
        wait_until("the name is free", SOON, || account.put("/a", b"y").status() == 201);
        account.expect_file("/a", b"y");
        let ended = server.run(&["account", "show", &account.user, "--ended"]).expect_exit(0);
        assert!(ended.out.contains("/a"), "the operator still finds what ended: {}", ended.out);
    }
}

#[test]
fn raising_lengthens_what_is_there_and_lowering_does_not_shorten() {
    let clock = TestClock::new();
    for mut server in Setup::new().clock(&clock).each_catalog() {
        let account = server.account();
        let set = |server: &TestServer, days: &str| {
            server.run(&["account", "set", &account.user, "--retention", days]).expect_exit(0);
        };
        let days = |name: &str| {
            let file = account.list().into_iter().find(|file| file.name == name).expect("the file is listed");
            (file.deletetime.expect("an end") - file.createtime) / 86_400
        };
        account.store("/first", b"1");
        set(&server, "90");
        account.store("/second", b"2");
        assert_eq!((days("/first"), days("/second")), (90, 90));
        set(&server, "40");
        account.store("/third", b"3");
        assert_eq!((days("/first"), days("/second"), days("/third")), (90, 90, 40));
        set(&server, "60");
        assert_eq!((days("/first"), days("/third")), (90, 60));
        clock.advance(60 * DAY + SECOND);
        assert_eq!(account.names(), ["/first", "/second"]);
        clock.advance(2 * DAY);
        server.restart();
        await_removal(&server, &account, 2);
        clock.advance(28 * DAY - 2 * SECOND);
        account.expect_file("/first", b"1");
        clock.advance(SECOND);
        assert_eq!(account.names(), Vec::<String>::new());
        // Late: what has ended stays ended.
        set(&server, "365");
        assert!(account.names().is_empty() || account.names() == ["/first", "/second"]);
    }
}

#[test]
fn only_30_to_365_days_are_accepted() {
    let server = TestServer::start();
    let account = server.account();
    for days in ["29", "366", "0", "-1", "x", "30.5"] {
        for command in [&["account", "add"][..], &["account", "set", &account.user]] {
            let retention = format!("--retention={days}");
            let ran = server.run(&[command, &[&retention]].concat());
            assert!([1, 2].contains(&ran.exit), "{ran:?}");
        }
    }
    for days in ["30", "365"] {
        server.run(&["account", "set", &account.user, "--retention", days]).expect_exit(0);
    }
}

#[test]
fn a_clock_that_jumps_ahead_ends_nothing_until_the_operator_agrees() {
    let clock = TestClock::new();
    for mut server in Setup::new().clock(&clock).each_catalog() {
        server.expect_error("clock");
        server.expect_error("expiry");
        let account = server.account();
        account.store("/a", b"x");
        clock.jump_ahead(400 * DAY);
        account.expect_file("/a", b"x");
        server.restart();
        account.expect_file("/a", b"x");
        account.store("/b", b"y");
        let health = server.site().curl::<&str>(&[], "/health");
        assert!(health.status() == 503 || health.text().contains("clock") || server.log().contains("clock"), "{health:?}");
        clock.advance(30 * DAY + 2 * DAY);
        account.put("/a", b"z").expect(405);
        assert_eq!(server.blobs(&account).len(), 2, "paused: nothing is removed");
        server.run(&["clock", "accept"]).expect_exit(0);
        wait_until("exactly the due files end", SOON, || {
            server.blobs(&account).iter().all(|path| !path.display().to_string().contains("/a@"))
        });
        account.get("/a").expect(404);
    }
}

#[test]
fn a_clock_set_back_does_not_make_files_younger() {
    let clock = TestClock::new();
    let mut server = Setup::new().clock(&clock).start();
    let account = server.account();
    account.store("/a", b"x");
    let first = account.list()[0].createtime;
    clock.jump_back(400 * DAY);
    account.store("/b", b"y");
    server.restart();
    account.store("/c", b"z");
    let times: Vec<i64> = account.list().iter().map(|file| file.createtime).collect();
    assert!(times.is_sorted() && times[0] == first, "{times:?}");
    clock.advance(30 * DAY + SECOND);
    assert_eq!(account.names(), Vec::<String>::new(), "30 days have passed, whatever the wall says");
}

#[test]
fn a_download_under_way_ends_well_though_the_life_ends() {
    let clock = TestClock::new();
    let mut server = Setup::new().clock(&clock).start();
    let account = server.account();
    let bytes = tree::bytes(1, 24 << 20);
    account.store("/a", &bytes);
    let mut raw = Raw::connect(&server);
    raw.send(format!("GET /a HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\n\r\n", account.basic()));
    assert_eq!(raw.head(SOON).map(|head| head.status), Some(200));
    clock.advance(30 * DAY + HOUR);
    account.get("/a").expect(404);
    clock.advance(DAY);
    await_removal(&server, &account, 0);
    let got = raw.take(bytes.len(), SOON).expect("the whole file");
    assert!(got == bytes, "the bytes are those that were stored");
    drop(raw);
    server.restart();
}

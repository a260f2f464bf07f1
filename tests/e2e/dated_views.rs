//! A vault as it was: `/@TIME/`, the list of deletions, and the revival.

use std::time::Duration;

use crate::support::account::Account;
use crate::support::clock::{DAY, SECOND, TestClock};
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::tree::sha256;
use crate::support::{SOON, wait_until};

fn store(account: &Account, folder: &str, text: &str) -> String {
    let path = format!("{folder}{}", sha256(text.as_bytes()));
    account.curl(&["-X", "POST", "--data-binary", text], &path).expect(200);
    path
}

fn delete(account: &Account, path: &str) {
    account.curl(&["-X", "DELETE"], path).expect(200);
}

/// An instant between what was done before and what comes after.
fn now(clock: &TestClock) -> String {
    clock.advance(SECOND);
    let now = clock.time();
    clock.advance(SECOND);
    now
}

#[test]
fn every_past_state_can_be_opened_and_none_changed() {
    let clock = TestClock::new();
    for server in Setup::new().clock(&clock).each_catalog() {
        let account = server.add_account(&["--kind", "vault"]);
        let (old, stays) = (store(&account, "/keys/", "old"), store(&account, "/keys/", "stays"));
        let first = now(&clock);
        delete(&account, &old);
        let new = store(&account, "/keys/", "new");
        let second = now(&clock);
        let ids = |paths: &[&String]| format!("[{}]", paths.iter().map(|path| format!("\"{}\"", &path[6..])).collect::<Vec<_>>().join(","));
        let at = |time: &str, path: &str| account.get(&format!("/@{time}{path}"));
        at(&first, "/keys/").expect(200).expect_body(ids(&[&old, &stays]).as_bytes());
        at(&second, "/keys/").expect(200).expect_body(ids(&[&stays, &new]).as_bytes());
        at(&first, &old).expect(200).expect_body(b"old");
        at(&first, &new).expect(404);
        at(&second, &old).expect(404);
        account.head(&format!("/@{first}{old}")).expect(200).expect_header("content-length", "3");
        account.get_with("Range: bytes=1-", &format!("/@{first}{old}")).expect(206).expect_body(b"ld");
        let compact: String = first.chars().filter(|c| !matches!(c, '-' | ':')).collect();
        at(&compact, &old).expect(200);
        at(&first.replace(':', "%3A"), &old).expect(200);
        at(&first.replace('Z', ".25Z"), &old).expect(200);
        assert!(at(&first, "/").expect(200).text().contains(&old), "all files of that time");
        assert!(!at(&second, "/").expect(200).text().contains(&old));
        for (method, path) in [("POST", &new), ("DELETE", &old), ("POST", &"/config".to_owned()), ("DELETE", &"/config".to_owned())] {
            let answer = account.curl(&["-X", method, "--data-binary", "x"], &format!("/@{first}{path}"));
            answer.expect_plain_refusal(403).expect_words("as it was");
        }
        account.curl(&["-X", "POST"], &format!("/@{first}/?create=true")).expect(403);
        let lock = format!("/@{first}/locks/{}", sha256(b"x"));
        account.curl(&["-X", "POST", "--data-binary", "x"], &lock).expect(200);
        account.get(&lock).expect(404);
        account.curl(&["-X", "DELETE"], &lock).expect(200);
        at(&first, "/locks/").expect(200).expect_body(b"[]");
        account.get("/locks/").expect_body(b"[]");
        at(&first, &old).expect(200).expect_body(b"old");
    }
}

#[test]
fn a_time_that_cannot_be_looked_at_says_how_far_back_the_account_goes() {
    let clock = TestClock::new();
    let server = Setup::new().clock(&clock).start();
    let account = server.add_account(&["--kind", "vault"]);
    let key = store(&account, "/keys/", "key");
    let past = now(&clock);
    for time in ["2100-01-01", "2100-01-01T00:00:00Z", "2001-01-01"] {
        account.get(&format!("/@{time}{key}")).expect_plain_refusal(404).expect_words("can be looked at as it was from 20");
    }
    for time in ["yesterday", "2026", "2026-11-20T12:00:00"] {
        account.get(&format!("/@{time}/config")).expect_plain_refusal(404).expect_words("2026-11-20T12:00:00Z");
    }
    delete(&account, &key);
    // A day at a time: a clock that jumps is not believed.
    for _ in 0..29 {
        clock.advance(DAY);
    }
    account.get(&format!("/@{past}{key}")).expect(200).expect_body(b"key");
    clock.advance(DAY);
    wait_until("the view is too old", SOON, || account.get(&format!("/@{past}{key}")).status() == 404);
    assert_eq!(server.blobs(&account).len(), 1, "its bytes stay two days longer, for whoever reads it now");
    for _ in 0..2 {
        clock.advance(DAY);
    }
    wait_until("the bytes go", SOON, || server.blobs(&account).is_empty());
}

#[test]
fn deletions_are_listed_with_the_time_to_open() {
    let clock = TestClock::new();
    let server = Setup::new().clock(&clock).start();
    let account = server.add_account(&["--kind", "vault"]);
    account.get("/@/").expect(200).expect_body(b"[]\n");
    let keys: Vec<String> = (0..3).map(|number| store(&account, "/keys/", &number.to_string())).collect();
    clock.advance(DAY);
    delete(&account, &keys[0]);
    delete(&account, &keys[1]);
    clock.advance(DAY);
    delete(&account, &keys[2]);
    let listed: serde_json::Value = serde_json::from_slice(&account.get("/@/").expect(200).body).expect("it is JSON");
    let counts: Vec<_> =
        listed.as_array().expect("a list").iter().map(|burst| (burst["files"].as_u64(), burst["bytes"].as_u64())).collect();
    assert_eq!(counts, [(Some(1), Some(1)), (Some(2), Some(2))], "newest first: {listed}");
    let before = listed[1]["before"].as_str().expect("a time");
    assert!(listed[1]["from"].as_str() <= listed[1]["to"].as_str() && Some(before) < listed[1]["from"].as_str(), "{listed}");
    assert_eq!(account.get(&format!("/@{before}/keys/")).expect(200).text().matches(',').count(), 2, "all three were there");
    let revived = server.run(&["vault", "revive", &account.user, "--at", before]).expect_exit(0).out;
    assert!(revived.contains("3 files were brought back, 0 were hidden"), "{revived}");
    assert_eq!(account.names().len(), 3);
    let audit = std::fs::read_to_string(server.data().join("audit.log")).expect("the audit log");
    assert!(audit.contains("\"vault revive\"") && audit.contains("\"brought_back\":3"), "{audit}");
    let future = server.run(&["vault", "revive", &account.user, "--at", "2100-01-01"]).expect_exit(1);
    assert!(future.complaint.contains("goes back to"), "{future:?}");
    let archive = server.account();
    assert!(server.run(&["vault", "revive", &archive.user, "--at", before]).expect_exit(1).complaint.contains("is no vault"));
    server.run(&["vault", "revive", &account.user, "--at", "soon"]).expect_exit(2);
}

/// A key that was removed because it leaked must not come back by a lost catalog.
#[test]
fn a_rebuilt_catalog_keeps_hidden_what_was_hidden() {
    let mut server = TestServer::start();
    let account = server.add_account(&["--kind", "vault"]);
    let (leaked, good) = (store(&account, "/keys/", "leaked"), store(&account, "/keys/", "good"));
    delete(&account, &leaked);
    let copies = server.data().join("blobs/.control");
    let is_told = || {
        std::fs::read_dir(&copies)
            .is_ok_and(|mut names| names.any(|name| name.is_ok_and(|name| name.path().display().to_string().ends_with(".hides.zst"))))
    };
    wait_until("the small copies tell of it within a minute", Duration::from_secs(60), is_told);
    server.kill();
    for part in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
        // One that is not there is lost already.
        let _ = std::fs::remove_file(server.data().join(part));
    }
    server.run(&["catalog", "rebuild"]).expect_exit(0);
    server.start_again();
    account.get(&leaked).expect(404);
    account.expect_file(&good, b"good");
    let burst: serde_json::Value = serde_json::from_slice(&account.get("/@/").expect(200).body).expect("it is JSON");
    let before = burst[0]["before"].as_str().expect("a time");
    account.get(&format!("/@{before}{leaked}")).expect(200).expect_body(b"leaked");
}

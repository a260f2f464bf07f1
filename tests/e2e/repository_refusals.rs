//! What a vault does not take: it says why, and nothing of it stays.

use crate::support::account::Account;
use crate::support::answer::Answer;
use crate::support::raw::Raw;
use crate::support::repository::{delete, path, post, stored};
use crate::support::restic::vault;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::tree::{self, sha256};
use crate::support::{SOON, wait_until};

fn nothing_is_left(server: &TestServer, account: &Account) {
    wait_until("staging is empty", SOON, || server.staging_files().is_empty());
    assert_eq!(account.names(), Vec::<String>::new());
    assert!(server.blobs(account).is_empty());
}

/// The whole body is read and judged whatever is there, and nothing of a wrong one stays.
#[test]
fn what_is_not_what_its_name_says_is_refused_and_leaves_nothing() {
    for server in TestServer::each_catalog() {
        let account = vault(&server);
        let id = sha256(b"right");
        let words = |answer: Answer| answer.expect_plain_refusal(400).expect_words("SHA-256").text();
        words(post(&account, &format!("/data/{id}"), b"wrong"));
        words(post(&account, &format!("/locks/{id}"), b"wrong"));
        let long = tree::bytes(1, 3_000_000);
        words(post(&account, &path("/data/", &long), &long[..2_999_999]));
        for name in ["/data/x", "/x", "/data", "/data/", "/", "/packs/", "/a//config", "/../config", "/keys/index/config"] {
            post(&account, name, b"bytes").expect_plain_refusal(400);
            delete(&account, name).expect_plain_refusal(400);
        }
        for name in [format!("/packs/{id}"), format!("/data/{}", id.to_uppercase()), format!("/data/{id}0"), format!("/data/9f/{id}")] {
            post(&account, &name, b"right").expect_plain_refusal(400).expect_words("PREFIX/TYPE/ID");
            account.get(&name).expect(404);
        }
        account.put(&format!("/data/{id}"), b"right").expect_plain_refusal(405).expect_words("restic");
        post(&account, &path("/locks/", &[0; 65_537]), &[0; 65_537]).expect_plain_refusal(413);
        let mut raw = Raw::connect(&server);
        let head = |rest: &str| format!("POST /data/{id} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\n{rest}\r\n", account.basic());
        raw.send(head("Content-Length: 4294967296\r\n"));
        assert_eq!(raw.answer(SOON).map(|answer| answer.head.status), Some(413), "4 GiB - 1 is the most");
        for lengths in ["Content-Length: x\r\n", "Transfer-Encoding: gzip, chunked\r\n", "Content-Length: 5\r\nContent-Length: 6\r\n"] {
            let mut raw = Raw::connect(&server);
            raw.send(head(lengths));
            assert_eq!(raw.answer(SOON).map(|answer| answer.head.status), Some(400), "{lengths}");
        }
        let mut raw = Raw::connect(&server);
        raw.send(head("Content-Length: 5\r\n")).send("rig");
        raw.finish_sending();
        assert_eq!(raw.answer(SOON).map_or(400, |answer| answer.head.status), 400, "the body broke off");
        nothing_is_left(&server, &account);
        assert!(account.get("/locks/").text().contains("[]"));
        stored(&account, "/data/", b"right");
        words(post(&account, &format!("/data/{id}"), b"wrong"));
        account.expect_file(&format!("/data/{id}"), b"right");
    }
}

#[test]
fn a_body_in_chunks_is_stored_and_bounded() {
    let server = TestServer::start();
    let account = vault(&server);
    let bytes = tree::bytes(9, 20_000_000);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("body");
    std::fs::write(&file, &bytes).expect("the body is written");
    let upload = format!("@{}", file.display());
    let chunked = |path: &str| account.curl(&["-X", "POST", "-H", "Transfer-Encoding: chunked", "--data-binary", &upload], path);
    let path = path("/data/", &bytes);
    chunked(&path).expect(200);
    chunked(&path).expect(200);
    account.expect_file(&path, &bytes);
    chunked(&format!("/data/{}", "a".repeat(64))).expect_plain_refusal(400);
    chunked("/config").expect_plain_refusal(413);
    server.run(&["account", "set", &account.user, "--quota", "38 MB"]).expect_exit(0);
    let other = tree::bytes(10, 20_000_000);
    std::fs::write(&file, &other).expect("the body is written");
    chunked(&format!("/data/{}", sha256(&other))).expect_plain_refusal(507).expect_words("quota");
    wait_until("staging is empty", SOON, || server.staging_files().is_empty());
    assert_eq!(account.names(), [path]);
}

/// Locks are of some bytes in the catalog: what is kept back of the disk is for such.
#[test]
fn a_lock_is_taken_where_the_disk_has_no_room_for_files() {
    let server = Setup::new().set("disk_reserve", "900 TB").start();
    let account = vault(&server);
    let lock = stored(&account, "/locks/", b"a lock");
    account.get(&lock).expect(200);
    post(&account, &path("/data/", b"x"), b"x").expect_plain_refusal(507);
}

/// A failing look-up is no refusal: restic gives up at once on 401, 403 and 404.
#[test]
fn what_may_pass_is_503() {
    let mut server = Setup::new().fault("row-written", "panic").start();
    let account = vault(&server);
    let answer = post(&account, &path("/data/", b"x"), b"x");
    answer.expect(503);
    assert!(answer.header("retry-after").is_some());
    server.expect_error("panicked");
}

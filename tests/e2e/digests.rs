//! Digests that clients send: checked, and the way to repeat a PUT whose answer was lost.

use crate::support::account::Account;
use crate::support::figure::figure;
use crate::support::raw::Raw;
use crate::support::server::TestServer;
use crate::support::{SOON, tree};

fn spellings(bytes: &[u8]) -> [String; 4] {
    let (hex, structured) = (tree::sha256(bytes), tree::repr_digest(bytes));
    [
        format!("Repr-Digest: {structured}"),
        format!("Content-Digest: {structured}"),
        format!("X-Content-SHA256: {hex}"),
        format!("Repr-Digest: md5=:AAAAAAAAAAAAAAAAAAAAAA==:, {structured}"),
    ]
}

#[test]
fn a_right_digest_is_stored_and_repeated_is_already_stored() {
    for server in TestServer::each_catalog() {
        let account = server.account();
        for (index, digest) in spellings(b"backup").iter().enumerate() {
            let name = format!("/{index}");
            account.put_with(&["-H", digest], &name, b"backup").expect(201);
            let again = account.put_with(&["-H", digest], &name, b"backup");
            again.expect(200).expect_body(format!("Already stored {name}\n").as_bytes());
            account.put(&name, b"backup").expect(405);
        }
        assert_eq!(server.blobs(&account).len(), 4);
    }
}

#[test]
fn a_wrong_digest_stores_nothing_and_says_both() {
    let server = TestServer::start();
    let account = server.account();
    for digest in spellings(b"what was meant") {
        let answer = account.put_with(&["-H", &digest], "/a", b"what arrived");
        answer.expect_plain_refusal(400);
        answer.expect_words(&tree::sha256(b"what was meant")).expect_words(&tree::sha256(b"what arrived"));
    }
    let both = ["-H", &spellings(b"x")[0], "-H", &spellings(b"y")[2]];
    account.put_with(&both, "/a", b"x").expect(400);
    assert_eq!(account.names(), Vec::<String>::new());
    assert_eq!(server.blobs(&account).len(), 0);
}

#[test]
fn a_malformed_digest_is_400_and_other_algorithms_are_passed_over() {
    let server = TestServer::start();
    let account = server.account();
    for digest in [
        "Repr-Digest: sha-256=:abc:",
        "Repr-Digest: sha-256=abc",
        "Repr-Digest: sha-256=:AAAA:",
        "Repr-Digest: =",
        "Content-Digest: sha-256=::",
        "X-Content-SHA256: abc",
        "X-Content-SHA256: zz00000000000000000000000000000000000000000000000000000000000000",
    ] {
        account.put_with(&["-H", digest], "/a", b"x").expect_plain_refusal(400);
    }
    account.put_with(&["-H", "Repr-Digest: sha-512=:AAAA:"], "/a", b"x").expect(201);
}

/// The server stored the file and the answer was lost on the way: the client sends it again.
#[test]
fn a_repeated_put_after_a_lost_reply_is_never_a_riddle() {
    let server = TestServer::start();
    let account = server.account();
    for round in 0..100 {
        let (name, bytes) = (format!("/{round}"), tree::bytes(round, 2000));
        put_and_vanish(&server, &account, &name, &bytes);
        let digest = format!("Repr-Digest: {}", tree::repr_digest(&bytes));
        let again = raw_put(&server, &account, &name, &bytes, &format!("{digest}\r\n"));
        assert_eq!(again, (200, Some(format!("Already stored {name}\n"))), "round {round}");
        let answer = account.put(&name, &bytes);
        answer.expect(405).expect_header("repr-digest", &tree::repr_digest(&bytes));
        answer.expect_header("etag", &format!("\"{}\"", tree::sha256(&bytes)));
    }
    assert_eq!(server.blobs(&account).len(), 100);
    figure("D19", "PUT", "100 lost answers: repeated with a digest 100 × 200, without one 100 × 405 with ETag and Repr-Digest", None);
}

/// Sends a whole PUT, waits until it is stored, and never reads the answer.
fn put_and_vanish(server: &TestServer, account: &Account, name: &str, bytes: &[u8]) {
    let mut lost = Raw::connect(server);
    lost.send(request(account, name, bytes, ""));
    crate::support::wait_until("the file is stored", SOON, || stored(server, account, name));
    lost.reset();
}

fn stored(server: &TestServer, account: &Account, name: &str) -> bool {
    let mut raw = Raw::connect(server);
    raw.send(format!("HEAD {name} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\n\r\n", account.basic()));
    raw.head(SOON).is_some_and(|head| head.status == 200)
}

fn raw_put(server: &TestServer, account: &Account, name: &str, bytes: &[u8], headers: &str) -> (u16, Option<String>) {
    let mut raw = Raw::connect(server);
    raw.send(request(account, name, bytes, headers));
    let answer = raw.answer(SOON).expect("an answer");
    (answer.head.status, String::from_utf8(answer.body).ok())
}

fn request(account: &Account, name: &str, bytes: &[u8], headers: &str) -> Vec<u8> {
    let head = format!(
        "PUT {name} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\n{headers}Content-Length: {}\r\n\r\n",
        account.basic(),
        bytes.len()
    );
    [head.as_bytes(), bytes].concat()
}

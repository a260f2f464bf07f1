//! The memory that SQLite shares between processes lies in a file, `catalog.db-shm`. Where its disk is gone the system gives no more of it,
//! and tells so by a signal that ends a process. The server goes on without its catalog: it refuses, takes nothing away, and after a
//! restart everything is there.

use std::os::unix::process::ExitStatusExt as _;

use rustix::process::Signal;

use crate::support::aftermath::look;
use crate::support::clock::{DAY, TestClock};
use crate::support::figure::figure;
use crate::support::press::Press;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{SOON, wait_until};

/// What was mapped lies behind the end of its file from now on: an access to it ends as one to a disk that is gone.
fn take_memory_away(server: &TestServer) {
    let memory = std::fs::OpenOptions::new().write(true).open(server.data().join("catalog.db-shm"));
    memory.and_then(|memory| memory.set_len(0)).expect("a running server has shared memory");
}

/// Whether something is there only the catalog knows, so nothing may be said to be there or not.
fn expect_refusals(server: &mut TestServer) {
    let account = server.account();
    for (name, answer) in [
        ("a file", account.get("/before")),
        ("a file that never was", account.get("/never")),
        ("the head of a file", account.head("/before")),
        ("the list", account.get("/")),
        ("a part", account.get_with("Range: bytes=0-1", "/before")),
        ("an upload", account.put("/after", b"x")),
        ("an upload of a name that is taken", account.put("/before", b"x")),
        ("health", server.site().curl::<&str>(&[], "/health")),
    ] {
        assert_eq!(answer.status(), 503, "{name}: {answer:?}");
    }
    assert!(server.is_running());
    assert!(!server.log().contains("has not answered in time"), "nobody waits for a thread that rests");
}

#[test]
fn a_server_whose_shared_memory_is_lost_refuses_and_loses_nothing() {
    let clock = TestClock::new();
    let mut server = Setup::new().clock(&clock).start();
    server.expect_error("catalog.db-shm");
    let press = Press::new(&server, clock);
    press.put_one("/before").expect(201);
    let refused = press.until_refused(&server, 0, || {
        wait_until("uploads are under way", SOON, || press.kept() > 100);
        take_memory_away(&server);
    });
    assert!(refused.iter().all(|status| *status == 503), "{refused:?}");
    expect_refusals(&mut server);
    assert!(server.log().contains("writes are suspended until a restart"), "{}", server.log());
    assert_eq!(server.stop().code(), Some(0), "threads that rest keep no server from its end");
    let (work, scratch) = (press.work.into_inner().expect("no client panicked"), tempfile::tempdir().expect("a temporary folder"));
    let found = look(&work, 0, &server.data(), scratch.path());
    found.expect_no_fault(1);
    let text = format!("16 uploads refused, {} acknowledged before: 0 lost, 0 answers from lost memory", work.kept.len());
    figure("D4", "SIGBUS in the catalog's shared memory", &text, None);
}

/// Without a crowd around it: whichever thread meets the loss, its caller hears at once.
#[test]
fn the_request_that_meets_the_loss_is_refused_like_those_after_it() {
    for method in ["GET", "PUT"] {
        let mut server = TestServer::start();
        server.expect_error("catalog.db-shm");
        let account = server.account();
        account.store("/before", b"bytes");
        take_memory_away(&server);
        let first = if method == "GET" { account.get("/before") } else { account.put("/first", b"x") };
        first.expect_plain_refusal(503);
        expect_refusals(&mut server);
        server.restart();
        account.expect_file("/before", b"bytes");
        account.store("/after", b"x");
    }
}

/// A file whose end is written down in memory that is gone has no end.
#[test]
fn nothing_is_removed_by_a_server_whose_shared_memory_is_lost() {
    let clock = TestClock::new();
    let mut server = Setup::new().clock(&clock).start();
    server.expect_error("catalog.db-shm");
    let account = server.account();
    account.store("/before", b"bytes");
    take_memory_away(&server);
    clock.advance(DAY * 40);
    expect_refusals(&mut server);
    assert_eq!(server.stop().code(), Some(0));
    server.expect_blob(&account, "/before", b"bytes");
    server.start_again();
    wait_until("a server that has its catalog removes what is due", SOON, || server.blobs(&account).is_empty());
}

#[test]
fn any_other_sigbus_ends_the_server() {
    let mut server = TestServer::start();
    server.signal(Signal::BUS);
    assert_eq!(server.await_end(SOON).signal(), Some(Signal::BUS.as_raw()));
    server.start_again();
    wait_until("what the end has left is gone", SOON, || server.staging_files().is_empty());
}

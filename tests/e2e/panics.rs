//! Panics in handlers, on threads of the disk, in the shared commit: each is one client's 500 and nobody else's trouble (D31).

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::support::figure::figure;
use crate::support::raw::Raw;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{Raised, SOON, tree, wait_until};

/// Where uploads panic, in the order in which they come by: in the handler, on a blocking thread, inside the transaction, in the
/// detached task, and in the handler again. The last two have stored the file.
const POINTS: [&str; 5] = ["admitted", "received", "row-written", "row-committed", "answering"];
const EACH: u64 = 200;
const READERS: usize = 2;

fn descriptors(server: &TestServer) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("its descriptors can be listed").count()
}

/// Reads one file over and over, whole each time, on one connection as long as that lives.
fn read_until(server: &TestServer, basic: &str, bytes: &[u8], is_over: &AtomicBool, reads: &AtomicU64) {
    let mut raw = Raw::connect(server);
    while !is_over.load(Ordering::Relaxed) {
        raw.send(format!("GET /kept HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic}\r\n\r\n"));
        let answer = raw.answer(SOON).expect("a reader's connection lives through the panics of others");
        assert!(answer.head.status == 200 && answer.body == bytes, "{:?}", answer.head);
        reads.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_thousand_panics_harm_nobody_else() {
    if !crate::support::may_look_inside() {
        return;
    }
    for (catalog, mut server) in ["SQLite", "PostgreSQL"].into_iter().zip(Setup::new().set("catalog_readers", 1).each_catalog()) {
        // One reader: others would open their connections only when several requests meet, and be counted as left behind.
        for part in ["panic", "a request failed", "the answer is 500"] {
            server.expect_error(part);
        }
        let account = server.account();
        let (basic, bytes) = (account.basic(), tree::bytes(1, 100_000));
        let panics = POINTS.len() as u64 * EACH;
        account.store("/kept", &bytes);
        let action = format!("{EACH}*panic");
        server.set_faults(&POINTS.map(|point| (point, action.as_str())));
        server.restart();
        account.expect_file("/kept", &bytes);
        let before = descriptors(&server);
        let (is_over, reads) = (AtomicBool::new(false), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..READERS {
                scope.spawn(|| read_until(&server, &basic, &bytes, &is_over, &reads));
            }
            let _over = Raised(&is_over);
            for number in 0..panics {
                let mut raw = Raw::connect(&server);
                raw.send(format!("PUT /{number} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic}\r\nContent-Length: 5\r\n\r\nhello"));
                let status = raw.answer(SOON).map(|answer| answer.head.status);
                assert!(matches!(status, Some(500 | 503)), "upload {number}: {status:?}");
                assert!(raw.is_closed_within(SOON), "upload {number}: the connection of a panic is closed");
            }
        });
        wait_until("no descriptor is left behind", SOON, || descriptors(&server) <= before);
        account.store("/after", b"no lock is poisoned");
        let last = format!("/{}", panics - 1);
        account.get(&last).expect(200).expect_body(b"hello");
        account.put("/0", b"the name of an upload that died early is free").expect(201);
        server.set_faults(&[]);
        server.restart();
        wait_until("rows and blobs agree", SOON, || {
            server.staging_files().is_empty() && account.names().len() == server.blobs(&account).len()
        });
        server.run(&["check"]).expect_exit(0);
        let reads = reads.load(Ordering::Relaxed);
        assert!(reads > 50, "others were served meanwhile: {reads}");
        let text =
            format!("{panics} panics, each 500 or 503 and closed; {reads} reads beside them whole; descriptors {before} before and after");
        figure("D31", catalog, &text, None);
    }
}

//! Restarts while clients work: the port is held by whoever starts the server, so nobody is refused, and what runs is finished (D25).

use std::net::TcpListener;
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::account::Account;
use crate::support::figure::figure;
use crate::support::raw::Raw;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{Raised, SOON, is_nightly, program, skip, tree};

const UPLOADS: usize = 32;
/// All of them together ask 200 times a second, also while some of them wait for the next server.
const CLIENTS: u32 = 200;
const PERIOD: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Counts {
    answered: AtomicU64,
    /// Connections that ended with the old server before their request was read: asked again at once.
    asked_again: AtomicU64,
    slowest_millis: AtomicU64,
}

/// Asks for a small file in each period, each time on a new connection. A refused connection fails the test.
fn ask_until_over(port: u16, account: &Account, client: u32, is_over: &AtomicBool, counts: &Counts) {
    std::thread::sleep(PERIOD * client / CLIENTS);
    while !is_over.load(Ordering::Relaxed) {
        let began = Instant::now();
        while !ask(port, account) {
            counts.asked_again.fetch_add(1, Ordering::Relaxed);
        }
        counts.answered.fetch_add(1, Ordering::Relaxed);
        let millis = u64::try_from(began.elapsed().as_millis()).expect("a short time");
        counts.slowest_millis.fetch_max(millis, Ordering::Relaxed);
        std::thread::sleep(PERIOD.saturating_sub(began.elapsed()));
    }
}

fn ask(port: u16, account: &Account) -> bool {
    let mut raw = Raw::try_connect(port).expect("nobody is refused");
    raw.send(format!("GET /small HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\n\r\n", account.basic()));
    raw.answer(Duration::from_secs(60)).is_some_and(|answer| answer.head.status == 200 && answer.body == b"small")
}

/// Begins uploads, ends the server under them, sends the rest, and starts the next one.
fn restart_under_uploads(server: &mut TestServer, account: &Account, round: u32) {
    let bytes = tree::bytes(u64::from(round) + 1, 300_000);
    let mut uploads: Vec<Raw> = (0..UPLOADS)
        .map(|number| {
            let mut raw = Raw::connect(server);
            let basic = account.basic();
            raw.send(format!(
                "PUT /{round}/{number} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic}\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
                bytes.len()
            ));
            assert_eq!(raw.head(SOON).map(|head| head.status), Some(100));
            raw.send(&bytes[..100_000]);
            raw
        })
        .collect();
    server.signal(Signal::TERM);
    for upload in &mut uploads {
        upload.send(&bytes[100_000..]);
        assert_eq!(upload.answer(SOON).map(|answer| answer.head.status), Some(201), "an upload that runs is finished");
    }
    drop(uploads);
    assert_eq!(server.await_end(SOON).code(), Some(0), "{}", server.log());
    server.start_again();
}

#[test]
fn a_planned_restart_refuses_no_connection() {
    if program(&["bash"]).is_none() {
        return skip("bash is not installed");
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    rustix::io::fcntl_setfd(&listener, rustix::io::FdFlags::empty()).expect("a descriptor can be handed over");
    let hand_over = format!("export LISTEN_FDS=1 LISTEN_PID=$$; exec \"$0\" \"$@\" 3<&{}", listener.as_raw_fd());
    let mut server = Setup::new().under(&["bash", "-c", &hand_over]).start();
    let port = listener.local_addr().expect("it has an address").port();
    assert_eq!(server.port(), port, "the server serves from the socket that it was given");
    let account = server.account();
    account.store("/small", b"small");
    let (is_over, counts) = (AtomicBool::new(false), Counts::default());
    let restarts = if is_nightly() { 50 } else { 3 };
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (account, is_over, counts) = (&account, &is_over, &counts);
            scope.spawn(move || ask_until_over(port, account, client, is_over, counts));
        }
        let _over = Raised(&is_over);
        for round in 0..restarts {
            restart_under_uploads(&mut server, &account, round);
        }
    });
    for round in 0..restarts {
        account.expect_file(&format!("/{round}/0"), &tree::bytes(u64::from(round) + 1, 300_000));
    }
    assert_eq!(account.names().len(), 1 + restarts as usize * UPLOADS);
    let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let text = format!(
        "{restarts} restarts under {UPLOADS} uploads: all finished, exit 0; {} small requests, 0 refused, {} asked again, slowest {} ms",
        of(&counts.answered),
        of(&counts.asked_again),
        of(&counts.slowest_millis)
    );
    figure("D25", "socket handed over", &text, None);
}

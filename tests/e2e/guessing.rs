//! Guessing passwords at scale: from a hundred addresses, ten thousand times a minute.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::account::Account;
use crate::support::figure::figure;
use crate::support::raw::Raw;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{SOON, tls};

const ADDRESSES: u8 = 100;
const GUESSES: usize = 100;

/// The statuses that one address hears, in order; each 429 says how long to wait.
fn guess(server: &TestServer, account: &Account, from: u8) -> Vec<u16> {
    let connect = || Raw::on(tls::socket_from([127, 0, 1, from], server.port()).expect("the server takes a connection"));
    let mut raw = connect();
    (0..GUESSES)
        .map(|number| {
            let basic = account.with_password(&format!("guess{number}")).basic();
            // A header that only a proxy may send changes nothing.
            let forwarded = format!("X-Forwarded-For: 10.{from}.{}.{}", number / 200, number % 200);
            raw.send(format!("GET /a HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic}\r\n{forwarded}\r\n\r\n"));
            let answer = raw.answer(SOON).expect("every guess is answered");
            let wait = answer.head.header("retry-after").and_then(|text| text.parse::<u64>().ok());
            assert_eq!(wait.is_some(), answer.head.status == 429, "{:?}", answer.head);
            assert!(wait.is_none_or(|seconds| (1..=60).contains(&seconds)), "{wait:?}");
            if answer.head.header("connection") == Some("close") {
                raw = connect();
            }
            answer.head.status
        })
        .collect()
}

/// Right logins meanwhile, on connections of their own; how long each took, shortest first.
fn log_in(server: &TestServer, account: &Account, from: [u8; 4], stop: &AtomicBool) -> Vec<Duration> {
    let mut times = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        let mut raw = Raw::on(tls::socket_from(from, server.port()).expect("the server takes a connection"));
        raw.send(format!("GET /a HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\n\r\n", account.basic()));
        assert_eq!(raw.answer(SOON).map(|answer| answer.head.status), Some(200), "right credentials are never refused");
        times.push(began.elapsed());
        std::thread::sleep(Duration::from_millis(5));
    }
    times.sort();
    times
}

#[test]
fn ten_thousand_guesses_from_a_hundred_addresses_lock_out_the_guessers_alone() {
    let server = Setup::new().set("login_failures_per_minute", 10).set("login_failures_per_minute_in_all", 1_000_000).start();
    let account = server.account();
    account.store("/a", b"x");
    let stop = AtomicBool::new(false);
    let began = Instant::now();
    let (heard, times) = std::thread::scope(|scope| {
        let (server, account, stop) = (&server, &account, &stop);
        // One is a stranger to the guessers, the other sits behind an address that they use.
        let owners = [[127, 0, 2, 1], [127, 0, 1, 1]].map(|from| scope.spawn(move || log_in(server, account, from, stop)));
        let hands: Vec<_> = (0..4)
            .map(|hand| {
                scope.spawn(move || {
                    (1..=ADDRESSES).filter(|from| from % 4 == hand).map(|from| guess(server, account, from)).collect::<Vec<_>>()
                })
            })
            .collect();
        let heard: Vec<Vec<u16>> = hands.into_iter().flat_map(|hand| hand.join().expect("every guess was answered")).collect();
        stop.store(true, Ordering::Relaxed);
        let mut times: Vec<Duration> = owners.into_iter().flat_map(|owner| owner.join().expect("every login was right")).collect();
        times.sort();
        (heard, times)
    });
    let taken = began.elapsed();
    assert!(taken < Duration::from_secs(60), "ten thousand in a minute: {taken:?}");
    let mut counts: BTreeMap<u16, usize> = BTreeMap::new();
    for statuses in &heard {
        statuses.iter().for_each(|status| *counts.entry(*status).or_default() += 1);
        // A minute that begins meanwhile gives each address ten more.
        let heard_401 = statuses.iter().filter(|status| **status == 401).count();
        assert!(statuses[..10] == [401; 10] && (10..=20).contains(&heard_401), "{statuses:?}");
    }
    let slowest = times[times.len() * 99 / 100];
    figure(
        "S11",
        "guessing",
        &format!("{counts:?} to {ADDRESSES} addresses in {taken:.1?}; {} right logins beside them, p99 {slowest:?}", times.len()),
        None,
    );
    assert_eq!(counts.keys().copied().collect::<Vec<_>>(), [401, 429]);
    assert!(slowest < Duration::from_millis(100), "{slowest:?}");
}

/// However many addresses guess: from the limit in all on every wrong login hears 429, and every right one is let in.
#[test]
fn guesses_from_everywhere_have_a_limit_in_all() {
    let server = Setup::new().set("login_failures_per_minute", 10).set("login_failures_per_minute_in_all", 100).start();
    let account = server.account();
    account.store("/a", b"x");
    let heard: Vec<u16> = (1..=40).flat_map(|from| guess(&server, &account, from)[..5].to_vec()).collect();
    assert_eq!(heard[0], 401);
    assert_eq!(heard[heard.len() - 50..], [429; 50], "{heard:?}");
    account.expect_file("/a", b"x");
}

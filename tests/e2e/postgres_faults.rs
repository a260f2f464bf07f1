//! A PostgreSQL that dies, freezes and hangs up under load: nothing acknowledged is lost, nothing false is acknowledged, and service is
//! back at once (D27).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::account::Account;
use crate::support::figure::figure;
use crate::support::postgres::{Database, private_database};
use crate::support::raw::Raw;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{Raised, is_nightly, tree, wait_until};

const UPLOADERS: u64 = 16;
/// The longest that a request may wait for its 503: for the account, for the commit, and for the look after a commit in doubt.
const BOUNDED: Duration = Duration::from_secs(55);

/// What the clients know, and what they were told.
#[derive(Default)]
struct Told {
    kept: BTreeMap<String, u64>,
    tried: BTreeMap<String, u64>,
    refused: u64,
    slowest: Duration,
}

fn upload_until_over(port: u16, account: &Account, client: u64, is_over: &AtomicBool, told: &Mutex<Told>) {
    let basic = account.basic();
    let mut raw = Raw::connect_port(port);
    for turn in 0.. {
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        let (seed, name) = (client * 1_000_000 + turn + 1, format!("/{client}/{turn}"));
        let bytes = tree::bytes(seed, 2_000);
        told.lock().expect("no client panics").tried.insert(name.clone(), seed);
        let began = Instant::now();
        raw.send(format!("PUT {name} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic}\r\nContent-Length: {}\r\n\r\n", bytes.len()));
        let answer = raw.send(&bytes).answer(BOUNDED).unwrap_or_else(|| panic!("{name}: no answer within {BOUNDED:?}"));
        let mut told = told.lock().expect("no client panics");
        told.slowest = told.slowest.max(began.elapsed());
        match answer.head.status {
            201 => drop(told.kept.insert(name, seed)),
            503 => {
                assert!(answer.head.header("retry-after").is_some(), "{name}: a 503 says when to try again");
                told.refused += 1;
                // It may be closed now, and whoever is told to wait does.
                raw = Raw::connect_port(port);
                drop(told);
                std::thread::sleep(Duration::from_millis(20));
            }
            other => panic!("{name}: {other}"),
        }
    }
}

/// How long until the server stores again.
fn time_until_back(account: &Account, what: &str) -> Duration {
    let began = Instant::now();
    let name = format!("/back/{}", tree::sha256(what.as_bytes()));
    wait_until("service is back", Duration::from_secs(5), || matches!(account.put(&name, b"x").status(), 201 | 405));
    began.elapsed()
}

/// Does `harm` again and again under sixteen uploads; then compares what is stored with what was told.
fn under_load(part: &str, times: u32, harm: impl Fn(&Database, u32)) {
    let Some(database) = private_database().map(Arc::new) else { return };
    let mut server = Setup::new().database(Arc::clone(&database)).start();
    for part in ["catalog", "connection", "PostgreSQL"] {
        server.expect_error(part);
    }
    let account = server.account();
    let (is_over, told, port) = (AtomicBool::new(false), Mutex::new(Told::default()), server.port());
    let mut back = Duration::ZERO;
    std::thread::scope(|scope| {
        for client in 0..UPLOADERS {
            let (account, is_over, told) = (&account, &is_over, &told);
            scope.spawn(move || upload_until_over(port, account, client, is_over, told));
        }
        let _over = Raised(&is_over);
        for time in 0..times {
            let before = told.lock().expect("no client panics").kept.len();
            wait_until("the load is a load", Duration::from_secs(20), || told.lock().expect("no client panics").kept.len() > before + 20);
            harm(&database, time);
            back = back.max(time_until_back(&account, &format!("{part} {time}")));
        }
    });
    let told = told.into_inner().expect("no client panicked");
    expect_as_told(&mut server, &account, &told);
    let (kept, refused, slowest) = (told.kept.len(), told.refused, told.slowest);
    let text = format!(
        "{times} times under {UPLOADERS} uploads: {kept} × 201, {refused} × 503 with Retry-After, 0 lost, 0 false 201; slowest answer \
         {slowest:.1?}, back in {back:.1?} at most"
    );
    figure("D27", part, &text, None);
}

/// Every acknowledged file is there; every other one is whole or absent, and what a restart finds on the disk is adopted.
fn expect_as_told(server: &mut TestServer, account: &Account, told: &Told) {
    server.restart();
    wait_until("rows and blobs agree", Duration::from_secs(30), || account.names().len() == server.blobs(account).len());
    let listed: BTreeMap<String, String> = account.list().into_iter().map(|file| (file.name, file.sha256)).collect();
    for (name, seed) in &told.kept {
        assert_eq!(listed.get(name), Some(&tree::sha256(&tree::bytes(*seed, 2_000))), "{name} was acknowledged");
    }
    for (name, sha256) in listed.iter().filter(|(name, _)| !name.starts_with("/back/")) {
        let seed = told.tried.get(name).unwrap_or_else(|| panic!("{name} was never sent"));
        assert_eq!(sha256, &tree::sha256(&tree::bytes(*seed, 2_000)), "{name} is whole");
    }
    server.run(&["check"]).expect_exit(0);
}

#[test]
fn a_postgresql_that_restarts_at_once_loses_nothing() {
    under_load("restart -m immediate", if is_nightly() { 50 } else { 2 }, |database, _| database.restart_at_once());
}

#[test]
fn a_frozen_postgresql_is_503_in_bounded_time_and_goes_on_when_it_thaws() {
    let span = Duration::from_secs(if is_nightly() { 10 } else { 2 });
    under_load("SIGSTOP", if is_nightly() { 20 } else { 2 }, |database, _| {
        database.freeze();
        std::thread::sleep(span);
        database.thaw();
    });
}

#[test]
fn a_connection_that_is_ended_in_its_commit_loses_nothing() {
    under_load("pg_terminate_backend", if is_nightly() { 200 } else { 20 }, |database, _| {
        let mut client = database.client();
        let ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                     WHERE application_name = 'strongroom' AND datname = current_database() AND query = 'COMMIT' AND state = 'active'";
        let mut caught = 0_i64;
        for _ in 0..200 {
            caught += client.query_one(ended, &[]).expect("PostgreSQL answers").get::<_, i64>(0);
            if caught > 0 {
                return;
            }
        }
    });
}

/// Symptom: with PostgreSQL stopped, a request hung as long as it was. Cause: the kernel takes connections for a stopped server, and only
/// that was waited for in bounded time. Now whoever waits for the catalog hears 503, and the first request after it thaws is served.
#[test]
fn requests_to_a_server_whose_postgresql_says_nothing_are_answered() {
    let Some(database) = private_database().map(Arc::new) else { return };
    let mut server = Setup::new().database(Arc::clone(&database)).start();
    for part in ["catalog", "connection", "PostgreSQL"] {
        server.expect_error(part);
    }
    let account = server.account();
    account.store("/a", b"x");
    database.freeze();
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                let refused = account.get("/a");
                refused.expect_plain_refusal(503);
                assert!(refused.header("retry-after").is_some(), "{refused:?}");
            });
        }
    });
    let answered = began.elapsed();
    assert!(answered < Duration::from_secs(15), "the last of them was answered after {answered:?}");
    database.thaw();
    let back = time_until_back(&account, "silence");
    account.expect_file("/a", b"x");
    figure(
        "D27",
        "silent server",
        &format!("12 requests: all 503 with Retry-After within {answered:.1?}; back {back:.1?} after it thawed"),
        None,
    );
}

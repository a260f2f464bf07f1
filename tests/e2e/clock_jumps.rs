//! The real binary under a wall clock that jumps (libfaketime): nothing goes early, one alarm, uploads go on (D16).

use std::process::Stdio;

use crate::support::account::Account;
use crate::support::false_clock::FalseClock;
use crate::support::figure::figure;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{SOON, skip, wait_until};

const DAY: i64 = 86_400;

/// A server that lives by it.
fn start(clock: &FalseClock) -> TestServer {
    let words: Vec<String> =
        std::iter::once("env".to_owned()).chain(clock.environment().map(|(name, value)| format!("{name}={value}"))).collect();
    Setup::new().under(&words.iter().map(String::as_str).collect::<Vec<_>>()).start()
}

/// The operator's word, from a machine with the same clock.
fn accept(clock: &FalseClock, server: &TestServer) {
    let mut command = server.command();
    command.args(["clock", "accept", "--data"]).arg(server.data()).envs(clock.environment()).stdin(Stdio::null());
    assert!(command.status().expect("the binary runs").success());
}

fn created(account: &Account, name: &str) -> i64 {
    account.list().into_iter().find(|file| file.name == name).expect("it is listed").createtime
}

fn true_seconds() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("this century");
    i64::try_from(since.as_secs()).expect("this century")
}

fn blobs(server: &TestServer, account: &Account) -> usize {
    server.blobs(account).len()
}

/// Expiry looks once a second, and nothing tells when it found nothing: this is the time in which it would have.
fn let_expiry_look() {
    std::thread::sleep(std::time::Duration::from_millis(2_500));
}

#[test]
fn a_forward_jump_ends_nothing_until_the_operator_agrees() {
    let Some(clock) = FalseClock::new("+0d") else { return skip("libfaketime is not installed") };
    let mut server = start(&clock);
    server.expect_error("the wall clock jumped ahead");
    let account = server.account();
    for number in 0..20 {
        account.store(&format!("/before/{number}"), b"x");
    }
    clock.set("+400d");
    server.await_log("the wall clock jumped ahead");
    let_expiry_look();
    assert_eq!(blobs(&server, &account), 20, "a jump deletes nothing");
    account.store("/during", b"uploads go on");
    assert!(created(&account, "/during") <= true_seconds() + 26 * 3_600, "created in guarded time");
    server.restart();
    account.expect_file("/before/0", b"x");
    let_expiry_look();
    assert_eq!(blobs(&server, &account), 21, "nor does a restart");
    let alarms = server.log().matches("the wall clock jumped ahead").count();
    assert_eq!(alarms, 2, "one alarm for each start");
    accept(&clock, &server);
    wait_until("exactly the due files go", SOON, || blobs(&server, &account) == 1);
    assert_eq!(account.names(), ["/during"], "what was made under the wrong clock is kept from the later of both times");
    let session = account.make_session();
    clock.set("+0d");
    account.store("/after", b"back again");
    let (during, after) = (created(&account, "/during"), created(&account, "/after"));
    assert!(after >= during, "creation never goes back: {during} {after}");
    assert!(after >= true_seconds() + 399 * DAY, "guarded time goes on");
    server.site().curl::<&str>(&[], &session).expect(200);
    figure(
        "D16",
        "+400 d, accepted, −400 d",
        "0 files deleted by the jump, 1 alarm a start, then exactly the 20 due ones; creation never goes back",
        None,
    );
}

#[test]
fn small_steps_and_25_hours_are_followed_without_harm() {
    let Some(clock) = FalseClock::new("+0") else { return skip("libfaketime is not installed") };
    let server = start(&clock);
    let account = server.account();
    for step in 0..20 {
        clock.set(&format!("-{step}"));
        account.store(&format!("/{step:02}"), b"x");
    }
    let times: Vec<i64> = account.list().into_iter().map(|file| file.createtime).collect();
    assert!(times.is_sorted(), "{times:?}");
    let session = account.make_session();
    clock.set("+24h");
    wait_until("a jump below 25 hours is followed", SOON, || {
        // The session's 24 hours are over with it.
        server.site().curl::<&str>(&[], &session).status() == 410
    });
    // Not a second beyond the 25 hours in all.
    clock.set("+89990");
    let_expiry_look();
    assert_eq!(blobs(&server, &account), 20);
    clock.set("-400d");
    account.store("/late", b"x");
    assert!(created(&account, "/late") >= times[19] + DAY, "guarded time does not go back");
    assert_eq!(server.site().curl::<&str>(&[], &session).status(), 410, "no session is lengthened");
    figure("D16", "−1 s steps, +25 h, −400 d", "20 steps: createtime never decreases; 0 deleted; an ended session stays ended", None);
}

#[test]
fn a_start_in_1970_and_one_past_2038_serve() {
    let Some(clock) = FalseClock::new("@1970-01-02 00:00:00") else { return skip("libfaketime is not installed") };
    let server = start(&clock);
    let account = server.account();
    account.store("/a", b"x");
    assert!(created(&account, "/a") >= 1_795_478_400, "no earlier than the release");
    account.expect_file("/a", b"x");
    drop(server);
    clock.set("@2038-01-19 03:14:06");
    let server = start(&clock);
    let account = server.account();
    wait_until("the 32-bit second passes", SOON, || {
        let name = format!("/{}", account.names().len());
        account.store(&name, b"x");
        created(&account, &name) > i64::from(i32::MAX)
    });
    for file in account.list() {
        assert_eq!(file.deletetime, Some(file.createtime + 30 * DAY));
        let answer = account.get(&file.name);
        assert!(answer.expect(200).header("last-modified").is_some_and(|date| date.contains("2038")), "{answer:?}");
    }
    figure("D16", "start in 1970, past 2038-01-19", "serves; times no earlier than the release, and beyond 2³¹ exact", None);
}

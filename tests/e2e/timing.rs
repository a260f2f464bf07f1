//! Answers that must not tell by their time what they do not tell by their words.

use std::time::{Duration, Instant};

use crate::support::account::Account;
use crate::support::clock::{DAY, HOUR, TestClock};
use crate::support::figure::figure;
use crate::support::raw::Raw;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::tree::random;
use crate::support::user::User;
use crate::support::{SOON, is_nightly, skip_nightly};

/// Measured requests of each kind; what comes before warms up.
const PAIRS: usize = 20_000;
const WARM: usize = 500;

/// Nanoseconds that each kind of request took, in the order of `requests`; which kind comes next is drawn.
fn measure(server: &TestServer, requests: [&str; 2], status: [u16; 2], seed: &mut u64) -> [Vec<f64>; 2] {
    let mut raw = Raw::connect(server);
    let mut times = [Vec::with_capacity(PAIRS), Vec::with_capacity(PAIRS)];
    for round in 0..PAIRS + WARM {
        let first = usize::from(random(seed, 2) == 1);
        for kind in [first, 1 - first] {
            let began = Instant::now();
            raw.send(requests[kind]);
            let answer = raw.answer(SOON).expect("every request is answered");
            let taken = began.elapsed();
            assert_eq!(answer.head.status, status[kind]);
            if round >= WARM {
                times[kind].push(Duration::as_secs_f64(&taken) * 1e9);
            }
        }
    }
    times
}

/// The slowest tenth is the machine's, not the server's: both kinds lose it at one and the same bound.
fn cropped(times: &[Vec<f64>; 2]) -> [Vec<f64>; 2] {
    let mut all = times.concat();
    all.sort_by(f64::total_cmp);
    let bound = all[all.len() * 9 / 10];
    [0, 1].map(|kind| times[kind].iter().copied().filter(|time| *time <= bound).collect())
}

/// Welch's t of two samples.
fn welch([one, other]: &[Vec<f64>; 2]) -> f64 {
    let moments = |sample: &[f64]| {
        let count = sample.len() as f64;
        let mean = sample.iter().sum::<f64>() / count;
        let variance = sample.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    };
    let ((mean, error), (other_mean, other_error)) = (moments(one), moments(other));
    (mean - other_mean) / (error + other_error).sqrt()
}

fn median(sample: &[f64]) -> f64 {
    let mut sorted = sample.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// Says what was measured and holds it against the bounds. A machine that is busy may disturb one measurement, so a difference
/// counts when it shows three times.
#[track_caller]
fn expect_alike(server: &TestServer, part: &str, requests: [&str; 2], status: [u16; 2]) {
    let mut seed = 0x5EED_0510;
    let mut told = Vec::new();
    for _ in 0..3 {
        let times = cropped(&measure(server, requests, status, &mut seed));
        let (t, difference) = (welch(&times), (median(&times[0]) - median(&times[1])).abs() / 1000.0);
        told.push(format!("|t| {:.2}, medians differ by {difference:.2} µs", t.abs()));
        if t.abs() < 4.5 && difference < 5.0 {
            return figure("S10", part, &format!("{PAIRS} pairs: {}", told.join("; before: ")), Some(0x5EED_0510));
        }
    }
    panic!("{part}: {told:#?}");
}

fn get(account: &Account) -> String {
    format!("GET /a HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\n\r\n", account.basic())
}

#[test]
fn wrong_logins_of_every_kind_take_the_same_time() {
    if !is_nightly() {
        return skip_nightly("20,000 pairs of wrong logins, five times");
    }
    let clock = TestClock::new();
    let server = Setup::new().clock(&clock).set("log_level", "warn").set("login_failures_per_minute_in_all", 100_000_000).start();
    let account = server.account();
    account.store("/a", b"x");
    let disabled = server.add_account(&[]);
    server.run(&["account", "disable", &disabled.user, "--reason", "a test"]).expect_exit(0);
    let letters = |letter: &str| letter.repeat(22);
    let unknown = Account { user: "ZZZZZZ".to_owned(), ..account.with_password(&letters("w")) };
    let wrong = account.with_password(&letters("w"));
    let prefix = account.with_password(&format!("{}w", &account.password[..21]));
    let closed = disabled.with_password(&letters("w"));
    expect_alike(&server, "unknown user, wrong password", [&get(&unknown), &get(&wrong)], [401; 2]);
    expect_alike(&server, "wrong password, right but for its end", [&get(&wrong), &get(&prefix)], [401; 2]);
    expect_alike(&server, "wrong password, of a disabled account", [&get(&wrong), &get(&closed)], [401; 2]);
    let session = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let path = account.make_session();
    let token = path.trim_end_matches('/').rsplit('/').next().expect("a token");
    let near = format!("/session/{}{}/", &token[..21], if token.ends_with('x') { 'y' } else { 'x' });
    let far = format!("/session/{}/", letters("A"));
    expect_alike(&server, "unknown token, right but for its end", [&session(&far), &session(&near)], [404; 2]);
    clock.advance(DAY + HOUR);
    expect_alike(&server, "expired token, unknown token", [&session(&path), &session(&far)], [410, 404]);
}

/// Which users there are is not told by the time of a wrong login, either.
#[test]
fn wrong_logins_of_users_take_the_same_time() {
    if !is_nightly() {
        return skip_nightly("20,000 pairs of wrong logins of users, three times");
    }
    let server = Setup::new().set("log_level", "warn").set("login_failures_per_minute_in_all", 100_000_000).start();
    let [ada, bob] = ["ada", "bob"].map(|name| User::add(&server, name, &[]));
    server.run(&["user", "disable", "bob"]).expect_exit(0);
    let post = |name: &str| {
        let wrong = User { name: name.to_owned(), api_key: "0".repeat(32), ..ada.clone() };
        let body = wrong.by_api_key().to_string();
        format!("POST /v2.0/tokens HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    expect_alike(&server, "unknown user, wrong key", [&post("eve"), &post(&ada.name)], [401; 2]);
    expect_alike(&server, "wrong key, of a disabled user", [&post(&ada.name), &post(&bob.name)], [401; 2]);
    expect_alike(&server, "unknown user, what is no name", [&post("eve"), &post("e e")], [401; 2]);
}

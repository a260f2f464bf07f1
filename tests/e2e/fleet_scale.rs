//! Many machines: lists stay quick, and long polls are cheap and woken at once.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::support::figure::figure;
use crate::support::fleet::Api;
use crate::support::raw::Raw;
use crate::support::server::TestServer;
use crate::support::user::User;
use crate::support::{SOON, is_nightly};

/// Of a list, from the request to its last byte.
const LIST_MILLIS: u128 = 200;
const POLLS: usize = 2_000;
const POLLS_BYTES: u64 = 100 << 20;
const WAKE: Duration = Duration::from_secs(2);

/// A server with that many machines and runs. The snapshots have no blobs, so they come after it has looked for those.
fn filled(tenants: usize, runs: usize) -> TestServer {
    let server = TestServer::start();
    server.await_log("rows and blobs were reconciled");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/fleet_scale/fill.py");
    let rows = server.home().join("rows.db");
    let filled = Command::new("python3").arg(script).arg(&rows).args([tenants, runs].map(|count| count.to_string())).output();
    let filled = filled.expect("python runs");
    assert!(filled.status.success(), "{}", String::from_utf8_lossy(&filled.stderr));
    // By the same library as the server's: an older one may not share its log with it.
    let catalog = rusqlite::Connection::open(server.data().join("catalog.db")).expect("the catalog opens");
    let attach = format!("PRAGMA busy_timeout = 60000; PRAGMA synchronous = OFF; ATTACH '{}' AS more;", rows.display());
    catalog.execute_batch(&attach).expect("the rows are there");
    for table in ["accounts", "retentions", "generations", "agents", "configurations", "runs", "files"] {
        let names: String = catalog
            .query_row("SELECT group_concat(name, ', ') FROM pragma_table_info(?1, 'more')", [table], |row| row.get(0))
            .expect("a table has columns");
        catalog
            .execute(&format!("INSERT INTO main.{table} ({names}) SELECT {names} FROM more.{table}"), [])
            .expect("the rows are inserted");
    }
    let numbers =
        "UPDATE counters SET value = 20000000 WHERE name = 'ids'; UPDATE counters SET value = 1000000 WHERE name = 'work'; ANALYZE main;";
    catalog.execute_batch(numbers).expect("the numbers are raised");
    server
}

fn resident_bytes(server: &TestServer) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("the server runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory is told");
    line.split_whitespace().next().and_then(|number| number.parse::<u64>().ok()).expect("a number of KiB") * 1024
}

#[test]
fn lists_of_a_tenant_are_quick_among_a_million_runs() {
    let runs = if is_nightly() { 1_000_000 } else { 200_000 };
    let server = filled(100, runs);
    let api = Api::of(&User::add(&server, "ada", &["--tenant", "t7"]));
    let mut slowest = Vec::new();
    for (path, entries) in [
        ("/user/agents", 100),
        ("/backup-configuration", 200),
        ("/activity", runs / 100),
        ("/system/activity/1000700", runs / 10_000),
        ("/backup/availableforrestore", 200),
        ("/backup/completed/2001400", runs / 20_000),
        ("/backup-configuration/system/1000700", 2),
    ] {
        let mut best = u128::MAX;
        for _ in 0..5 {
            let began = Instant::now();
            let answer = api.get(path);
            best = best.min(began.elapsed().as_millis());
            assert_eq!(answer.expect(200).json().as_array().map(Vec::len), Some(entries), "{path}");
        }
        slowest.push((best, path));
    }
    slowest.sort_unstable();
    let (millis, path) = *slowest.last().expect("there are lists");
    figure(
        "Fleet",
        "lists",
        &format!("10,000 agents, 20,000 configurations, {runs} runs: {path} takes {millis} ms, the others less"),
        None,
    );
    assert!(millis < LIST_MILLIS, "{slowest:?}");
}

/// Each poll is a connection of this process.
fn raise_descriptors() {
    let granted = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: granted.maximum, ..granted }).expect("a process may have as many as it is granted");
}

#[test]
fn two_thousand_polls_cost_little_and_are_woken_within_two_seconds() {
    raise_descriptors();
    let server = filled(20, 1_000);
    let users: Vec<Api> =
        (0..20).map(|tenant| Api::of(&User::add(&server, &format!("u{tenant}"), &["--tenant", &format!("t{tenant}")]))).collect();
    let key = |number: usize| STANDARD.encode(Sha256::digest(format!("agent {number}")));
    let ask = |raw: &mut Raw, number: usize, tag: &str| {
        raw.send(format!(
            "GET /agent/v1/work?wait=60 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nStrongroom-Incarnation: 1\r\n{tag}\r\n",
            key(number)
        ));
    };
    let mut polls: Vec<(Raw, String)> = (0..POLLS)
        .map(|number| {
            let mut raw = Raw::connect(&server);
            ask(&mut raw, number, "");
            let answer = raw.answer(SOON).expect("an answer");
            assert_eq!(answer.head.status, 200);
            let tag = answer.head.header("etag").expect("a tag").to_owned();
            (raw, tag)
        })
        .collect();
    let before = resident_bytes(&server);
    for (number, (raw, tag)) in polls.iter_mut().enumerate() {
        ask(raw, number, &format!("If-None-Match: {tag}\r\n"));
    }
    // Whoever is not held yet is answered all the same: by what is new.
    let held_bytes = resident_bytes(&server).saturating_sub(before);
    let began = Instant::now();
    for user in &users {
        user.post("/user/wakeupagents", &json!(null)).expect(200);
    }
    let woken = polls.iter_mut().filter_map(|(raw, _)| raw.answer(SOON)).filter(|answer| answer.head.status == 200).count();
    let took = began.elapsed();
    let text = format!("{POLLS} polls hold {} MB; all woken within {} ms of the first call", held_bytes >> 20, took.as_millis());
    figure("Fleet", "long polls", &text, None);
    assert_eq!(woken, POLLS);
    assert!(held_bytes < POLLS_BYTES && took < WAKE, "{text}");
}

//! Crashes: the process is killed under load, again and again, and nothing that was acknowledged is lost.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::support::account::Account;
use crate::support::figure::figure;
use crate::support::raw::Raw;
use crate::support::server::TestServer;
use crate::support::tree::random;
use crate::support::{SOON, is_nightly, say, tree, wait_until};

const UPLOADERS: u64 = 16;
const SIZES: [usize; 5] = [0, 1, 4 << 10, 1 << 20, 64 << 20];

/// What the clients know: names that were acknowledged, and names that were tried, with the seed of their bytes and their length.
#[derive(Default)]
struct Known {
    kept: BTreeMap<String, (u64, usize)>,
    tried: BTreeMap<String, (u64, usize)>,
}

#[test]
fn no_acknowledged_file_is_lost_by_kills_under_load() {
    let mut server = TestServer::start();
    server.expect_error("did not end cleanly");
    let account = server.account();
    let known = Mutex::new(Known::default());
    let mut seed = 0x5EED_0002;
    let first_seed = seed;
    say(&format!("seed {seed:#x}"));
    let kills = if is_nightly() { 500 } else { 25 };
    let mut slowest = Duration::ZERO;
    for kill in 0..kills {
        kill_under_load(&mut server, &account, &known, kill, random(&mut seed, 400));
        let began = Instant::now();
        server.start_again();
        account.get("/nothing").expect(404);
        slowest = slowest.max(began.elapsed());
        assert!(slowest < Duration::from_secs(10), "the first answer after {slowest:?}");
        wait_until("staging files of the crash are gone", SOON, || server.staging_files().is_empty());
    }
    let known = known.into_inner().expect("no client panicked");
    let listed: BTreeMap<String, u64> = account.list().into_iter().map(|file| (file.name, file.size)).collect();
    // One connection reads it all: forty thousand files are no work for as many processes.
    let mut raw = Raw::connect(&server);
    for (name, (seed, length)) in &known.tried {
        let is_kept = known.kept.contains_key(name);
        if is_kept {
            assert_eq!(listed.get(name), Some(&(*length as u64)), "{name} was acknowledged");
        }
        raw.send(format!("GET {name} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\n\r\n", account.basic()));
        let answer = raw.answer(SOON).unwrap_or_else(|| panic!("{name}: the transfer broke"));
        match answer.head.status {
            200 => assert!(answer.body == tree::bytes(*seed, *length), "{name} is whole"),
            404 if !is_kept => assert!(!listed.contains_key(name), "{name} is listed and absent"),
            other => panic!("{name}: {other}"),
        }
    }
    let (kept, tried) = (known.kept.len(), known.tried.len());
    let text = format!("{kills} kills, {kept} files acknowledged of {tried}: 0 lost, 0 torn, 0 staging files; slowest start {slowest:.0?}");
    figure("D1", "kill -9 under load", &text, Some(first_seed));
    assert!(known.kept.len() > 20, "the load was no load: {} files", known.kept.len());
}

fn kill_under_load(server: &mut TestServer, account: &Account, known: &Mutex<Known>, kill: u64, after_millis: u64) {
    let deadline = Instant::now() + Duration::from_millis(after_millis);
    let port = server.port();
    std::thread::scope(|scope| {
        for client in 0..UPLOADERS {
            scope.spawn(move || upload_until_refused(port, account, known, kill, client));
        }
        // Nothing tells the moment of a crash: it is random, and the seed is printed.
        std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
        server.kill();
    });
}

fn upload_until_refused(port: u16, account: &Account, known: &Mutex<Known>, kill: u64, client: u64) {
    let basic = account.basic();
    for turn in 0.. {
        let seed = (kill * UPLOADERS + client) * 1000 + turn + 1;
        // One client in sixteen sends the large ones; they are there to be cut.
        let length = if client == 0 { SIZES[4] } else { SIZES[usize::try_from(seed % 4).expect("0 to 3")] };
        let name = format!("/{kill}/{client}/{turn}");
        known.lock().expect("no client panics").tried.insert(name.clone(), (seed, length));
        let Some(mut raw) = Raw::try_connect(port) else { return };
        raw.send(format!("PUT {name} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic}\r\nContent-Length: {length}\r\n\r\n"));
        raw.send(tree::bytes(seed, length));
        match raw.answer(SOON).map(|answer| answer.head.status) {
            Some(201) => drop(known.lock().expect("no client panics").kept.insert(name, (seed, length))),
            Some(other) => panic!("{name}: {other}"),
            None => return,
        }
    }
}

#[test]
fn a_second_server_on_one_store_is_refused_and_a_kill_frees_the_lock() {
    let mut server = TestServer::start();
    let account = server.account();
    account.store("/a", b"x");
    // The machine may be busy with other tests: one try of five tells how long the refusal itself takes.
    let tries = (0..5).map(|_| {
        let began = Instant::now();
        let second = server.run(&["serve"]).expect_exit(1);
        (began.elapsed(), second)
    });
    let (quickest, second) = tries.min_by_key(|(took, _)| *took).expect("five tries");
    assert!(quickest < Duration::from_secs(1), "{quickest:?}");
    assert!(second.complaint.contains(&server.pid().to_string()), "the holder is named: {second:?}");
    assert!(second.complaint.contains("in use"), "{second:?}");
    account.expect_file("/a", b"x");
    let rebuild = server.run(&["catalog", "rebuild"]);
    assert_eq!(rebuild.exit, 1, "no rebuild beside a server: {rebuild:?}");
    server.kill();
    let began = Instant::now();
    server.start_again();
    account.expect_file("/a", b"x");
    let text = format!("refused by name in {quickest:.0?}; after a kill the lock was free, serving in {:.0?}", began.elapsed());
    figure("D30", "two servers, one directory", &text, None);
}

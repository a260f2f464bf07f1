//! Disks that report errors: what was not synced is never acknowledged, no sync is tried twice, wrong bytes are never sent, and reading
//! goes on as far as the disk can be read.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::aftermath::look;
use crate::support::clock::TestClock;
use crate::support::disk::Disk;
use crate::support::figure::figure;
use crate::support::loop_disk::{FileSystem, LoopDisk};
use crate::support::press::Press;
use crate::support::raw::Raw;
use crate::support::recorder::Recorder;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::strace::{Strace, Sync};
use crate::support::tree::random;
use crate::support::weak_disk::{Faults, WeakDisk};
use crate::support::{SOON, is_nightly, program, skip, skip_nightly, skip_without_root, tree, wait_until};

/// More syncs than one PUT makes.
const MOST_SYNCS: usize = 40;

#[test]
fn whichever_sync_of_a_put_fails_it_is_not_acknowledged_and_no_sync_follows() {
    if !crate::support::may_look_inside() {
        return;
    }
    if program(&["strace"]).is_none() {
        return skip("strace is not installed");
    }
    let mut server = TestServer::start();
    server.expect_error("");
    let account = server.account();
    account.store("/before", tree::bytes(1, 100_000));
    // An error of the disk, and what a file system says that has given up after one.
    let failed = ["EIO", "EROFS"].map(|errno| fail_each_sync(&mut server, &account.user, errno)).concat().len();
    figure("D6", "each sync of a PUT", &format!("{failed} of {failed} syncs failed once: 0 acknowledged, 0 syncs afterwards"), None);
}

/// As many PUTs as one has syncs; each time another one of them fails.
fn fail_each_sync(server: &mut TestServer, user: &str, errno: &str) -> Vec<Sync> {
    let rule = |when: usize| format!("inject=fsync,fdatasync:error={errno}:when={when}");
    let mut failed = Vec::new();
    // Those of the blob, which one thread makes, and then the catalog's, which another one makes.
    for when in 1..=MOST_SYNCS {
        let Some(sync) = fail_a_sync(server, &format!("/{errno}-{when}/deep/file"), &["-e", &rule(when)]) else { break };
        failed.push(sync);
    }
    let log = server.data().join("catalog.db-wal").display().to_string();
    failed.extend(fail_a_sync(server, &format!("/{errno}-last"), &["-P", &log, "-e", &rule(1)]));
    let names: Vec<&str> = failed.iter().map(|sync| sync.path.rsplit('/').next().unwrap_or_default()).collect();
    assert!(names[1..] == ["deep", &format!("{errno}-3"), user, "blobs", "catalog.db-wal"], "{names:?}");
    failed
}

/// One PUT during which one sync fails; `None` where none did. The server is a new one afterwards.
fn fail_a_sync(server: &mut TestServer, name: &str, rule: &[&str]) -> Option<Sync> {
    let account = server.account();
    let strace = Strace::on(server, rule);
    let status = account.put(name, tree::bytes(2, 10_000)).status();
    let broken = strace.syncs().into_iter().find(|sync| sync.has_failed);
    if broken.is_some() {
        assert_eq!(status, 503, "{broken:?} failed");
        server.site().curl::<&str>(&[], "/health").expect(503);
        account.put("/after", b"x").expect_plain_refusal(503);
        account.expect_file("/before", &tree::bytes(1, 100_000));
        assert!(account.names().contains(&"/before".to_owned()));
    } else {
        assert_eq!(status, 201, "no sync failed");
    }
    assert_eq!(server.stop().code(), Some(0));
    let syncs = strace.until_the_end();
    if let Some(at) = syncs.iter().position(|sync| sync.has_failed) {
        assert_eq!(syncs[at + 1..], [], "nothing is synced after {broken:?}");
    }
    server.start_again();
    wait_until("rows and blobs agree", SOON, || account.names().len() == server.blobs(&account).len());
    broken
}

#[test]
fn a_disk_that_fails_for_a_while_under_many_uploads_loses_nothing() {
    if !LoopDisk::is_possible() {
        return skip_without_root("only root makes a loop disk");
    }
    let rounds = if is_nightly() { 100 } else { 3 };
    let mut seed = 0x5EED_D602;
    let (mut kept, mut failures) = (0, 0);
    for round in 0..rounds {
        let (acknowledged, failed) = fail_for_a_while(round, usize::try_from(random(&mut seed, MOST_BEFORE_AN_ERROR)).expect("small"));
        kept += acknowledged;
        failures += failed;
    }
    let text = format!("{rounds} times, {failures} writes and flushes failed, {kept} files acknowledged: 0 lost, 0 false 201");
    figure("D6", "EIO under 16 uploads", &text, Some(0x5EED_D602));
}

/// Files that are stored before the disk fails, at most.
const MOST_BEFORE_AN_ERROR: u64 = 350;

/// A new store; after `moment` files its disk fails until every client was refused, and then works again as if nothing had been.
fn fail_for_a_while(round: u64, moment: usize) -> (usize, u64) {
    let kind = FileSystem::Ext4;
    let recorder = Recorder::mount(&[kind.disk_bytes()]);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (at, scratch) = (folder.path().join("disk"), folder.path().join("scratch"));
    std::fs::create_dir(&scratch).expect("a folder is made");
    let disk = LoopDisk::make(&recorder.file(0), kind, &at);
    let data = disk.at().join("store");
    let mut server = Setup::new().data(&data).set("disk_reserve", "1 MiB").start();
    server.expect_error("");
    let account = server.account();
    let press = Press::new(&server, TestClock::new());
    press.put_one("/before").expect(201);
    let refused = press.until_refused(&server, round, || {
        // Nothing tells the moment of an error: it is random, and the seed is printed.
        wait_until("the moment of the error has come", SOON, || press.kept() >= moment);
        recorder.set_broken(true);
    });
    assert!(refused.iter().all(|status| [500, 503].contains(status)), "{refused:?}");
    recorder.set_broken(false);
    server.site().curl::<&str>(&[], "/health").expect(503);
    press.put_one("/after").expect_plain_refusal(503);
    account.get("/before").expect(200);
    assert!(account.names().contains(&"/before".to_owned()));
    server.kill();
    disk.unmount();
    drop(server);
    let failures = recorder.failures();
    let disk = LoopDisk::mount(&recorder.file(0), kind, &at).expect("it can be mounted again");
    let work = press.work.into_inner().expect("no client panicked");
    look(&work, 0, &data, &scratch).expect_no_fault(1);
    disk.unmount();
    (work.kept.len(), failures)
}

#[test]
fn reads_that_fail_or_come_short_never_reach_a_client_as_a_whole_file() {
    if !LoopDisk::is_possible() {
        return skip_without_root("only root mounts a file system of ours");
    }
    let downloads = if is_nightly() { 1000 } else { 60 };
    let (disk, port) = (WeakDisk::mount(), crate::support::postgres::free_port());
    let setup = Setup::new().data(&disk.at().join("store")).set("metrics_listen", format!("127.0.0.1:{port}"));
    let mut server = setup.set("scrub_days", 0).start();
    server.expect_error("damaged");
    let account = server.account();
    let files: Vec<(String, Vec<u8>)> = (1..=4).map(|number| (format!("/{number}"), tree::bytes(number, 1_700_000))).collect();
    files.iter().for_each(|(name, bytes)| account.store(name, bytes));
    disk.set_faults(Faults { reads_one_in: Some(6), ..Faults::default() });
    let (mut seed, mut whole, mut broken) = (0x5EED_D701, 0, 0);
    for _ in 0..downloads {
        let (name, bytes) = &files[usize::try_from(random(&mut seed, 4)).expect("small")];
        let first = usize::try_from(random(&mut seed, 1_700_000)).expect("small");
        let is_part = random(&mut seed, 2) == 0;
        let answer = if is_part { account.get_with(&format!("Range: bytes={first}-"), name) } else { account.get(name) };
        let wanted = if is_part { &bytes[first..] } else { &bytes[..] };
        match (answer.status(), answer.exit) {
            (200 | 206, 0) => {
                answer.expect_body(wanted);
                whole += 1;
            }
            // Where the first block is damaged there is no transfer to break, or no head of it was sent.
            (200 | 206, 18 | 56 | 92) | (500, 0) | (0, 52 | 56) => {
                assert!(answer.status() == 500 || wanted.starts_with(&answer.body), "what came before the break is right");
                broken += 1;
            }
            _ => panic!("{answer:?}"),
        }
    }
    assert!(server.is_running() && whole > 0 && broken > 0, "{whole} whole, {broken} broken");
    let metrics = crate::support::curl::curl([format!("http://127.0.0.1:{port}/metrics")]).text();
    assert!(metrics.contains(&format!("damaged_reads_total {broken}\n")), "{broken} broken, but {metrics}");
    let wrong = disk.wrong_reads();
    disk.set_faults(Faults::default());
    files.iter().for_each(|(name, bytes)| account.expect_file(name, bytes));
    let text = format!("{downloads} downloads, {wrong} wrong reads: {whole} whole, {broken} broken off and counted, 0 wrong bytes");
    figure("D7", "EIO and short reads", &text, Some(0x5EED_D701));
}

#[test]
fn a_disk_that_turns_read_only_and_back_needs_no_restart() {
    if !LoopDisk::is_possible() {
        return skip_without_root("only root makes a loop disk");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let _memory = Disk::mount(&folder.path().join("memory"), "size=300m").expect("a disk in memory");
    let image = folder.path().join("memory/image");
    std::fs::File::create(&image).and_then(|file| file.set_len(FileSystem::Ext4.disk_bytes())).expect("an image is made");
    let data = folder.path().join("store");
    // The catalog lies elsewhere: a disk is not made read-only while a file on it is open for writing.
    let disk = LoopDisk::make(&image, FileSystem::Ext4, &data.join("blobs"));
    let server = Setup::new().data(&data).set("disk_reserve", "1 MiB").start();
    let account = server.account();
    account.store("/before", b"kept");
    for _ in 0..2 {
        disk.remount("ro");
        let refused = account.put("/during", b"x");
        refused.expect_plain_refusal(503);
        assert!(refused.header("retry-after").is_some(), "{refused:?}");
        account.expect_file("/before", b"kept");
        account.make_session();
        disk.remount("rw");
    }
    account.store("/during", b"x");
    account.expect_file("/during", b"x");
    figure("D15", "read-only and back", "2 times: 503 while it lasts, reading goes on, 201 again without a restart", None);
    drop(server);
}

#[test]
fn an_unplugged_disk_is_503_and_a_restart_on_it_finds_everything() {
    if !LoopDisk::is_possible() {
        return skip_without_root("only root mounts a file system of ours");
    }
    let (disk, clock) = (WeakDisk::mount(), TestClock::new());
    let mut server = Setup::new().clock(&clock).data(&disk.at().join("store")).start();
    server.expect_error("");
    let press = Press::new(&server, clock);
    press.put_one("/before").expect(201);
    let refused = press.until_refused(&server, 0, || {
        wait_until("uploads are under way", SOON, || press.kept() > 50);
        disk.unplug();
    });
    assert!(refused.iter().all(|status| *status == 503), "{refused:?}");
    press.put_one("/after").expect_plain_refusal(503);
    let get = server.account().get("/before");
    assert!([200, 503].contains(&get.status()), "{get:?}");
    server.site().curl::<&str>(&[], "/health").expect(503);
    assert!(server.is_running());
    server.kill();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let left = folder.path().join("left");
    disk.crash().1.write_to(&left);
    drop((server, disk));
    let work = press.work.into_inner().expect("no client panicked");
    look(&work, 0, &left.join("store"), folder.path()).expect_no_fault(1);
    figure("D15", "unplugged", &format!("503 while it lasts, {} acknowledged: 0 lost", work.kept.len()), None);
}

#[test]
fn uploads_that_wait_for_a_slow_disk_keep_nobody_else_waiting() {
    if !is_nightly() {
        return skip_nightly("600 uploads on a slow disk");
    }
    if !LoopDisk::is_possible() {
        return skip_without_root("only root mounts a file system of ours");
    }
    let disk = WeakDisk::mount();
    let server = Setup::new().data(&disk.at().join("store")).start();
    let account = server.account();
    account.store("/small", b"x");
    disk.set_faults(Faults { sync_delay: Duration::from_secs(2), ..Faults::default() });
    let (mut waits, uploads) = (Vec::new(), AtomicUsize::new(600));
    std::thread::scope(|scope| {
        for client in 0..600 {
            let (account, port, uploads) = (&account, server.port(), &uploads);
            scope.spawn(move || {
                let mut raw = Raw::connect_port(port);
                let head = format!("PUT /{client} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\n", account.basic());
                raw.send(format!("{head}Content-Length: 1\r\n\r\nx"));
                let answer = raw.answer(3 * SOON);
                uploads.fetch_sub(1, Ordering::SeqCst);
                assert_eq!(answer.map(|answer| answer.head.status), Some(201), "{client}");
            });
        }
        wait_until("many uploads wait for the disk", SOON, || disk.slow_syncs() > 100);
        while uploads.load(Ordering::SeqCst) > 0 {
            for path in ["/", "/small"] {
                let began = Instant::now();
                account.get(path).expect(200);
                waits.push(began.elapsed());
            }
        }
    });
    waits.sort_unstable();
    let slow = waits[waits.len() * 99 / 100];
    assert!(waits.len() > 20 && slow < Duration::from_secs(1), "{} requests, p99 {slow:?}", waits.len());
    assert_eq!(account.names().len(), 601);
    figure("D14", "600 uploads in slow syncs", &format!("p99 of {} small requests {} ms", waits.len(), slow.as_millis()), None);
}

//! Disks that are full or broken: no false 201, reading goes on, and what was kept stays kept.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::support::account::Account;
use crate::support::clock::{DAY, TestClock};
use crate::support::disk::Disk;
use crate::support::figure::figure;
use crate::support::raw::Raw;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{SOON, program, skip, skip_without_root, tree, wait_until};

const MIB: u64 = 1 << 20;

/// Sends one upload on a connection of its own; its status.
fn put(server: &TestServer, account: &Account, name: &str, bytes: &[u8]) -> u16 {
    let mut raw = Raw::connect(server);
    let basic = account.basic();
    raw.send(format!("PUT {name} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {basic}\r\nContent-Length: {}\r\n\r\n", bytes.len()));
    raw.send(bytes).answer(SOON).map_or(0, |answer| answer.head.status)
}

#[test]
fn a_full_disk_is_507_reading_goes_on_and_freed_space_is_used_again() {
    if !Disk::is_possible() {
        return skip_without_root("only root mounts a small disk");
    }
    for (medium, disk) in [("tmpfs", "size=64m"), ("ext4", "ext4:64m")] {
        let clock = TestClock::new();
        let mut server = Setup::new().clock(&clock).disk(disk).set("disk_reserve", "16 MiB").start();
        server.expect_error("full");
        let account = server.account();
        let (mut kept, mut refused) = (Vec::new(), 0);
        for number in 0_u64..300 {
            // Ever smaller ones, so that the last of them go to the very edge.
            let length = usize::try_from((number % 5 + 1) * MIB / 2).expect("small") >> (number / 50);
            let (name, bytes) = (format!("/{number}"), tree::bytes(number, length));
            match put(&server, &account, &name, &bytes) {
                201 => kept.push((name, bytes)),
                507 => refused += 1,
                other => panic!("{medium}, {name}: {other}"),
            }
        }
        assert!(kept.len() > 10 && refused > 10, "{} kept, {refused} refused", kept.len());
        let free = server.disk().free_bytes();
        assert!(free >= 15 * MIB, "the reserve is left alone: {free}");
        account.put_with(&["-H", "Transfer-Encoding: chunked"], "/chunked", b"x").expect(411);
        account.make_session();
        assert_eq!(account.names().len(), kept.len());
        for (name, bytes) in &kept {
            account.expect_file(name, bytes);
        }
        let filler = server.data().join("filler");
        // Somebody else takes the rest: there is nothing left at all.
        let to = format!("of={}", filler.display());
        let filled = Command::new("dd").args(["if=/dev/zero", "bs=64k", &to]).stderr(Stdio::null()).status();
        assert!(!filled.expect("dd runs").success() && server.disk().free_bytes() < 64 << 10, "the disk is full");
        account.put("/none", b"x").expect_plain_refusal(507);
        account.expect_file(&kept[0].0, &kept[0].1);
        assert_eq!(account.names().len(), kept.len());
        std::fs::remove_file(&filler).expect("space is freed");
        wait_until("freed space is used again", SOON, || server.disk().free_bytes() >= 16 * MIB - (64 << 10));
        clock.advance(31 * DAY);
        wait_until("expiry frees the disk", SOON, || server.blobs(&account).is_empty());
        assert_eq!(put(&server, &account, "/after", b"without a restart"), 201);
        account.expect_file("/after", b"without a restart");
        let text = format!(
            "300 uploads: {} × 201, {refused} × 507, nothing else; {free} bytes of reserve left; GET, list, session, expiry work; then 201",
            kept.len()
        );
        figure("D9", medium, &text, None);
    }
}

#[test]
fn a_disk_without_inodes_is_507_too() {
    if !Disk::is_possible() {
        return skip_without_root("only root mounts a small disk");
    }
    let mut server = Setup::new().disk("size=64m,nr_inodes=100").set("disk_reserve", "1 MiB").start();
    server.expect_error("full");
    let account = server.account();
    let statuses: Vec<u16> = (0..120).map(|number| account.put(&format!("/{number}"), b"x").status()).collect();
    assert!(statuses.iter().all(|status| [201, 507].contains(status)), "{statuses:?}");
    let kept = statuses.iter().filter(|status| **status == 201).count();
    assert!(kept > 20 && kept < 120, "{kept}");
    assert_eq!(account.names().len(), kept);
    account.expect_file("/0", b"x");
    figure("D10", "inodes", &format!("120 uploads on a disk of 100 inodes: {kept} × 201, all others 507"), None);
}

#[test]
fn a_quota_is_507_and_no_other_account_feels_it() {
    let server = TestServer::start();
    let bounded = server.add_account(&["--quota", "1 MiB"]);
    let statuses: Vec<u16> = (0..20).map(|number| put(&server, &bounded, &format!("/{number}"), &tree::bytes(number, 100_000))).collect();
    assert!(statuses.iter().all(|status| [201, 507].contains(status)), "{statuses:?}");
    let kept = statuses.iter().filter(|status| **status == 201).count();
    assert_eq!(kept, 10, "104,096 bytes each");
    assert_eq!(put(&server, &server.account(), "/a", b"x"), 201);
    figure("D10", "quota", &format!("20 uploads of 100,000 bytes into 1 MiB: {kept} × 201, all others 507"), None);
}

#[test]
fn a_limit_on_file_sizes_of_the_process_does_not_kill_it() {
    if program(&["prlimit"]).is_none() {
        return skip("prlimit is not installed");
    }
    let mut server = Setup::new().under(&["prlimit", "--fsize=1048576:1048576"]).start();
    server.expect_error("full");
    let account = server.account();
    account.store("/small", tree::bytes(1, 500_000));
    account.put("/large", tree::bytes(2, 3_000_000)).expect_plain_refusal(507);
    assert!(server.is_running());
    account.expect_file("/small", &tree::bytes(1, 500_000));
    assert_eq!(account.names(), ["/small"]);
    figure("D10", "file-size limit", "beyond RLIMIT_FSIZE 507, the process lives and serves", None);
}

/// strace on the running server: every sync fails from now on.
fn break_syncs(server: &TestServer) -> Child {
    let mut strace = Command::new("strace")
        .args([
            "-f",
            "-e",
            "trace=fsync,fdatasync,syncfs",
            "-e",
            "inject=fsync,fdatasync,syncfs:error=EIO",
            "-p",
            &server.pid().to_string(),
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("strace runs");
    let mut lines = BufReader::new(strace.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("attached")), "strace attaches");
    std::thread::spawn(move || lines.for_each(drop));
    strace
}

#[test]
fn after_an_error_of_the_disk_nothing_is_written_until_a_restart() {
    if !crate::support::may_look_inside() {
        return;
    }
    if program(&["strace"]).is_none() {
        return skip("strace is not installed");
    }
    let mut server = TestServer::start();
    for part in ["suspended", "disk", "sync", "not end cleanly", "stored", "time"] {
        server.expect_error(part);
    }
    let account = server.account();
    account.store("/before", b"kept");
    let mut strace = break_syncs(&server);
    let refused = account.put("/during", b"never acknowledged");
    refused.expect_plain_refusal(503);
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    strace.kill().expect("strace ends");
    strace.wait().expect("strace ends");
    account.put("/after", b"the disk may lie now").expect_plain_refusal(503);
    account.expect_file("/before", b"kept");
    assert_eq!(account.names(), ["/before"]);
    server.site().curl::<&str>(&[], "/health").expect(503);
    server.restart();
    account.store("/after", b"x");
    account.expect_file("/before", b"kept");
    // It was not acknowledged: it may be there whole, or not at all.
    wait_until("rows and blobs agree", SOON, || account.names().len() == server.blobs(&account).len());
}

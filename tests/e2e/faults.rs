//! Disks that are full or broken: no false 201, reading goes on, and what was kept stays kept.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::support::disk::Disk;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::{SOON, program, say, skip, tree, wait_until};

const MIB: u64 = 1 << 20;

#[test]
fn a_full_disk_is_507_reading_goes_on_and_freed_space_is_used_again() {
    if !Disk::is_possible() {
        return skip("only root mounts a small disk");
    }
    let mut server = Setup::new().disk("size=64m").set("disk_reserve", "16 MiB").start();
    server.expect_error("full");
    let account = server.account();
    let (mut kept, mut refused) = (Vec::new(), 0);
    for number in 0_u64..60 {
        let (name, bytes) = (format!("/{number}"), tree::bytes(number, usize::try_from((number % 5 + 1) * MIB / 2).expect("small")));
        match account.put(&name, &bytes).status() {
            201 => kept.push((name, bytes)),
            507 => refused += 1,
            other => panic!("{name}: {other}"),
        }
    }
    say(&format!("{} kept, {refused} refused, {} bytes free", kept.len(), server.disk().free_bytes()));
    assert!(kept.len() > 10 && refused > 10);
    assert!(server.disk().free_bytes() >= 15 * MIB, "the reserve is left alone");
    let filler = server.data().join("filler");
    // Somebody else takes the rest: there is nothing left at all.
    let filled = Command::new("dd").args(["if=/dev/zero", "bs=64k"]).arg(format!("of={}", filler.display())).stderr(Stdio::null()).status();
    assert!(!filled.expect("dd runs").success() && server.disk().free_bytes() == 0, "the disk is full");
    account.put("/none", b"x").expect_plain_refusal(507);
    for (name, bytes) in &kept {
        account.expect_file(name, bytes);
    }
    assert_eq!(account.names().len(), kept.len());
    std::fs::remove_file(&filler).expect("space is freed");
    std::fs::remove_file(&server.blobs(&account)[0]).expect("space is freed");
    account.store("/after", b"without a restart");
    account.expect_file("/after", b"without a restart");
    server.expect_error("damage");
    server.expect_error("missing");
}

#[test]
fn a_disk_without_inodes_is_507_too() {
    if !Disk::is_possible() {
        return skip("only root mounts a small disk");
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

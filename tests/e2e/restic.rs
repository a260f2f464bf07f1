//! Stock restic against a vault: everything its user does, and everything an attacker does with a stolen access URL.

use std::path::Path;

use crate::support::account::Account;
use crate::support::clock::{DAY, SECOND, TestClock};
use crate::support::figure::figure;
use crate::support::raw::Raw;
use crate::support::restic::{Restic, contents};
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::tree::{self, random, sha256};
use crate::support::{SOON, is_nightly, skip, wait_until};

fn vault(server: &TestServer) -> Account {
    server.add_account(&["--kind", "vault"])
}

/// A tree with some folders and files; `seed` makes it another one.
fn plant(folder: &Path, seed: u64) {
    for number in 0..12 {
        let below = folder.join(format!("folder {}", number % 3));
        std::fs::create_dir_all(&below).expect("a folder is made");
        let length = usize::try_from((number + 1) * 40_000).expect("it fits");
        std::fs::write(below.join(format!("file {number}")), tree::bytes(seed * 100 + number, length)).expect("a file is written");
    }
    std::fs::write(folder.join("text"), format!("tree {seed}")).expect("a file is written");
}

fn planted(seed: u64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    plant(folder.path(), seed);
    folder
}

/// restic on a new repository; `None`, with a loud line, where it is not installed.
fn repository(account: &Account, path: &str) -> Option<Restic> {
    let restic = Restic::new(account, path);
    match &restic {
        Some(restic) => drop(restic.ok(&["init"])),
        None => skip("restic is not installed"),
    }
    restic
}

#[test]
fn a_repository_is_used_with_every_command() {
    for server in TestServer::each_catalog() {
        let account = vault(&server);
        let Some(restic) = repository(&account, "/web/") else { return };
        assert!(restic.run(&["init"]).exit != 0, "it is there already");
        let tree = planted(1);
        restic.backup(tree.path());
        let first = restic.list("snapshots").remove(0);
        std::fs::write(tree.path().join("text"), "changed").expect("a file is written");
        std::fs::write(tree.path().join("new"), tree::bytes(77, 300_000)).expect("a file is written");
        restic.backup(tree.path());
        assert!(restic.ok(&["check", "--read-data"]).contains("no errors were found"));
        restic.expect_restored(tree.path());
        let second = restic.list("snapshots").into_iter().find(|id| *id != first).expect("there are two");
        let diff = restic.ok(&["diff", &first, &second]);
        assert!(diff.contains("/new") && diff.contains("/text"), "{diff}");
        assert!(restic.ok(&["ls", "latest"]).contains("/folder 0/file 0"));
        assert!(restic.ok(&["find", "new"]).contains("/new"));
        restic.ok(&["cat", "snapshot", &first]);
        restic.ok(&["stats"]);
        let new_password = tree.path().join("new password");
        std::fs::write(&new_password, "battery staple").expect("a file is written");
        restic.ok(&["key", "add", "--new-password-file", &new_password.display().to_string()]);
        let other = restic.clone().with_password("battery staple");
        let key = |restic: &Restic| restic.list("keys");
        assert_eq!(key(&other).len(), 2);
        restic.ok(&["key", "passwd", "--new-password-file", &new_password.display().to_string()]);
        assert!(restic.run(&["snapshots"]).exit != 0, "the old password opens nothing any more");
        let keys = other.ok(&["key", "list"]);
        let spare = keys.lines().filter(|line| line.starts_with(' ')).find_map(|line| line.split_whitespace().next());
        if let Some(spare) = spare.filter(|id| id.len() >= 8) {
            other.ok(&["key", "remove", spare]);
            assert_eq!(key(&other).len(), 1);
        }
        other.ok(&["forget", "--keep-last", "1", "--prune"]);
        assert_eq!(other.list("snapshots"), [second]);
        assert!(other.ok(&["check", "--read-data"]).contains("no errors were found"));
        assert!(other.list("locks").is_empty());
        server.run(&["check"]).expect_exit(0);
    }
}

#[test]
fn snapshots_are_copied_between_vaults() {
    let server = TestServer::start();
    let (one, two) = (vault(&server), vault(&server));
    let (Some(from), Some(to)) = (repository(&one, "/"), repository(&two, "/copies/")) else { return };
    let tree = planted(2);
    from.backup(tree.path());
    to.ok(&["copy", "--from-repo", &format!("rest:{}", one.url("/"))]);
    to.expect_restored(tree.path());
    assert!(to.ok(&["check", "--read-data"]).contains("no errors were found"));
}

#[test]
fn two_clients_work_on_one_repository_at_once() {
    let server = TestServer::start();
    let account = vault(&server);
    let Some(restic) = repository(&account, "/") else { return };
    let trees: Vec<_> = (10..14).map(planted).collect();
    std::thread::scope(|scope| {
        for tree in &trees {
            let restic = &restic;
            scope.spawn(move || restic.backup(tree.path()));
        }
    });
    assert_eq!(restic.list("snapshots").len(), 4);
    assert!(restic.ok(&["check", "--read-data"]).contains("no errors were found"));
    server.run(&["check"]).expect_exit(0);
}

/// Whatever was answered when the client died is there for the next try.
#[test]
fn an_interrupted_backup_is_finished_by_the_next() {
    let mut server = TestServer::start();
    let account = vault(&server);
    let Some(restic) = repository(&account, "/") else { return };
    let tree = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(tree.path().join("large"), tree::bytes(5, 60 << 20)).expect("a file is written");
    let path = tree.path().display().to_string();
    for round in 0..2 {
        let mut client = restic.begin(&["backup", &path]);
        wait_until("some of it is stored", SOON, || {
            !server.blobs(&account).is_empty() && account.get("/data/").text().len() > 70 + round * 70
        });
        if round == 0 {
            client.kill().expect("it runs");
        } else {
            server.kill();
            // It would try again for a quarter of an hour.
            client.kill().expect("it has not given up yet");
        }
        let _ = client.wait();
    }
    server.start_again();
    let restic = restic.moved(&account, "/");
    restic.ok(&["unlock", "--remove-all"]);
    restic.backup(tree.path());
    restic.expect_restored(tree.path());
    assert!(restic.ok(&["check", "--read-data"]).contains("no errors were found"));
    wait_until("no staging file is left", SOON, || server.staging_files().is_empty());
}

#[test]
fn a_session_restores_without_the_password_of_the_account() {
    let server = TestServer::start();
    let account = vault(&server);
    let Some(restic) = repository(&account, "/web/") else { return };
    let tree = planted(3);
    restic.backup(tree.path());
    let session = account.make_session();
    let restic = Restic::at(format!("rest:{}{session}web/", server.site().origin())).expect("restic is there");
    restic.expect_restored(tree.path());
}

/// A stolen access URL does its worst. The day before restores with nothing but restic, and a revival makes the vault whole.
#[test]
fn an_attacker_with_the_access_url_takes_nothing_away() {
    let clock = TestClock::new();
    let server = Setup::new().clock(&clock).start();
    let account = vault(&server);
    let Some(restic) = repository(&account, "/") else { return };
    let trees = [planted(20), planted(21)];
    for tree in &trees {
        restic.backup(tree.path());
        clock.advance(DAY);
    }
    let yesterday = clock.time();
    clock.advance(SECOND);
    let names = account.names();

    let old = restic.list("snapshots");
    for id in &old {
        restic.ok(&["forget", id]);
    }
    restic.ok(&["prune"]);
    for kind in ["keys", "index", "data", "snapshots"] {
        let listed: Vec<String> = serde_json::from_slice(&account.get(&format!("/{kind}/")).body).expect("it is a list");
        for id in listed {
            account.curl(&["-X", "DELETE"], &format!("/{kind}/{id}")).expect(200);
        }
    }
    account.curl(&["-X", "DELETE"], "/config").expect(403);
    account.curl(&["-X", "POST", "--data-binary", "mine"], "/config").expect(403);
    for kind in ["index", "keys", "snapshots", "data"] {
        for number in 0..5 {
            let garbage = format!("garbage {number}");
            account.curl(&["-X", "POST", "--data-binary", &garbage], &format!("/{kind}/{}", sha256(garbage.as_bytes()))).expect(200);
        }
    }
    let mut flood = Raw::connect(&server);
    for number in 0..300 {
        let lock = format!("{{\"lock\":{number}}}");
        let head = format!(
            "POST /locks/{} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {}\r\nContent-Length: {}\r\n\r\n{lock}",
            sha256(lock.as_bytes()),
            account.basic(),
            lock.len()
        );
        flood.send(head);
        assert_eq!(flood.answer(SOON).map(|answer| answer.head.status), Some(200));
    }
    let locks: Vec<String> = serde_json::from_slice(&account.get("/locks/").body).expect("it is a list");
    assert_eq!(locks.len(), 200);
    assert!(restic.run(&["snapshots", "--no-lock"]).exit != 0, "the attack has worked, as far as it goes");

    let listed: serde_json::Value = serde_json::from_slice(&account.get("/@/").body).expect("it is a list");
    let burst = listed[0]["before"].as_str().expect("the time to open");
    for time in [yesterday.as_str(), burst] {
        let view = restic.moved(&account, &format!("/@{time}/"));
        assert_eq!(view.list("snapshots").len(), 2);
        view.expect_restored(trees[1].path());
        let first = tempfile::tempdir().expect("a temporary folder");
        view.ok(&["restore", &old[0], "--target", &first.path().display().to_string()]);
        assert!(view.ok(&["check", "--read-data"]).contains("no errors were found"));
    }

    let revived = server.run(&["vault", "revive", &account.user, "--at", &yesterday]).expect_exit(0).out;
    assert!(revived.contains("20 were hidden"), "{revived}");
    assert_eq!(account.names(), names);
    clock.advance(DAY);
    let tree = planted(22);
    restic.backup(tree.path());
    restic.expect_restored(tree.path());
    assert_eq!(restic.list("snapshots").len(), 3);
    assert!(restic.ok(&["check", "--read-data"]).contains("no errors were found"));
    let deleted = listed[0]["files"].as_u64().expect("a number");
    figure(
        "attack",
        "restic",
        &format!("{deleted} files deleted, 20 of garbage, 300 locks: 0 bytes lost, 2 of 2 snapshots restored, revived"),
        None,
    );
}

/// Every day a changed tree, a backup and `forget --prune`; then every one of the last 30 days is restored from its dated view.
#[test]
fn every_day_of_the_retention_restores_byte_for_byte() {
    let days: usize = if is_nightly() { 40 } else { 6 };
    let clock = TestClock::new();
    let server = Setup::new().clock(&clock).start();
    let account = vault(&server);
    let Some(restic) = repository(&account, "/") else { return };
    let tree = planted(30);
    let mut seed = 4_711;
    let mut kept = Vec::new();
    for day in 0..days {
        let changed = tree.path().join(format!("folder {}/file {}", day % 3, day % 3));
        std::fs::write(changed, tree::bytes(random(&mut seed, 1 << 40), 200_000)).expect("a file is written");
        std::fs::write(tree.path().join("text"), format!("day {day}")).expect("a file is written");
        // restic goes by its own clock, which nobody moves.
        let time = clock.time().replace('T', " ").replace('Z', "");
        restic.ok(&["backup", "--quiet", "--time", &time, &tree.path().display().to_string()]);
        restic.ok(&["forget", "--keep-daily", "3", "--prune", "--quiet"]);
        clock.advance(SECOND);
        kept.push((clock.time(), contents(tree.path())));
        clock.advance(DAY);
    }
    let within: Vec<_> = kept.iter().rev().take(29).collect();
    for (time, expected) in &within {
        let (_folder, restored) = restic.moved(&account, &format!("/@{time}/")).restored(tree.path());
        assert_eq!(contents(&restored), *expected, "{time}");
    }
    assert!(restic.list("snapshots").len() <= 3);
    server.run(&["check"]).expect_exit(0);
    figure(
        "vault",
        "a month of days",
        &format!("{days} days of backup and forget --prune: {} of {} views restored byte for byte", within.len(), within.len()),
        None,
    );
}

//! What an attacker does with a stolen access URL, and how everything is had back.

use crate::support::SOON;
use crate::support::clock::{DAY, SECOND, TestClock};
use crate::support::figure::figure;
use crate::support::raw::Raw;
use crate::support::restic::{planted, repository, vault};
use crate::support::setup::Setup;
use crate::support::tree::sha256;

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

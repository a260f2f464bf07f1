//! Stock restic against a vault: everything its user does.

use crate::support::restic::{Restic, planted, repository, vault};
use crate::support::server::TestServer;
use crate::support::{SOON, tree, wait_until};

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

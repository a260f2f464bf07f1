//! The vault commands and stock restic on one repository: each reads what the other wrote.

use crate::support::restic::{Restic, contents, vault};
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::skip;
use crate::support::tree;
use crate::support::vault::{Vault, entries, planted};

fn restic_says(restic: &Restic, arguments: &[&str]) -> String {
    restic.ok(&[arguments, &["--no-cache"]].concat())
}

#[test]
fn restic_reads_what_we_wrote() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let repository = place.path().join("repository").display().to_string();
    let Some(restic) = Restic::at(repository.clone()) else { return skip("restic is not installed") };
    let vault = Vault::at(repository);
    vault.ok(&["init"]);
    let tree = planted(20);
    let first = vault.backup(tree.path());
    std::fs::write(tree.path().join("text"), "changed").expect("a file is written");
    std::fs::write(tree.path().join("new"), tree::bytes(78, 3_000_000)).expect("a file is written");
    let second = vault.backup(tree.path());
    assert!(restic_says(&restic, &["check", "--read-data"]).contains("no errors were found"));
    let diff = restic_says(&restic, &["diff", &first, &second]);
    assert!(diff.contains("/new") && diff.contains("/text") && !diff.contains("/object.o"), "{diff}");
    assert!(restic_says(&restic, &["ls", "latest"]).contains("/folder 0/file 0"));
    restic.expect_restored(tree.path());
    let (_folder, restored) = restic.restored(tree.path());
    assert_eq!(entries(&restored), entries(tree.path()));
    restic_says(&restic, &["forget", "--keep-last", "1", "--prune"]);
    vault.ok(&["check", "--read-data"]);
    vault.expect_restored("latest", tree.path());
}

#[test]
fn we_read_what_restic_wrote_in_both_versions() {
    for version in ["1", "2"] {
        let place = tempfile::tempdir().expect("a temporary folder");
        let repository = place.path().join("repository").display().to_string();
        let Some(restic) = Restic::at(repository.clone()) else { return skip("restic is not installed") };
        restic.ok(&["init", "--repository-version", version]);
        let tree = planted(21);
        restic.backup(tree.path());
        let vault = Vault::at(repository);
        vault.expect_restored("latest", tree.path());
        vault.ok(&["check", "--read-data"]);
        assert!(vault.ls(&["latest"]).len() > 16);
        // What restic saved is the parent of what we save.
        let report = vault.json(&["backup", &tree.path().display().to_string()]);
        assert_eq!((report["files_new"].as_u64(), report["data_blobs"].as_u64()), (Some(0), Some(0)), "{report}");
        vault.ok(&["forget", "--keep-last", "1", "--prune"]);
        assert!(restic_says(&restic, &["check", "--read-data"]).contains("no errors were found"));
        restic.expect_restored(tree.path());
    }
}

#[test]
fn both_write_in_turn_and_at_once() {
    for server in TestServer::each_catalog() {
        let account = vault(&server);
        let Some(restic) = Restic::new(&account, "/web/") else { return skip("restic is not installed") };
        let vault = Vault::of(&account, "/web/");
        vault.ok(&["init"]);
        let trees: Vec<_> = (30..34).map(planted).collect();
        for tree in &trees {
            vault.backup(tree.path());
            restic.backup(tree.path());
        }
        std::thread::scope(|scope| {
            for (number, tree) in trees.iter().enumerate() {
                let (vault, restic) = (&vault, &restic);
                std::fs::write(tree.path().join("more"), tree::bytes(number as u64, 2_000_000)).expect("a file is written");
                scope.spawn(move || if number % 2 == 0 { drop(vault.backup(tree.path())) } else { restic.backup(tree.path()) });
            }
        });
        assert_eq!(vault.snapshots().len(), 12);
        assert_eq!(restic.list("snapshots").len(), 12);
        vault.ok(&["check", "--read-data"]);
        assert!(restic_says(&restic, &["check", "--read-data"]).contains("no errors were found"));
        vault.ok(&["forget", "--keep-last", "1", "--prune"]);
        assert!(restic_says(&restic, &["check", "--read-data"]).contains("no errors were found"));
        assert_eq!(restic.list("snapshots").len(), 4);
        for tree in &trees {
            let target = tempfile::tempdir().expect("a temporary folder");
            let (into, path) = (target.path().display().to_string(), tree.path().display().to_string());
            vault.ok(&["restore", &format!("latest:{path}"), "--path", &path, "--target", &into]);
            assert_eq!(contents(target.path()), contents(tree.path()));
        }
        assert!(restic.list("locks").is_empty());
        server.run(&["check"]).expect_exit(0);
    }
}

#[test]
fn restic_reads_over_tls_what_we_wrote_over_tls() {
    let server = Setup::new().tls().start();
    let account = vault(&server);
    let Some(restic) = Restic::new(&account, "/") else { return skip("restic is not installed") };
    let vault = Vault::of(&account, "/");
    vault.ok(&["init"]);
    let tree = planted(40);
    vault.backup(tree.path());
    let certificate = server.site().certificate.clone().expect("a certificate").display().to_string();
    assert!(restic_says(&restic, &["--cacert", &certificate, "check", "--read-data"]).contains("no errors were found"));
}

//! Stores that releases of Strongroom left behind: this one opens them all, and serves every byte (D26).
//!
//! `STRONGROOM_WRITE_SAMPLE=1 cargo test --test e2e a_sample_is_written` adds one of this version.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::clock::TestClock;
use crate::support::figure::figure;
use crate::support::restic::vault;
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::tree;
use crate::support::vault::Vault;

/// When every sample was made, so that its files are alive.
const MADE_AT: i64 = 1_800_000_000;
const FILES: [(&str, usize); 5] =
    [("/a", 0), ("/db/dump.sql.gz", 20_000), ("/%C3%A9%20%40%25", 5_000), ("/.hidden/x", 1), ("/after/raise", 300)];

/// What the vault's two backups found.
const BACKED_UP: [&[(&str, usize)]; 2] = [&[("one", 3_000), ("folder/two", 30_000)], &[("folder/two", 30_000), ("folder/three", 1)]];

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/samples")
}

fn bytes(place: usize) -> Vec<u8> {
    tree::bytes(place as u64 + 1, FILES[place].1)
}

/// The second account's retention was raised and lowered; its files keep the larger.
fn fill(server: &TestServer) {
    let (first, second) = (server.account(), server.add_account(&["--description", "second"]));
    for (place, (name, _)) in FILES.iter().enumerate() {
        first.store(name, bytes(place));
        second.store(name, bytes(place));
    }
    for days in ["200", "30"] {
        server.run(&["account", "set", &second.user, "--retention", days]).expect_exit(0);
    }
    let vault = vault(server);
    back_up(&Vault::of(&vault, "/"));
    let urls = [first, second, vault].map(|account| format!("https://{}@localhost/\n", account.credentials()));
    std::fs::write(server.home().join("access-urls"), urls.concat()).expect("the access URLs are written");
}

fn back_up(vault: &Vault) {
    vault.ok(&["init"]);
    for found in BACKED_UP {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("folder")).expect("a folder is made");
        for (name, size) in found {
            std::fs::write(folder.path().join(name), tree::bytes(*size as u64, *size)).expect("a file is written");
        }
        vault.ok(&["backup", &folder.path().display().to_string()]);
    }
}

/// Whole by every word of its own, each backup with every byte, and open for another.
fn expect_backups(vault: &Vault) {
    vault.ok(&["check", "--read-data"]);
    let snapshots = vault.json(&["snapshots"]);
    let snapshots = snapshots.as_array().expect("an array");
    assert_eq!(snapshots.len(), BACKED_UP.len());
    for (snapshot, found) in snapshots.iter().zip(BACKED_UP) {
        let (id, path) = (snapshot["id"].as_str().expect("an id"), snapshot["paths"][0].as_str().expect("a path"));
        let target = tempfile::tempdir().expect("a temporary folder");
        vault.ok(&["restore", &format!("{id}:{path}"), "--target", &target.path().display().to_string()]);
        assert_eq!(tree::files_below(target.path()).len(), found.len());
        for (name, size) in found {
            assert!(std::fs::read(target.path().join(name)).expect("it is restored") == tree::bytes(*size as u64, *size), "{name}");
        }
    }
    vault.ok(&["backup", &samples().display().to_string()]);
}

#[test]
fn a_sample_is_written_where_one_is_wanted() {
    let path = samples().join(format!("{}.tar.gz", env!("CARGO_PKG_VERSION")));
    if std::env::var("STRONGROOM_WRITE_SAMPLE").is_err() {
        return assert!(path.is_file(), "every version leaves a sample: {}", path.display());
    }
    let clock = TestClock::at(MADE_AT);
    let mut server = Setup::new().clock(&clock).start();
    fill(&server);
    server.stop();
    let made = Command::new("tar")
        .arg("-C")
        .arg(server.home())
        .args(["--owner=0", "--group=0", "-czf"])
        .arg(path)
        .args(["access-urls", "data"])
        .status();
    assert!(made.expect("tar runs").success());
}

#[test]
fn every_sample_opens_with_every_byte() {
    let clock = TestClock::at(MADE_AT + 86_400);
    let mut count = 0;
    for sample in std::fs::read_dir(samples()).expect("the samples are there").map(|entry| entry.expect("an entry").path()) {
        let mut server = Setup::new().clock(&clock).sample(&sample).start();
        let urls = std::fs::read_to_string(server.home().join("access-urls")).expect("the access URLs are there");
        let accounts: Vec<_> =
            urls.lines().map(|url| crate::support::account::Account::from_access_url(server.site(), url).expect("an access URL")).collect();
        expect_backups(&Vault::of(&accounts[2], "/"));
        for (account, days) in accounts.iter().zip([30, 200]) {
            for (place, (name, _)) in FILES.iter().enumerate() {
                account.expect_file(name, &bytes(place));
            }
            let list = account.list();
            assert_eq!(list.len(), FILES.len(), "{}", sample.display());
            assert!(list.iter().all(|file| file.deletetime == Some(file.createtime + days * 86_400)), "{list:?}");
            account.store("/new", b"and it takes new ones");
        }
        server.run(&["check"]).expect_exit(0);
        step_back(&mut server);
        count += 1;
    }
    assert!(count > 0, "there is a sample");
    figure(
        "D26",
        "samples",
        &format!(
            "{count} opened, every file byte-identical, a vault's backups, too; a catalog newer by one opens, by two is refused in words"
        ),
        None,
    );
}

/// A catalog that was migrated once more than this version can still be opened, since a migration only adds; one more cannot.
fn step_back(server: &mut TestServer) {
    let raise = |server: &TestServer| {
        let catalog = rusqlite::Connection::open(server.data().join("catalog.db")).expect("the catalog opens");
        catalog.execute("INSERT INTO migrations SELECT max(version) + 1, 0 FROM migrations", []).expect("its version is raised");
    };
    server.stop();
    raise(server);
    server.start_again();
    server.account().get("/").expect(200);
    server.stop();
    raise(server);
    let refused = server.start_in_vain();
    assert!(refused.exit == 1 && refused.complaint.contains("newer"), "{refused:?}");
}

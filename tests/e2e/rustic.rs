//! rustic against a vault: another client of the same protocol, which sends its bodies in chunks.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::account::Account;
use crate::support::clock::{DAY, SECOND, TestClock};
use crate::support::figure::figure;
use crate::support::ran::Ran;
use crate::support::restic::{Restic, contents, planted, vault};
use crate::support::setup::Setup;
use crate::support::vault::Vault;
use crate::support::{is_nightly, skip, skip_nightly};

struct Rustic {
    program: PathBuf,
    home: tempfile::TempDir,
    repository: String,
}

impl Rustic {
    /// `None` where it is not built.
    fn new(account: &Account, path: &str) -> Option<Self> {
        Self::at(format!("rest:{}", account.url(path)))
    }

    fn at(repository: String) -> Option<Self> {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/bin/rustic");
        let home = tempfile::tempdir().expect("a temporary folder");
        program.is_file().then(|| Self { program, home, repository })
    }

    fn moved(self, account: &Account, path: &str) -> Self {
        Self { repository: format!("rest:{}", account.url(path)), ..self }
    }

    #[track_caller]
    fn ok(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(&self.program);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.home.path());
        command.env("RUSTIC_REPOSITORY", &self.repository).env("RUSTIC_PASSWORD", "correct horse").env("RUSTIC_NO_CACHE", "true");
        Ran::of(&command.args(arguments).stdin(Stdio::null()).output().expect("rustic runs")).expect_exit(0).out
    }

    #[track_caller]
    fn expect_restored(&self, tree: &Path) {
        let target = tempfile::tempdir().expect("a temporary folder");
        self.ok(&["restore", &format!("latest:{}", tree.display()), &target.path().display().to_string()]);
        assert_eq!(contents(target.path()), contents(tree));
    }
}

#[test]
fn a_repository_is_used_by_rustic_and_read_by_restic() {
    if !is_nightly() {
        return skip_nightly("rustic against a vault");
    }
    let clock = TestClock::new();
    let server = Setup::new().clock(&clock).start();
    let account = vault(&server);
    let Some(rustic) = Rustic::new(&account, "/web/") else { return skip("rustic is not built") };
    rustic.ok(&["init"]);
    let tree = planted(50);
    let path = tree.path().display().to_string();
    rustic.ok(&["backup", &path]);
    let first = contents(tree.path());
    clock.advance(DAY);
    let before = clock.time();
    clock.advance(SECOND);
    std::fs::write(tree.path().join("text"), "changed").expect("a file is written");
    rustic.ok(&["backup", &path]);
    rustic.ok(&["check", "--read-data"]);
    rustic.expect_restored(tree.path());
    assert!(rustic.ok(&["ls", "latest"]).contains("file 0"));
    rustic.ok(&["find", "--glob", "text"]);
    rustic.ok(&["cat", "config"]);
    let restic = Restic::new(&account, "/web/").expect("restic is installed where rustic is built");
    let snapshots = restic.list("snapshots");
    assert!(rustic.ok(&["diff", &snapshots[0], &snapshots[1]]).contains("text"));
    std::thread::scope(|scope| {
        scope.spawn(|| rustic.ok(&["backup", &path]));
        scope.spawn(|| restic.backup(tree.path()));
    });
    assert_eq!(restic.list("snapshots").len(), 4, "two clients at once");
    let new_password = rustic.home.path().join("new password");
    std::fs::write(&new_password, "battery staple").expect("a file is written");
    rustic.ok(&["key", "add", "--new-password-file", &new_password.display().to_string()]);
    assert_eq!(restic.clone().with_password("battery staple").list("keys").len(), 2);
    restic.expect_restored(tree.path());
    assert!(restic.ok(&["check", "--read-data"]).contains("no errors were found"));
    rustic.ok(&["forget", "--keep-last", "1", "--prune", "--instant-delete"]);
    rustic.ok(&["check", "--read-data"]);
    restic.backup(tree.path());
    rustic.expect_restored(tree.path());
    for id in restic.list("snapshots") {
        rustic.ok(&["forget", &id]);
    }
    rustic.ok(&["prune", "--instant-delete", "--max-unused", "0%"]);
    let view = rustic.moved(&account, &format!("/@{before}/web/"));
    let target = tempfile::tempdir().expect("a temporary folder");
    view.ok(&["restore", &format!("latest:{path}"), &target.path().display().to_string()]);
    assert_eq!(contents(target.path()), first);
    server.run(&["check"]).expect_exit(0);
    figure("vault", "rustic", "init, 2 backups, check, forget, prune, restore from before: as restic says, too", None);
}

#[test]
fn the_vault_commands_and_rustic_read_and_prune_what_the_other_wrote() {
    if !is_nightly() {
        return skip_nightly("rustic against the vault commands");
    }
    let place = tempfile::tempdir().expect("a temporary folder");
    for who in ["ours", "rustic's"] {
        let repository = place.path().join(who).display().to_string();
        let Some(rustic) = Rustic::at(repository.clone()) else { return skip("rustic is not built") };
        let vault = Vault::at(repository);
        if who == "ours" {
            drop(vault.ok(&["init"]))
        } else {
            drop(rustic.ok(&["init"]))
        }
        let tree = planted(70);
        let path = tree.path().display().to_string();
        vault.backup(tree.path());
        rustic.expect_restored(tree.path());
        std::fs::write(tree.path().join("text"), "changed").expect("a file is written");
        rustic.ok(&["backup", &path]);
        vault.expect_restored("latest", tree.path());
        for check in 0..2 {
            vault.ok(&["check", "--read-data"]);
            rustic.ok(&["check", "--read-data"]);
            std::fs::write(tree.path().join("more"), crate::support::tree::bytes(check, 900_000)).expect("a file is written");
            vault.backup(tree.path());
            if check == 0 {
                vault.ok(&["forget", "--keep-last", "1", "--prune", "--max-unused", "0"]);
            } else {
                rustic.ok(&["forget", "--keep-last", "1", "--prune", "--instant-delete", "--max-unused", "0%"]);
            }
            rustic.expect_restored(tree.path());
            vault.expect_restored("latest", tree.path());
        }
        let before = vault.snapshots();
        std::fs::write(tree.path().join("more"), crate::support::tree::bytes(9, 900_000)).expect("a file is written");
        std::thread::scope(|scope| {
            scope.spawn(|| rustic.ok(&["backup", &path]));
            scope.spawn(|| vault.backup(tree.path()));
        });
        let both: Vec<_> = vault.snapshots().into_iter().filter(|id| !before.contains(id)).collect();
        assert_eq!(both.len(), 2, "two at once");
        both.iter().for_each(|id| vault.expect_restored(id, tree.path()));
        rustic.expect_restored(tree.path());
        vault.ok(&["check", "--read-data"]);
        rustic.ok(&["check", "--read-data"]);
    }
    let shown = "each reads, prunes and checks what the vault commands wrote, and the other way round, in turn and at once";
    figure("vault", "rustic", shown, None);
}

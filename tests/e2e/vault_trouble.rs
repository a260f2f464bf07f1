//! What the vault commands say and leave behind when something is wrong.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process};
use strongroom::vault::backend::location::Location;
use strongroom::vault::backend::open;
use strongroom::vault::backend::options::Options;
use strongroom::vault::cancel::Cancel;
use strongroom::vault::keys::{Maker, Password};
use strongroom::vault::lock::{self, Guard, Mode};
use strongroom::vault::repository::Repository;

use crate::support::ran::Ran;
use crate::support::restic::{Restic, vault};
use crate::support::server::TestServer;
use crate::support::setup::Setup;
use crate::support::vault::{PASSWORD, Vault, planted};
use crate::support::{SOON, eventually, program, skip, tree, wait_until};

fn made() -> (tempfile::TempDir, Vault) {
    let place = tempfile::tempdir().expect("a temporary folder");
    let vault = Vault::at(place.path().join("repository"));
    vault.ok(&["init"]);
    (place, vault)
}

#[track_caller]
fn expect_told(ran: &Ran, parts: &[&str]) {
    assert!(ran.out.is_empty(), "{ran:?}");
    for part in parts {
        assert!(ran.complaint.contains(part), "{part} in {ran:?}");
    }
}

#[test]
fn a_refusal_says_what_where_and_what_to_do() {
    let (place, vault) = made();
    let wrong = vault.with_password("canary-wrong").run(&["snapshots"]).expect_exit(1);
    expect_told(&wrong, &["error: cannot open the repository: wrong password", "hint:"]);
    assert!(!wrong.complaint.contains("canary-wrong"), "{wrong:?}");
    let nowhere = place.path().join("nowhere");
    let missing = Vault::at(&nowhere).run(&["snapshots"]).expect_exit(1);
    expect_told(&missing, &[&format!("there is no repository at {}", nowhere.display()), "vault init"]);
    assert!(!nowhere.exists(), "a look makes nothing");
    let again = vault.run(&["init"]).expect_exit(1);
    expect_told(&again, &["there is a repository at", "nothing was changed"]);
    let strange = Vault::at("sftp:user@host:/srv").run(&["snapshots"]).expect_exit(2);
    expect_told(&strange, &["not supported"]);
    let unknown = vault.run(&["restore", "abcdef", "--target", "/nowhere"]).expect_exit(1);
    expect_told(&unknown, &["snapshot abcdef is not there", "vault snapshots"]);
    let mut nothing = vault.command(&["snapshots"]);
    let output = nothing.env_remove("STRONGROOM_REPOSITORY").output().expect("the binary runs");
    expect_told(&Ran::of(&output).expect_exit(2), &["no repository is named", "--repository-file"]);
    let output = vault.command(&["snapshots"]).env_remove("STRONGROOM_PASSWORD").output().expect("the binary runs");
    expect_told(&Ran::of(&output).expect_exit(2), &["no terminal", "--password-file"]);
}

#[test]
fn a_server_that_refuses_is_told_in_words() {
    let server = Setup::new().tls().start();
    let account = vault(&server);
    let place = Vault::of(&account, "/");
    place.ok(&["init"]);
    let stranger = Vault::at(account.url("/")).run(&["snapshots"]).expect_exit(1);
    expect_told(&stranger, &["certificate", "--ca-file"]);
    let other = Vault::of(&account.with_password("wrongwrongwrongwrongwr"), "/").run(&["snapshots"]).expect_exit(1);
    expect_told(&other, &["401", "access URL"]);
    for ran in [&stranger, &other] {
        assert!(!ran.complaint.contains(&account.password) && !ran.complaint.contains("wrongwrong"), "{ran:?}");
    }
    server.run(&["account", "set", &account.user, "--quota", "1MiB"]).expect_exit(0);
    let tree = planted(50);
    let full = place.run(&["backup", &tree.path().display().to_string()]).expect_exit(1);
    expect_told(&full, &["there is no room", "quota"]);
    server.run(&["account", "set", &account.user, "--quota", "none"]).expect_exit(0);
    place.backup(tree.path());
    place.ok(&["check", "--read-data"]);
}

#[test]
fn what_cannot_be_read_is_listed_and_the_rest_is_saved() {
    let (place, vault) = made();
    let tree = planted(51);
    let secret = tree.path().join("secret");
    std::fs::write(&secret, "unreadable").expect("a file is written");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o0)).expect("a mode is set");
    let missing = tree.path().join("missing").display().to_string();
    let Some(mut command) = unprivileged(&vault, place.path(), tree.path()) else { return skip("setpriv is not installed") };
    let command = command.args(["vault", "backup", "--json", &tree.path().display().to_string(), &missing]).stdin(Stdio::null());
    let ran = Ran::of(&command.output().expect("the binary runs")).expect_exit(3);
    for part in [
        format!("{}: open: Permission denied (os error 13)\n", secret.display()),
        format!("{missing}: find: No such file or directory (os error 2)\n"),
        "error: 2 entries could not be saved".to_owned(),
    ] {
        assert!(ran.complaint.contains(&part), "{part} in {ran:?}");
    }
    let report: serde_json::Value = serde_json::from_str(&ran.out).expect("one object");
    let failures = report["failures"].as_array().expect("an array");
    assert!(failures.iter().any(|failure| failure["path"] == secret.display().to_string() && failure["errno"] == 13), "{report}");
    assert_eq!(report["files_new"].as_u64(), Some(16), "{report}");
    assert!(vault.ls(&["latest"]).iter().all(|path| !path.ends_with("/secret")));
}

/// The binary as a user who may not read everything; `None` where root has no way to become one.
fn unprivileged(vault: &Vault, place: &Path, tree: &Path) -> Option<Command> {
    let binary = env!("CARGO_BIN_EXE_strongroom");
    if !rustix::process::geteuid().is_root() {
        let mut command = Command::new(binary);
        vault.equip(&mut command);
        return Some(command);
    }
    let copy = place.join("strongroom");
    std::fs::copy(binary, &copy).expect("the binary is copied");
    for folder in [place, tree] {
        let owned = Command::new("chown").args(["-R", "65534:65534"]).arg(folder).status().expect("chown runs");
        assert!(owned.success(), "{}", folder.display());
    }
    let mut command = Command::new(program(&["setpriv"])?);
    vault.equip(&mut command);
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(copy).current_dir(place);
    Some(command)
}

#[test]
fn a_lock_in_the_way_is_told_and_can_be_removed() {
    let (place, vault) = made();
    let location = Location::parse(place.path().join("repository")).expect("a location");
    let backend = open(&location, &Options::default()).expect("a place");
    let repository = Arc::new(Repository::open(backend, &Password::new(PASSWORD)).expect("it opens"));
    let holder = Maker { username: "ann".to_owned(), hostname: "elsewhere".to_owned() };
    let guard = Guard::take(&repository, Mode::Exclusive, &lock::Options::new(holder), &Cancel::default()).expect("a lock");
    let file = tree::files_below(&place.path().join("repository/locks")).remove(0);
    let bytes = std::fs::read(&file).expect("a lock is read");
    let tree = planted(52);
    let path = tree.path().display().to_string();
    for arguments in [&["backup", &path][..], &["prune"], &["check"], &["forget", "--keep-last", "1"]] {
        let ran = vault.run(arguments).expect_exit(1);
        expect_told(&ran, &["the repository is locked by process", "ann on elsewhere", "--retry-lock", "vault unlock"]);
    }
    assert!(vault.snapshots().is_empty(), "a look needs no lock");
    vault.ok(&["check", "--no-lock"]);
    let left = vault.json(&["unlock"]);
    assert_eq!((left["removed"].as_array().map(Vec::len), left["left"].as_array().map(Vec::len)), (Some(0), Some(1)), "{left}");
    drop(guard);
    // As it was left by a machine that is gone.
    std::fs::write(&file, bytes).expect("a lock is written");
    assert_eq!(vault.json(&["unlock", "--remove-all"])["removed"].as_array().map(Vec::len), Some(1));
    vault.backup(tree.path());
}

#[test]
fn too_few_descriptors_are_told_in_words() {
    let (_place, vault) = made();
    let Some(prlimit) = program(&["prlimit"]) else { return skip("prlimit is not installed") };
    let mut last = None;
    for count in 4..=30 {
        let mut command = Command::new(&prlimit);
        vault.equip(&mut command);
        command.arg(format!("--nofile={count}:{count}")).arg(env!("CARGO_BIN_EXE_strongroom")).args(["vault", "snapshots"]);
        let ran = Ran::of(&command.stdin(Stdio::null()).output().expect("prlimit runs"));
        assert!(!ran.complaint.contains("panicked"), "{count}: {ran:?}");
        if ran.exit == 1 && ran.complaint.contains("ulimit -n") {
            expect_told(&ran, &["error: too few file descriptors are free", "hint: raise `ulimit -n`"]);
        }
        // With the very fewest the program does not even start.
        last = Some((ran.exit, count));
    }
    assert_eq!(last.map(|(exit, _)| exit), Some(0), "with some more it works");
    let mut command = Command::new(prlimit);
    vault.equip(&mut command);
    command.args(["--nofile=8:8", env!("CARGO_BIN_EXE_strongroom"), "vault", "snapshots"]);
    let ran = Ran::of(&command.stdin(Stdio::null()).output().expect("prlimit runs")).expect_exit(1);
    expect_told(&ran, &["error: too few file descriptors are free", "hint: raise `ulimit -n`"]);
}

fn signal(child: &std::process::Child, signal: Signal) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, signal).expect("the process takes a signal");
}

#[test]
fn a_cancelled_backup_leaves_a_sound_repository_and_the_next_one_finishes() {
    for which in [Signal::TERM, Signal::INT] {
        let server = TestServer::start();
        let account = vault(&server);
        let vault = Vault::of(&account, "/");
        vault.ok(&["init"]);
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("large"), tree::bytes(5, 60 << 20)).expect("a file is written");
        let path = folder.path().display().to_string();
        let child = vault.begin(&["backup", &path, "--limit-upload", "4096"]);
        let has_packs =
            || server.blobs(&account).iter().any(|blob| blob.display().to_string().contains(&format!("{}/data/", account.user)));
        wait_until("a pack is stored", SOON, has_packs);
        signal(&child, which);
        let ran = Ran::of(&child.wait_with_output().expect("it ends"));
        assert_eq!((ran.exit, ran.out.as_str(), ran.complaint.as_str()), (1, "", "error: cancelled\n"));
        assert!(vault.snapshots().is_empty());
        assert_eq!(account.get("/locks/").expect(200).text(), "[]", "its lock is gone");
        vault.ok(&["check", "--read-data"]);
        if let Some(restic) = Restic::new(&account, "/") {
            assert!(restic.ok(&["check", "--read-data"]).contains("no errors were found"));
        }
        vault.backup(folder.path());
        vault.expect_restored("latest", folder.path());
    }
}

#[test]
fn a_second_signal_ends_at_once() {
    let server = TestServer::start();
    let account = vault(&server);
    let vault = Vault::of(&account, "/");
    vault.ok(&["init"]);
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("large"), tree::bytes(6, 40 << 20)).expect("a file is written");
    let mut child = vault.begin(&["backup", &folder.path().display().to_string(), "--limit-upload", "64"]);
    wait_until("it works under its lock", SOON, || account.get("/locks/").text() != "[]");
    let code = eventually("it ends", SOON, || {
        signal(&child, Signal::INT);
        child.try_wait().expect("it can be waited for")
    });
    assert_eq!(code.code(), Some(1));
    vault.ok(&["unlock"]);
    vault.ok(&["check"]);
}

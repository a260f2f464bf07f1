//! Data directories of every kind, and a second process on one.

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Home, HomeError};

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("var/lib/data");
    (folder, data)
}

fn mode(path: PathBuf) -> u32 {
    fs::metadata(path).expect("it is there").mode() & 0o777
}

fn is_damaged(outcome: Result<Home, HomeError>) -> bool {
    matches!(outcome, Err(HomeError::Damaged { .. }))
}

#[test]
fn each_start_keeps_the_id_and_raises_the_generation() {
    let (_folder, data) = folder();
    let first = Home::open_exclusive(&data).expect("an empty place takes a store");
    let (id, generation) = (first.store_id.clone(), first.generation);
    assert!(first.is_new && id.len() == 26);
    drop(first);
    let second = Home::open_exclusive(&data).expect("the lock is free again");
    assert_eq!((&second.store_id, second.generation, second.is_new), (&id, generation + 1, false));
    let beside = Home::open_beside(&data).expect("a command looks on");
    assert_eq!((&beside.store_id, beside.generation), (&id, generation + 1));
    assert_eq!(Home::open_beside(&data).expect("again").generation, generation + 1, "looking on changes nothing");
}

#[test]
fn the_directory_is_0700_and_its_files_0600() {
    let (_folder, data) = folder();
    fs::create_dir_all(&data).expect("made");
    fs::set_permissions(&data, Permissions::from_mode(0o755)).expect("ours");
    fs::write(data.join(".gitignore"), "*\n").expect("written");
    drop(Home::open_exclusive(&data).expect("what a repository keeps there is no damage"));
    assert_eq!((mode(data.clone()), mode(data.join("STORE")), mode(data.join("LOCK"))), (0o700, 0o600, 0o600));
    assert!(!data.join("STORE.new").exists());
}

#[test]
fn a_start_that_was_cut_off_is_begun_again() {
    let (_folder, data) = folder();
    fs::create_dir_all(data.join("blobs/.staging")).expect("made");
    fs::create_dir_all(data.join("blobs/.control")).expect("made");
    fs::write(data.join("STORE.new"), "sto").expect("written");
    fs::write(data.join("LOCK"), "process 1 (strongroom serve)\n").expect("written");
    assert!(Home::open_exclusive(&data).expect("nothing was kept yet").is_new);
}

#[test]
fn a_lost_store_file_over_backups_is_no_new_store() {
    for kept in ["blobs/Y21R3P/x", "blobs/.control/accounts/x", "catalog.db/x", "catalog.db-wal/x", "vault-secret/x"] {
        let (_folder, data) = folder();
        let old = Home::open_exclusive(&data).expect("an empty place takes a store").store_id;
        fs::create_dir_all(data.join(kept)).expect("made");
        fs::remove_file(data.join("STORE")).expect("it was there");
        assert!(is_damaged(Home::open_exclusive(&data)), "{kept}");
        assert!(is_damaged(Home::open_beside(&data)), "{kept}");
        assert!(!data.join("STORE").exists(), "a refusal makes nothing");
        let anew = Home::open_exclusive_for_rebuild(&data).expect("a rebuild makes it anew");
        assert!(anew.is_new && anew.store_id != old);
    }
}

#[test]
fn a_rebuild_of_nothing_is_refused_and_of_a_whole_store_keeps_its_id() {
    let (_folder, data) = folder();
    assert!(matches!(Home::open_exclusive_for_rebuild(&data), Err(HomeError::Missing { .. })));
    fs::create_dir_all(&data).expect("made");
    assert!(matches!(Home::open_exclusive_for_rebuild(&data), Err(HomeError::Missing { .. })));
    let id = Home::open_exclusive(&data).expect("an empty place takes a store").store_id;
    assert_eq!(Home::open_exclusive_for_rebuild(&data).expect("it is whole").store_id, id);
}

#[test]
fn somebody_elses_directory_does_not_become_a_store() {
    let (_folder, data) = folder();
    fs::create_dir_all(&data).expect("made");
    fs::set_permissions(&data, Permissions::from_mode(0o755)).expect("ours");
    fs::write(data.join("letters.txt"), "").expect("written");
    assert!(Home::open_exclusive(&data).expect_err("not empty").to_string().contains("letters.txt"));
    assert_eq!(mode(data.clone()), 0o755);
    assert!(!data.join("LOCK").exists());
}

#[test]
fn what_cannot_be_opened_is_said_in_words() {
    let (_folder, data) = folder();
    assert!(matches!(Home::open_beside(&data), Err(HomeError::Missing { .. })));
    drop(Home::open_exclusive(&data).expect("an empty place takes a store"));
    let good = fs::read_to_string(data.join("STORE")).expect("it is there");
    for newer in [good.replace("layout = 1", "layout = 2"), good.replace("\"0.1.0\"", "\"99.0.0\"")] {
        fs::write(data.join("STORE"), newer).expect("written");
        for outcome in [Home::open_exclusive(&data), Home::open_beside(&data), Home::open_exclusive_for_rebuild(&data)] {
            assert!(matches!(outcome, Err(HomeError::TooNew { .. })));
        }
    }
    for broken in [&b""[..], &[0; 100], b"store = 5", &good.as_bytes()[..good.len() / 2]] {
        fs::write(data.join("STORE"), broken).expect("written");
        assert!(is_damaged(Home::open_exclusive(&data)) && is_damaged(Home::open_beside(&data)));
        assert_eq!(fs::read(data.join("STORE")).expect("there"), broken, "a refusal changes nothing");
    }
    drop(Home::open_exclusive_for_rebuild(&data).expect("a rebuild makes it anew"));
    assert!(data.join("STORE.damaged").exists());
}

#[test]
fn what_a_later_version_added_to_store_is_kept() {
    let (_folder, data) = folder();
    drop(Home::open_exclusive(&data).expect("an empty place takes a store"));
    let good = fs::read_to_string(data.join("STORE")).expect("it is there");
    fs::write(data.join("STORE"), format!("{good}region = \"north\"\n")).expect("written");
    drop(Home::open_exclusive(&data).expect("an addition is no reason to refuse"));
    assert!(fs::read_to_string(data.join("STORE")).expect("there").contains("region = \"north\""));
}

/// Runs only inside the next test: holds a data directory until it is killed.
#[test]
#[ignore = "another test runs this as a process of its own"]
fn hold_a_data_directory() {
    let data = std::env::var_os("STRONGROOM_TEST_DATA").expect("the other test names a directory");
    let _held = Home::open_exclusive(Path::new(&data)).expect("an empty place takes a store");
    writeln!(std::io::stdout(), "held").expect("somebody listens");
    std::io::stdin().read_line(&mut String::new()).expect("the other test keeps it open");
}

#[test]
fn a_second_process_is_told_the_first_and_a_killed_one_holds_nothing() {
    let (_folder, data) = folder();
    let program = std::env::current_exe().expect("a test knows its program");
    let mut first = Command::new(program)
        .args(["--exact", "store::home::tests::hold_a_data_directory", "--ignored", "--nocapture"])
        .env("STRONGROOM_TEST_DATA", &data)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program runs again");
    let lines = BufReader::new(first.stdout.take().expect("it is piped")).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.ends_with("held")), "the first process never held the directory");
    let began = Instant::now();
    let refusal = Home::open_exclusive(&data).expect_err("it is held").to_string();
    assert!(began.elapsed() < Duration::from_secs(1));
    assert!(refusal.contains(&format!("process {} (", first.id())), "{refusal}");
    assert!(matches!(Home::open_exclusive_for_rebuild(&data), Err(HomeError::Held { .. })));
    Home::open_beside(&data).expect("commands look on beside a server");
    first.kill().expect("it runs");
    first.wait().expect("it was ours");
    let began = Instant::now();
    assert_eq!(Home::open_exclusive(&data).expect("the lock is free at once").generation, 2);
    assert!(began.elapsed() < Duration::from_secs(1));
}

/// Runs only inside the next test: prints who it is once it has become the owner.
#[test]
#[ignore = "another test runs this as a process of its own"]
fn become_the_owner() {
    let data = std::env::var_os("STRONGROOM_TEST_DATA").expect("the other test names a directory");
    let outcome = super::become_owner(Path::new(&data)).and_then(|()| Home::open_beside(Path::new(&data)));
    let who = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let groups = rustix::process::getgroups().expect("the system tells").len();
    let answer = outcome.map_or_else(|error| error.to_string(), |_| "opened".to_owned());
    writeln!(std::io::stdout(), "{who:?} {groups} {answer}").expect("somebody listens");
}

#[test]
fn root_becomes_the_owner_and_another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        assert_ne!(std::env::var("STRONGROOM_TEST_TOOLS").as_deref(), Ok("required"), "only root can play two users");
        return;
    }
    let (folder, data) = folder();
    drop(Home::open_exclusive(&data).expect("an empty place takes a store"));
    // The other user must reach both the directory and this very program.
    let program = folder.path().join("program");
    fs::copy(std::env::current_exe().expect("a test knows its program"), &program).expect("copied");
    for open in [folder.path(), &folder.path().join("var"), &folder.path().join("var/lib"), &program] {
        fs::set_permissions(open, Permissions::from_mode(0o755)).expect("ours");
    }
    for inside in [data.clone(), data.join("STORE"), data.join("LOCK")] {
        std::os::unix::fs::chown(inside, Some(12_345), Some(12_346)).expect("root gives away");
    }
    let run = |user: u32| {
        let mut command = Command::new(&program);
        command.args(["--exact", "store::home::tests::become_the_owner", "--ignored", "--nocapture"]).env("STRONGROOM_TEST_DATA", &data);
        let output = command.uid(user).output().expect("this program runs again");
        String::from_utf8(output.stdout).expect("text")
    };
    assert!(run(0).contains("(12345, 12346) 0 opened"), "{}", run(0));
    assert!(run(54_321).contains("belongs to user 12345"), "{}", run(54_321));
    assert!(matches!(Home::open_exclusive(&data), Err(HomeError::NotOwner { .. })), "root itself never writes there");
}

//! Backups and restores that are killed, and lines that break under them: the next run finishes, and everything comes back (A2).

use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::support::account::Account;
use crate::support::client::{Client, text};
use crate::support::figure::figure;
use crate::support::proxy::Proxy;
use crate::support::restic::{Restic, vault};
use crate::support::seen::{Seen, seen, seen_but};
use crate::support::server::TestServer;
use crate::support::{SOON, eventually, is_nightly, skip, tree, varied};

/// So many are killed or cut before the next run is let finish.
const GROUP: u64 = 5;

/// A server behind a proxy, a tree, and a client.
struct Stage {
    server: TestServer,
    account: Account,
    proxy: Proxy,
    client: Client,
    home: tempfile::TempDir,
    source: PathBuf,
    seed: u64,
    edits: u64,
}

impl Stage {
    fn new(seed: u64) -> Self {
        let server = TestServer::start();
        let account = vault(&server);
        let proxy = Proxy::to(server.port());
        let client = Client::at(through(&proxy, &account));
        client.ok(&["init"]);
        let home = tempfile::tempdir().expect("a temporary folder");
        let source = home.path().join("source");
        varied::plant(&source, seed, 16);
        Self { server, account, proxy, client, home, source, seed, edits: 0 }
    }

    /// Something that the repository does not have yet.
    fn edit(&mut self) {
        self.edits += 1;
        let path = self.source.join(format!("large {}", self.edits % 4));
        std::fs::write(path, tree::bytes(self.seed + self.edits, 4 << 20)).expect("a file is written");
        std::fs::write(self.source.join(format!("new {}", self.edits)), self.edits.to_string()).expect("a file is written");
    }

    fn random(&mut self, below: u64) -> u64 {
        tree::random(&mut self.seed, below)
    }

    /// A moment between the beginning and the end of what takes so long.
    fn moment(&mut self, whole: Duration) -> Duration {
        Duration::from_micros(self.random(u64::try_from(whole.as_micros()).expect("it fits")))
    }

    /// A backup as long as it takes, and a restore of it.
    fn expect_whole(&mut self) -> Duration {
        let began = Instant::now();
        self.client.backup(&self.source);
        let took = began.elapsed();
        let target = self.target();
        let restored = self.client.restored(&self.source, target.path());
        expect_same(&seen(&restored), &seen(&self.source));
        took
    }

    fn target(&self) -> tempfile::TempDir {
        tempfile::tempdir_in(self.home.path()).expect("a temporary folder")
    }

    /// What nobody finished is in nobody's way: neither the lock of an exclusive run, nor stock restic.
    fn conclude(&self) {
        self.client.ok(&["forget", "--keep-last", "2", "--prune"]);
        self.client.check();
        let Some(restic) = Restic::new(&self.account, "/") else { return skip("restic is not installed") };
        assert!(restic.list("locks").is_empty());
        restic.ok(&["check", "--read-data"]);
    }
}

fn through(proxy: &Proxy, account: &Account) -> String {
    format!("http://{}:{}@127.0.0.1:{}/", account.user, account.password, proxy.port())
}

#[track_caller]
fn expect_same(found: &Seen, expected: &Seen) {
    let other: Vec<_> = expected.iter().filter(|(name, what)| found.get(*name) != Some(what)).collect();
    assert!(other.is_empty() && found.len() == expected.len(), "{other:?} of {} and {}", found.len(), expected.len());
}

/// Whether it was still running.
fn kill(mut child: Child) -> bool {
    let was_running = child.try_wait().expect("it can be waited for").is_none();
    // It may have ended since.
    drop((child.kill(), child.wait()));
    was_running
}

fn count() -> u64 {
    if is_nightly() { 200 } else { 10 }
}

#[test]
fn a_backup_or_restore_that_was_killed_is_finished_by_the_next() {
    let first_seed = 0x5EED_00A2;
    let mut stage = Stage::new(first_seed);
    let mut took = stage.expect_whole();
    let mut killed = [0, 0];
    for number in 0..count() {
        stage.edit();
        let child = stage.client.begin(&["backup", text(&stage.source)]);
        let moment = stage.moment(took);
        std::thread::sleep(moment);
        killed[0] += u64::from(kill(child));
        // What is half restored is restored over.
        let target = stage.target();
        let arguments = ["restore", "latest", "--target", text(target.path())];
        let child = stage.client.begin(&arguments);
        let moment = stage.moment(took);
        std::thread::sleep(moment);
        killed[1] += u64::from(kill(child));
        if number % GROUP == GROUP - 1 {
            took = stage.expect_whole();
            let restored = stage.client.restored(&stage.source, target.path());
            // A killed restore cannot take its temporary names away. They say what they are, and are nobody else's.
            expect_same(&seen_but(&restored, is_temporary), &seen(&stage.source));
        }
    }
    stage.conclude();
    let text = format!(
        "{} tries to kill: {} backups and {} restores were still running; every next run finished, restores equal, checks clean",
        2 * count(),
        killed[0],
        killed[1]
    );
    figure("A2", "kill -9", &text, Some(first_seed));
}

fn is_temporary(name: &[u8]) -> bool {
    name.starts_with(b".strongroom-")
}

#[test]
fn a_line_that_breaks_for_a_moment_costs_time_alone() {
    let first_seed = 0x5EED_02A2;
    let mut stage = Stage::new(first_seed);
    let took = stage.expect_whole();
    let (mut cut, mut cut_restores) = (0, 0);
    for number in 0..count() / 2 {
        stage.edit();
        let source = stage.source.clone();
        cut += u64::from(cut_while(&mut stage, &["backup", text(&source)], took));
        let target = stage.target();
        cut_restores += u64::from(cut_while(&mut stage, &["restore", "latest", "--target", text(target.path())], took));
        if number % GROUP == GROUP - 1 || number + 1 == count() / 2 {
            expect_same(&seen(&crate::support::client::below(target.path(), &source)), &seen(&source));
        }
    }
    stage.conclude();
    let text =
        format!("{} backups and restores, {cut} and {cut_restores} of them cut: all finished by themselves, restores equal", count());
    figure("A2", "line cut for a moment", &text, Some(first_seed));
}

/// Runs it to its end, with one cut at a random moment. Whether it was running then.
fn cut_while(stage: &mut Stage, arguments: &[&str], took: Duration) -> bool {
    let mut child = stage.client.begin(arguments);
    let (moment, pause) = (stage.moment(took), stage.random(400));
    std::thread::sleep(moment);
    stage.proxy.cut();
    let was_running = child.try_wait().expect("it can be waited for").is_none();
    std::thread::sleep(Duration::from_millis(pause));
    stage.proxy.mend();
    stage.client.end(child).expect_exit(0);
    was_running
}

#[test]
fn a_line_that_breaks_for_good_ends_the_run_when_it_is_asked_to_and_the_next_one_finishes() {
    let first_seed = 0x5EED_03A2;
    let mut stage = Stage::new(first_seed);
    let took = stage.expect_whole();
    let mut ended = 0;
    for _ in 0..count() / 2 {
        stage.edit();
        let child = stage.client.begin(&["backup", text(&stage.source)]);
        let moment = stage.moment(took);
        std::thread::sleep(moment);
        stage.proxy.cut();
        ended += u64::from(stop(&stage.client, child));
        stage.proxy.mend();
    }
    stage.expect_whole();
    stage.conclude();
    let text = format!("{} backups cut off, {ended} of them told to end: all did within {SOON:?}; the next run finished", count() / 2);
    figure("A2", "line cut for good", &text, Some(first_seed));
}

/// SIGTERM. Whether that ended it.
fn stop(client: &Client, mut child: Child) -> bool {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process id");
    if child.try_wait().expect("it can be waited for").is_some() {
        return false;
    }
    rustix::process::kill_process(pid, Signal::TERM).expect("it takes a signal");
    eventually("the run ends", SOON, || child.try_wait().expect("it can be waited for"));
    let ran = client.end(child);
    // It may just have finished, or not have begun to listen.
    assert!([0, 1, -1].contains(&ran.exit), "{ran:?}");
    ran.exit != 0
}

/// A server that dies and comes back, at another port even, is one more broken line.
#[test]
fn a_server_that_is_killed_and_comes_back_costs_time_alone() {
    let first_seed = 0x5EED_04A2;
    let mut stage = Stage::new(first_seed);
    let took = stage.expect_whole();
    let count = if is_nightly() { 40 } else { 3 };
    let mut hit = 0;
    for _ in 0..count {
        stage.edit();
        let mut child = stage.client.begin(&["backup", text(&stage.source)]);
        let moment = stage.moment(took);
        std::thread::sleep(moment);
        stage.server.kill();
        hit += u64::from(child.try_wait().expect("it can be waited for").is_none());
        stage.server.start_again();
        stage.proxy.move_to(stage.server.port());
        stage.client.end(child).expect_exit(0);
    }
    stage.expect_whole();
    stage.conclude();
    figure("A2", "server killed", &format!("{count} kills of the server, {hit} during a backup: all backups finished"), Some(first_seed));
}

/// Both ends, again and again, with a folder as the place.
#[test]
fn a_folder_is_left_whole_by_whoever_is_killed_over_it() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let (source, place): (PathBuf, PathBuf) = (home.path().join("source"), home.path().join("repository"));
    varied::plant(&source, 7, 12);
    let client = Client::at(&place);
    client.ok(&["init"]);
    let mut seed = 0x5EED_05A2;
    for number in 0..count() / 2 {
        std::fs::write(source.join("large 1"), tree::bytes(number, 8 << 20)).expect("a file is written");
        let child = client.begin(&["backup", text(&source)]);
        std::thread::sleep(Duration::from_millis(250 + tree::random(&mut seed, 600)));
        kill(child);
        client.check();
    }
    client.backup(&source);
    expect_same(&seen(&client.restored(&source, &home.path().join("restored"))), &seen(&source));
    client.ok(&["forget", "--keep-last", "1", "--prune"]);
    assert_eq!(temporaries(&place), Vec::<PathBuf>::new());
    figure("A2", "folder", &format!("{} kills over a folder: clean after each", count() / 2), Some(0x5EED_05A2));
}

/// Files of a repository's folder whose name is no name of the format.
fn temporaries(place: &Path) -> Vec<PathBuf> {
    let is_odd = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name != "config" && !(name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    tree::files_below(place).into_iter().filter(is_odd).collect()
}

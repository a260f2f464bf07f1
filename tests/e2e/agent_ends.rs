//! How runs of a real agent end before their work is done: by a user, by the service manager, by the watchdog.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::agent::{AGENT_SOON, Agent};
use crate::support::estate::Estate;
use crate::support::fleet::text;
use crate::support::runs::Wanted;
use crate::support::seen::seen;
use crate::support::{eventually, tree};

/// Requests of a backup, from its first to its last: held at each, it is in every state there is.
const OF_A_BACKUP: [&str; 6] = [
    "POST /agent/v1/vault/g1/locks/",
    "GET /agent/v1/vault/g1/index/",
    "GET /agent/v1/vault/g1/snapshots/",
    "POST /agent/v1/vault/g1/data/",
    "POST /agent/v1/vault/g1/index/",
    "POST /agent/v1/vault/g1/snapshots/",
];

struct Ground {
    agent: Agent,
    source: PathBuf,
    configuration: i64,
    edits: u64,
    estate: Estate,
}

impl Ground {
    /// A machine with one backup.
    fn new() -> Self {
        let estate = Estate::new();
        let agent = estate.agent("web-a");
        let source = estate.planted("source", 6, 8);
        let configuration = estate.configure(&agent, &source, &json!({}));
        estate.api.complete(configuration);
        Self { agent, source, configuration, edits: 0, estate }
    }

    /// A backup with something to store, held at this request; `None` where it makes none such.
    fn held_backup(&mut self, at: &str) -> Option<i64> {
        self.edits += 1;
        std::fs::write(self.source.join("new"), tree::bytes(1000 + self.edits, 2 << 20)).expect("a file is written");
        self.estate.proxy.gate().hold(at, 0);
        let backup = self.estate.api.start(self.configuration);
        self.await_held(backup).then_some(backup)
    }

    fn await_held(&self, run: i64) -> bool {
        eventually(&format!("run {run} is held or has ended"), AGENT_SOON, || {
            let is_held = self.estate.proxy.gate().is_holding();
            let is_over = ["Completed", "Failed", "CompletedWithErrors"].contains(&self.estate.api.run_state(run).as_str());
            (is_held || is_over).then_some(is_held)
        })
    }

    /// Whatever was held is given up, and nothing is held any more.
    fn let_go(&self) {
        self.estate.break_line();
        self.estate.proxy.gate().open();
    }

    /// The next backup is whole, and stock restic finds the vault clean.
    fn conclude(&self) {
        let backup = self.estate.api.complete(self.configuration);
        let target = self.estate.path(&format!("target {backup}"));
        self.estate.api.restore(&Wanted::all(backup, self.agent.id, &target));
        assert_eq!(seen(&target.join(self.source.strip_prefix("/").expect("a whole path"))), seen(&self.source));
        if let Some(restic) = self.estate.opened(self.agent.id)[0].restic("") {
            restic.ok(&["check"]);
            assert_eq!(restic.list("locks"), Vec::<String>::new());
        }
    }
}

#[test]
fn a_user_stops_a_backup_in_every_state() {
    let mut ground = Ground::new();
    let mut met = 0;
    for at in OF_A_BACKUP {
        let Some(backup) = ground.held_backup(at) else { continue };
        met += 1;
        ground.estate.api.stop_run("backup", backup);
        // The request that is held does not keep it.
        ground.estate.api.await_state(backup, &["Stopped"]);
        let report = ground.estate.api.any_report(backup);
        assert_eq!((&report["CanRestore"], &report["SnapshotId"]), (&json!(false), &Value::Null), "{at}: {report}");
        ground.let_go();
    }
    assert!(met >= 4, "{met} requests were met: the list names what the agent does not ask");
    ground.agent.stop();
    let untaken = ground.estate.api.start(ground.configuration);
    ground.estate.api.stop_run("backup", untaken);
    assert_eq!(ground.estate.api.run_state(untaken), "Stopped");
    ground.agent.start();
    ground.conclude();
}

#[test]
fn a_user_stops_a_restore_wherever_it_is_and_nothing_half_is_left() {
    let ground = Ground::new();
    let backup = ground.estate.api.runs_of("Backup")[0];
    let mut met = 0;
    for number in [0, 1, 3, 5, 7] {
        let target = ground.estate.path(&format!("stopped {number}"));
        ground.estate.proxy.gate().hold("GET /agent/v1/restores/", number);
        let restore = ground.estate.api.begin_restore(&Wanted::all(backup, ground.agent.id, &target));
        if ground.await_held(restore) {
            met += 1;
            ground.estate.api.stop_run("restore", restore);
            ground.estate.api.await_state(restore, &["Stopped"]);
        }
        ground.let_go();
        let place = target.join(ground.source.strip_prefix("/").expect("a whole path"));
        for file in tree::files_below(&place) {
            let whole = ground.source.join(file.strip_prefix(&place).expect("it is below"));
            let (found, expected) = (file.symlink_metadata().expect("it is there"), whole.symlink_metadata());
            let expected = expected.unwrap_or_else(|_| panic!("{} is no file of the backup", file.display()));
            assert!(!found.is_file() || sha(&file) == sha(&whole), "{} is half a file", file.display());
            assert_eq!(found.is_file(), expected.is_file());
        }
    }
    assert!(met >= 3, "{met} requests were met");
    ground.conclude();
}

fn sha(file: &std::path::Path) -> String {
    tree::sha256(&std::fs::read(file).expect("a file is read"))
}

#[test]
fn a_backup_goes_on_under_its_id_after_a_sigterm_in_every_state() {
    let mut ground = Ground::new();
    let mut met = 0;
    for at in OF_A_BACKUP {
        let Some(backup) = ground.held_backup(at) else { continue };
        met += 1;
        ground.agent.stop();
        ground.let_go();
        assert!(!["Stopped", "Failed"].contains(&ground.estate.api.run_state(backup).as_str()), "it stays live");
        ground.agent.start();
        ground.estate.api.await_completed(backup);
    }
    assert!(met >= 4, "{met} requests were met");
    ground.conclude();
}

#[test]
fn a_restore_goes_on_under_its_id_after_a_sigterm_and_after_a_crash() {
    let mut ground = Ground::new();
    let backup = ground.estate.api.runs_of("Backup")[0];
    for (number, kills) in [(1, false), (4, false), (7, true)] {
        let target = ground.estate.path(&format!("target {number} {kills}"));
        ground.estate.proxy.gate().hold("GET /agent/v1/restores/", number);
        let restore = ground.estate.api.begin_restore(&Wanted::all(backup, ground.agent.id, &target));
        assert!(ground.await_held(restore), "it reads so much");
        if kills {
            ground.agent.kill()
        } else {
            ground.agent.stop()
        }
        ground.let_go();
        ground.agent.start();
        ground.estate.api.await_completed(restore);
        let place = target.join(ground.source.strip_prefix("/").expect("a whole path"));
        assert_eq!(seen(&place), seen(&ground.source), "{number} {kills}");
    }
}

/// The agent was silent for half an hour and comes back with the backup in its hands.
#[test]
fn a_backup_that_was_given_up_too_early_is_recorded_all_the_same() {
    let mut ground = Ground::new();
    let given_up = ground.held_backup("POST /agent/v1/vault/g1/snapshots/").expect("it stores a snapshot");
    ground.estate.api.await_state(given_up, &["InProgress"]);
    ground.estate.proxy.gate().hold("POST /agent/v1/runs/", 0);
    ground.estate.proxy.gate().await_held();
    ground.estate.clock.advance(Duration::from_secs(31 * 60));
    let report = {
        ground.estate.api.await_state(given_up, &["Failed"]);
        ground.estate.api.any_report(given_up)
    };
    assert_eq!(text(&report["Reason"]), "AgentLost", "{report}");
    ground.let_go();
    let late = eventually("the late backup has a row", AGENT_SOON, || {
        let last = *ground.estate.api.runs_of("Backup").last().expect("there are some");
        (last > given_up && ground.estate.api.run_state(last) == "Completed").then_some(last)
    });
    assert_eq!(ground.estate.api.run_state(given_up), "Failed");
    let target = ground.estate.path("late");
    ground.estate.api.restore(&Wanted::all(late, ground.agent.id, &target));
    assert_eq!(seen(&target.join(ground.source.strip_prefix("/").expect("a whole path"))), seen(&ground.source));
    ground.conclude();
}

//! A machine and a server whose clocks are wrong while a backup runs: schedules go on, and every backup restores (A8). Both stories
//! happened to users of another program, which backed up nothing more, or nothing that could be read (duplicati#1943 and #656).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::agent::{AGENT_SOON, Agent};
use crate::support::clock::{DAY, HOUR, SECOND};
use crate::support::estate::Estate;
use crate::support::false_clock::FalseClock;
use crate::support::figure::figure;
use crate::support::fleet::Api;
use crate::support::runs::Wanted;
use crate::support::seen::seen;
use crate::support::{SOON, eventually, skip, tree};

struct Ground {
    agent: Agent,
    source: PathBuf,
    configuration: i64,
    /// What each backup found.
    backups: Vec<(i64, BTreeMap<Vec<u8>, String>)>,
    /// The machine's clock; the server's is the estate's.
    clock: FalseClock,
    estate: Estate,
}

impl Ground {
    /// `None` where libfaketime is not installed.
    fn new(schedule: &Value) -> Option<Self> {
        let clock = FalseClock::new("+0d")?;
        let estate = Estate::new();
        let environment = clock.environment();
        let agent = environment.into_iter().fold(estate.registered("web-a"), |agent, (name, value)| agent.with_environment(&name, value));
        let source = estate.planted("source", 31, 2);
        let mut ground = Self { configuration: 0, agent, source, backups: Vec::new(), clock, estate };
        ground.agent.start();
        ground.configuration = ground.estate.configure(&ground.agent, &ground.source, schedule);
        Some(ground)
    }

    /// Both clocks are off by so many days from now on, behind where it is less than none.
    fn both_clocks(&mut self, days: i64) {
        self.clock.set(&format!("{days:+}d"));
        let span = u32::try_from(days.abs()).expect("a few years") * DAY;
        if days < 0 {
            self.estate.clock.jump_back(span)
        } else {
            self.estate.clock.jump_ahead(span)
        }
        self.estate.api = Api::of(&self.estate.user);
    }

    fn both_clocks_are_right(&mut self, days: i64) {
        self.both_clocks(-days);
        self.clock.set("+0d");
    }

    /// The machine boots with both clocks so many days ago. Waits until the schedule is planned by them: which instants pass before a
    /// server has looked at its clock, it cannot know.
    fn booted_in_the_past(&mut self, days: i64) {
        let planned = self.planned();
        self.both_clocks(-days);
        self.estate.restart_server();
        self.estate.api = Api::of(&self.estate.user);
        eventually("the schedule is planned anew", SOON, || (self.planned() != planned).then_some(()));
    }

    /// When the schedule is due next, as the API tells it.
    fn planned(&self) -> Value {
        let path = format!("/backup-configuration/{}", self.configuration);
        self.estate.api.get(&path).expect(200).json()["NextScheduledRunTime"].clone()
    }

    fn change(&self) {
        let number = self.backups.len();
        std::fs::write(self.source.join("changed"), tree::bytes(number as u64, 100_000)).expect("a file is written");
        std::fs::write(self.source.join(format!("new {number}")), tree::bytes(number as u64, 1_000)).expect("a file is written");
    }

    /// The backup that the schedule makes next, and that nobody else has asked for. Time goes on meanwhile: how long a server has run
    /// is not told by a clock that was set.
    fn scheduled(&mut self) -> i64 {
        let known = self.backups.len();
        let run = eventually("the schedule makes a run", AGENT_SOON, || {
            self.estate.clock.advance(SECOND);
            self.estate.api.runs_of("Backup").get(known).copied()
        });
        self.done(run)
    }

    /// A backup that somebody starts after a change.
    fn started(&mut self) -> i64 {
        self.change();
        let run = self.estate.api.start(self.configuration);
        self.done(run)
    }

    fn done(&mut self, run: i64) -> i64 {
        self.estate.api.await_completed(run);
        self.backups.push((run, seen(&self.source)));
        run
    }

    fn expect_all_restored(&self) {
        for (backup, found) in &self.backups {
            let target = self.estate.path(&format!("target {backup}"));
            self.estate.api.restore(&Wanted::all(*backup, self.agent.id, &target));
            assert_eq!(seen(&target.join(below(&self.source))), *found, "backup {backup}");
        }
    }
}

fn below(path: &Path) -> &Path {
    path.strip_prefix("/").expect("a whole path")
}

/// With a flat battery both machines begin twenty years ago, and a backup runs before anybody sets their clocks.
#[test]
fn after_a_backup_in_the_past_the_schedule_goes_on() {
    let Some(mut ground) = Ground::new(&json!({"Frequency": "Hourly", "HourInterval": 1})) else {
        return skip("libfaketime is not installed");
    };
    let expect_next = |ground: &mut Ground| {
        ground.change();
        ground.estate.advance(HOUR + SECOND);
        ground.scheduled()
    };
    expect_next(&mut ground);
    for _ in 0..2 {
        ground.booted_in_the_past(7_300);
        expect_next(&mut ground);
        ground.change();
        ground.both_clocks_are_right(-7_300);
        // Twenty years have passed at once, for which one run stands.
        ground.estate.advance(60 * SECOND);
        ground.scheduled();
        expect_next(&mut ground);
    }
    let ids: Vec<i64> = ground.backups.iter().map(|(id, _)| *id).collect();
    assert_eq!(ground.estate.api.runs_of("Backup"), ids, "none more than these");
    ground.expect_all_restored();
    let text = format!("{} backups, two of them twenty years ago: the schedule went on, all restored", ids.len());
    figure("A8", "duplicati#1943", &text, None);
}

/// The first backup, which later ones are compared with, says that it is of two months ahead.
#[test]
fn after_a_backup_in_the_future_the_next_ones_are_whole() {
    let Some(mut ground) = Ground::new(&json!({})) else { return skip("libfaketime is not installed") };
    ground.estate.server.expect_error("the wall clock jumped ahead");
    let before = ground.estate.api.clone();
    ground.both_clocks(60);
    // The first day of a jump is believed soon after it is seen, and a token lasts a day.
    ground.estate.server.await_log("the wall clock jumped ahead");
    eventually("the first day is believed", SOON, || (before.get("/activity").status() == 401).then_some(()));
    ground.estate.api = Api::of(&ground.estate.user);
    ground.started();
    ground.both_clocks_are_right(60);
    ground.started();
    ground.started();
    ground.expect_all_restored();
    let Some(restic) = ground.estate.opened(ground.agent.id)[0].restic("") else { return skip("restic is not installed") };
    restic.ok(&["check", "--read-data"]);
    let snapshots: Value = serde_json::from_str(&restic.ok(&["snapshots", "--json"])).expect("JSON");
    assert_eq!(snapshots.as_array().map(Vec::len), Some(3));
    figure("A8", "duplicati#656", "3 backups, the first of two months ahead: all restored, restic finds the vault clean", None);
}

//! A server whose catalog is gone, or of yesterday: what its agents know brings the rest back.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::agent::{AGENT_SOON, Agent};
use crate::support::estate::Estate;
use crate::support::runs::Wanted;
use crate::support::seen::seen;
use crate::support::tree::files_below;
use crate::support::{eventually, wait_until};

const PARTS: [&str; 3] = ["catalog.db", "catalog.db-wal", "catalog.db-shm"];

struct Ground {
    agent: Agent,
    source: PathBuf,
    configuration: i64,
    backup: i64,
    estate: Estate,
}

impl Ground {
    fn new() -> Self {
        let estate = Estate::new();
        let agent = estate.agent("web-a");
        let source = estate.planted("source", 12, 4);
        let configuration = estate.configure(&agent, &source, &json!({}));
        let backup = estate.api.complete(configuration);
        Self { agent, source, configuration, backup, estate }
    }

    fn keep_catalog(&mut self, to: &Path) {
        self.estate.server.stop();
        std::fs::create_dir_all(to).expect("a folder is made");
        for part in PARTS.iter().filter(|part| self.estate.server.data().join(part).exists()) {
            std::fs::copy(self.estate.server.data().join(part), to.join(part)).expect("a part of the catalog is copied");
        }
        self.go_on();
    }

    fn remove_catalog(&mut self) {
        self.estate.server.stop();
        for part in PARTS.iter().filter(|part| self.estate.server.data().join(part).exists()) {
            std::fs::remove_file(self.estate.server.data().join(part)).expect("a part of the catalog is removed");
        }
    }

    fn put_catalog_back(&mut self, from: &Path) {
        self.remove_catalog();
        for part in PARTS.iter().filter(|part| from.join(part).exists()) {
            std::fs::copy(from.join(part), self.estate.server.data().join(part)).expect("it is put back");
        }
    }

    fn go_on(&mut self) {
        self.start_server();
        self.estate.break_line();
    }

    fn start_server(&mut self) {
        self.estate.server.start_again();
        self.estate.proxy.move_to(self.estate.server.port());
        self.estate.api = crate::support::fleet::Api::of(&self.estate.user);
    }

    #[track_caller]
    fn expect_restored(&self, backup: i64) {
        let target = self.estate.path(&format!("target {backup}"));
        self.estate.api.restore(&Wanted::all(backup, self.agent.id, &target));
        assert_eq!(seen(&target.join(self.source.strip_prefix("/").expect("a whole path"))), seen(&self.source));
    }

    fn restorable(&self) -> Vec<i64> {
        let completed = self.estate.api.get(&format!("/backup/completed/{}", self.configuration)).expect(200).json();
        completed.as_array().expect("a list").iter().map(|backup| backup["BackupId"].as_i64().expect("an id")).collect()
    }
}

/// Backups that only the vault knows get their rows back, and no id is given twice.
#[test]
fn yesterdays_catalog_gets_its_backups_back_from_the_agent() {
    let mut ground = Ground::new();
    let copy = ground.estate.path("copy");
    ground.keep_catalog(&copy);
    std::fs::write(ground.source.join("new"), "since").expect("a file is written");
    let second = ground.estate.api.complete(ground.configuration);
    ground.agent.stop();
    ground.put_catalog_back(&copy);
    ground.go_on();
    assert_eq!(ground.restorable(), [ground.backup]);
    // The files of the vault come back by themselves, and the agent tells of them.
    ground.agent.start();
    eventually("the row is back", AGENT_SOON, || (ground.restorable() == [second, ground.backup]).then_some(()));
    ground.expect_restored(second);
    let third = ground.estate.api.complete(ground.configuration);
    assert!(third > second + 100_000, "ids of the forgotten time are skipped: {third} after {second}");
}

/// The agent runs on through all of it.
#[test]
fn an_agent_goes_on_with_a_catalog_of_yesterday_without_a_word_from_anybody() {
    let mut ground = Ground::new();
    let copy = ground.estate.path("copy");
    ground.keep_catalog(&copy);
    let second = ground.estate.api.complete(ground.configuration);
    ground.put_catalog_back(&copy);
    ground.estate.proxy.gate().take_passed();
    ground.go_on();
    // After every outage it says anew which ids there have been; one that is too short to be met is the lanes' to see.
    wait_until("it starts up anew", AGENT_SOON, || {
        ground.estate.break_line();
        ground.estate.proxy.gate().count("POST /agent/v1/startup") > 0
    });
    eventually("its backup is back", AGENT_SOON, || (ground.restorable() == [second, ground.backup]).then_some(()));
    let third = ground.estate.api.complete(ground.configuration);
    assert!(third > second && ground.agent.is_running(), "{third} after {second}");
}

/// A proxy that waits for its server hides the outage, and the catalog has never heard of the process that asks.
#[test]
fn an_agent_that_meets_no_outage_goes_on_with_a_catalog_of_yesterday_all_the_same() {
    let mut ground = Ground::new();
    let copy = ground.estate.path("copy");
    ground.keep_catalog(&copy);
    ground.agent.restart();
    let second = ground.estate.api.complete(ground.configuration);
    ground.estate.proxy.stall();
    ground.put_catalog_back(&copy);
    ground.estate.proxy.await_stalled();
    ground.start_server();
    ground.estate.proxy.go_on();
    eventually("its backup is back", AGENT_SOON, || (ground.restorable() == [second, ground.backup]).then_some(()));
    let third = ground.estate.api.complete(ground.configuration);
    assert!(third > second && ground.agent.is_running(), "{third} after {second}");
}

/// The blobs and what the server writes beside them bring agents, configurations and backups back.
#[test]
fn a_lost_catalog_is_rebuilt_and_its_agents_go_on() {
    let mut ground = Ground::new();
    // A start writes what has changed since the last small copy.
    let copies = ground.estate.server.data().join("blobs/.control");
    let before = files_below(&copies);
    ground.estate.server.stop();
    ground.go_on();
    wait_until("a small copy is written", AGENT_SOON, || files_below(&copies) != before);
    ground.remove_catalog();
    ground.estate.server.run(&["catalog", "rebuild"]).expect_exit(0);
    ground.go_on();
    ground.estate.api.await_online(ground.agent.id);
    eventually("its backup is restorable", AGENT_SOON, || ground.restorable().contains(&ground.backup).then_some(()));
    ground.expect_restored(ground.backup);
    ground.estate.api.complete(ground.configuration);
    assert!(ground.agent.is_running());
}

//! Agents and servers that are killed, and lines that break, at points of backups, restores and cleanups: every run ends in a final state,
//! the next one works, and stock restic finds the vault clean (A2).

use std::path::PathBuf;

use serde_json::json;

use crate::support::agent::{AGENT_SOON, Agent};
use crate::support::estate::Estate;
use crate::support::figure::figure;
use crate::support::runs::{FINAL, Wanted};
use crate::support::seen::seen;
use crate::support::{eventually, is_nightly, skip, tree};

/// After so many points everything is looked at.
const GROUP: u64 = 5;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Backup,
    Restore,
    Cleanup,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    KillAgent,
    KillServer,
    CutLine,
}

struct Ground {
    agent: Agent,
    source: PathBuf,
    configuration: i64,
    newest: i64,
    seed: u64,
    edits: u64,
    /// How many requests a run of this kind makes, as the last whole one did.
    requests: [u64; 3],
    completed: u64,
    met: u64,
    estate: Estate,
}

impl Ground {
    fn new(seed: u64) -> Self {
        let estate = Estate::new();
        let agent = estate.agent("web-a");
        let source = estate.planted("source", seed, 24);
        let configuration = estate.configure(&agent, &source, &json!({}));
        let newest = estate.api.complete(configuration);
        Self { agent, source, configuration, newest, seed, edits: 0, requests: [16, 16, 16], completed: 0, met: 0, estate }
    }

    fn random(&mut self, below: u64) -> u64 {
        tree::random(&mut self.seed, below)
    }

    /// One run with a fault at one of its requests, to its final state.
    fn harm(&mut self, kind: Kind, fault: Fault) {
        self.edits += 1;
        std::fs::write(self.source.join("new"), tree::bytes(self.seed + self.edits, 3 << 20)).expect("a file is written");
        std::fs::write(self.source.join(format!("new {}", self.edits)), self.edits.to_string()).expect("a file is written");
        if kind == Kind::Cleanup {
            self.leave_waste();
        }
        let after = {
            let most = self.requests[kind as usize];
            self.random(most)
        };
        self.estate.proxy.gate().take_passed();
        self.estate.proxy.gate().hold("", after);
        let run = self.begin(kind);
        self.met += u64::from(self.estate.is_met(run));
        match fault {
            Fault::KillAgent => self.agent.kill(),
            Fault::KillServer => self.estate.kill_server(),
            Fault::CutLine => {}
        }
        self.estate.break_line();
        self.estate.proxy.gate().open();
        if matches!(fault, Fault::KillAgent) {
            self.agent.start();
        }
        let (state, report) = self.await_end(run);
        self.completed += u64::from(state == "Completed");
        assert!(["Completed", "Failed"].contains(&state.as_str()), "{kind:?} after {fault:?} at {after}: {report}");
        // With nobody in its way it makes so many.
        if state == "Completed" {
            let passed = self.estate.proxy.gate().take_passed().len() as u64;
            self.requests[kind as usize] = passed.clamp(8, 60);
        }
    }

    fn begin(&self, kind: Kind) -> i64 {
        match kind {
            Kind::Backup => self.estate.api.start(self.configuration),
            Kind::Restore => {
                let target = self.estate.path(&format!("harmed {}", self.edits));
                self.estate.api.begin_restore(&Wanted::all(self.newest, self.agent.id, &target))
            }
            Kind::Cleanup => self.estate.api.begin_cleanup(self.agent.id),
        }
    }

    /// A backup that nobody needs any more.
    fn leave_waste(&self) {
        let folder = self.estate.planted(&format!("waste {}", self.edits), self.seed ^ self.edits, 0);
        std::fs::write(folder.join("large"), tree::bytes(self.seed ^ self.edits, 2 << 20)).expect("a file is written");
        let name = json!({"BackupConfigurationName": format!("waste {}", self.edits)});
        let configuration = self.estate.configure(&self.agent, &folder, &name);
        self.estate.api.complete(configuration);
        self.estate.api.delete(&format!("/backup-configuration/{configuration}")).expect(200);
    }

    /// The end of a run. A cleanup that packs half of so small a vault anew waits for its operator, who lets it go on.
    fn await_end(&self, run: i64) -> (String, serde_json::Value) {
        eventually(&format!("run {run} ends"), AGENT_SOON, || {
            let state = self.estate.api.run_state(run);
            if state == "InProgress" {
                drop(self.estate.server.run(&["fleet", "accept", &self.agent.id.to_string()]));
            }
            FINAL.contains(&state.as_str()).then(|| (state, self.estate.api.any_report(run)))
        })
    }

    /// The next backup, restore and cleanup are whole.
    fn expect_whole(&mut self) {
        self.newest = self.estate.api.complete(self.configuration);
        let target = self.estate.path(&format!("whole {}", self.newest));
        self.estate.api.restore(&Wanted::all(self.newest, self.agent.id, &target));
        assert_eq!(seen(&target.join(self.source.strip_prefix("/").expect("a whole path"))), seen(&self.source));
        std::fs::remove_dir_all(&target).expect("it goes");
    }

    fn conclude(&mut self) {
        self.expect_whole();
        let cleanup = self.estate.api.begin_cleanup(self.agent.id);
        assert_eq!(self.await_end(cleanup).0, "Completed");
        let opened = self.estate.opened(self.agent.id);
        let Some(restic) = opened[0].restic("") else { return skip("restic is not installed") };
        restic.ok(&["check", "--read-data"]);
        assert_eq!(restic.list("locks"), Vec::<String>::new());
    }
}

fn harmed(fault: Fault, part: &str, seed: u64) {
    let count = if is_nightly() { 100 } else { 20 };
    let mut ground = Ground::new(seed);
    for number in 0..count {
        let kind = [Kind::Backup, Kind::Restore, Kind::Backup, Kind::Cleanup][usize::try_from(number % 4).expect("it fits")];
        ground.harm(kind, fault);
        if number % GROUP == GROUP - 1 {
            ground.expect_whole();
        }
    }
    ground.conclude();
    let text = format!(
        "{count} points, {} met, {} of the runs completed all the same; each ended, every next run was whole, restic found the vault clean",
        ground.met, ground.completed
    );
    figure("A2", part, &text, Some(seed));
}

#[test]
fn a_killed_agent_leaves_no_run_open_and_no_vault_damaged() {
    harmed(Fault::KillAgent, "agent killed", 0x5EED_01A8);
}

#[test]
fn a_killed_server_costs_time_alone() {
    harmed(Fault::KillServer, "agent, server killed", 0x5EED_02A8);
}

#[test]
fn a_line_that_breaks_costs_time_alone() {
    harmed(Fault::CutLine, "agent, line cut", 0x5EED_03A8);
}

//! Random calls of users, random reports of an agent and a clock that moves at random: whatever happens, the rules of states hold.

use std::collections::{BTreeMap, BTreeSet};

use super::chance::Chance;
use super::fleet::{Fleet, MINUTE, TENANT, hourly, update};
use super::rig::Rig;
use crate::model::instant::{HOUR_MICROS, Instant};
use crate::model::run::{Reported, RunKind, RunState as S};
use crate::model::run_record::{Counters, Run};
use crate::model::schedule::Timing;
use crate::model::work::RunUpdate;

const STEPS: u32 = 300;

/// What one step may do to a run that it was not about.
fn may_happen_by_itself(before: &Run, after: &Run) -> bool {
    let (from, to) = (before.state, after.state);
    match to {
        _ if from == to => true,
        S::Missed => from.is_waiting() && before.kind == RunKind::Backup,
        S::Failed => from == S::StartRequested && before.kind != RunKind::Backup || from.is_taken() && from != S::StopRequested,
        S::Stopped => from == S::StopRequested || from.is_waiting(),
        S::StopRequested => from.is_taken(),
        _ => false,
    }
}

struct World {
    fleet: Fleet,
    configurations: Vec<i64>,
    chance: Chance,
    /// All runs as they were after the last step.
    runs: BTreeMap<i64, Run>,
}

impl World {
    fn random(&mut self, below: usize) -> usize {
        usize::try_from(self.chance.below(u64::try_from(below).expect("few"))).expect("few")
    }

    fn any_configuration(&mut self) -> i64 {
        let place = self.random(self.configurations.len());
        self.configurations[place]
    }

    fn any_run(&mut self) -> Option<Run> {
        // Mostly a young one, where something may still happen.
        let young = self.runs.len().min(if self.random(4) == 0 { 1000 } else { 8 });
        let place = self.random(young.max(1));
        self.runs.values().rev().nth(place).cloned()
    }

    /// Does something; which run it was about, and its state as the rules have it then.
    async fn step(&mut self) -> Option<(i64, S)> {
        match self.random(12) {
            0 | 1 => self.start().await,
            2 => self.stop().await,
            3..=7 => self.report().await,
            8 => {
                self.edit().await;
                None
            }
            9 => self.restore_or_clean().await,
            _ => {
                self.wait().await;
                None
            }
        }
    }

    async fn start(&mut self) -> Option<(i64, S)> {
        let configuration = self.any_configuration();
        let waits = self.runs.values().any(|run| run.configuration == Some(configuration) && is_waiting_backup(run));
        let started = self.fleet.store().start_backup(TENANT, configuration).await.expect("the catalog answers");
        started.ok().map(|id| (id, if waits { S::Skipped } else { S::StartRequested }))
    }

    async fn stop(&mut self) -> Option<(i64, S)> {
        let run = self.any_run()?;
        let outcome = match run.kind {
            RunKind::Backup => self.fleet.store().stop_backup(TENANT, run.id).await,
            RunKind::Restore => self.fleet.store().stop_restore(TENANT, run.id).await,
            RunKind::Cleanup => return None,
        };
        assert_eq!(outcome.expect("the catalog answers").is_ok(), run.state.is_live(), "{run:?}");
        let stopped = match run.state {
            state if state.is_waiting() => S::Stopped,
            state if state.is_taken() => S::StopRequested,
            state => state,
        };
        Some((run.id, stopped))
    }

    async fn report(&mut self) -> Option<(i64, S)> {
        let run = self.any_run()?;
        let said = [S::Queued, S::Preparing, S::InProgress, S::Completed, S::CompletedWithErrors, S::Failed, S::Stopped];
        // Mostly what comes next.
        let said = match (self.random(4), run.state) {
            (1.., S::StartRequested | S::StartScheduled) => S::Queued,
            (1.., S::Queued) => S::Preparing,
            (1.., S::Preparing) => S::InProgress,
            _ => said[self.random(said.len())],
        };
        let attempt = if self.random(10) == 0 { run.attempt + 1 } else { run.attempt };
        let has_snapshot = self.random(4) > 0;
        let snapshot = if said.is_success() && has_snapshot { Some(self.fleet.snapshot(self.fleet.agent).await) } else { None };
        let counters = Counters { files_searched: i64::try_from(self.random(1000)).expect("few"), ..Counters::default() };
        let end = RunUpdate { attempt, counters, snapshot, ..update(said) };
        let outcome = self.fleet.report(run.id, end).await;
        if attempt != run.attempt {
            assert_eq!(outcome, Ok(None));
            return Some((run.id, run.state));
        }
        let verdict = run.state.reported(run.kind, said);
        assert_eq!(outcome.is_err(), verdict == Reported::Refused, "{said:?} after {:?}", run.state);
        let state = match verdict {
            Reported::Moves if said.is_success() && run.kind == RunKind::Backup && !has_snapshot => S::Failed,
            Reported::Moves => said,
            _ => run.state,
        };
        Some((run.id, state))
    }

    async fn edit(&mut self) {
        let configuration = self.any_configuration();
        let enabled = self.random(3) > 0;
        match self.random(6) {
            number @ 0..=2 => {
                let changed = self.fleet.store().enable_agent(TENANT, self.fleet.agent, number > 0).await;
                changed.expect("the catalog answers").expect("it is there");
            }
            _ => {
                let changed = self.fleet.store().enable_configuration(TENANT, configuration, enabled).await;
                changed.expect("the catalog answers").expect("it is there");
            }
        }
    }

    async fn restore_or_clean(&mut self) -> Option<(i64, S)> {
        if self.random(2) == 0 {
            let cleanup = self.fleet.store().start_cleanup(TENANT, self.fleet.agent).await.expect("the catalog answers");
            return cleanup.ok().map(|id| (id, S::StartRequested));
        }
        let restores: Vec<Run> = self.runs.values().filter(|run| run.kind == RunKind::Restore).cloned().collect();
        if let Some(restore) = restores.last().filter(|_| !self.chance.0.is_multiple_of(3)) {
            let outcome = self.fleet.start_restore(restore.id, None).await;
            return Some((restore.id, if outcome == "allowed" { S::StartRequested } else { restore.state }));
        }
        let configuration = self.any_configuration();
        let backup = *self.fleet.restorable(configuration).await.first()?;
        let view = self.fleet.store().agent(TENANT, self.fleet.agent).await.expect("the catalog answers").expect("it is there");
        if view.agent.is_disabled {
            return None;
        }
        let restore = self.fleet.restore_of(backup).await;
        assert_eq!(self.fleet.start_restore(restore, None).await, "allowed");
        Some((restore, S::StartRequested))
    }

    async fn wait(&mut self) {
        let spans = [MINUTE / 2, MINUTE, 12 * MINUTE, 16 * MINUTE, 31 * MINUTE, HOUR_MICROS, 7 * HOUR_MICROS, 25 * HOUR_MICROS];
        let span = spans[self.random(spans.len())];
        if self.random(3) > 0 {
            self.fleet.hear_of("web-a").await;
        }
        match self.random(5) {
            0 => drop(self.fleet.pass_unserved(span).await),
            1 => {
                let jump = if self.random(2) == 0 { span } else { -span };
                self.fleet.rig.clock.jump_wall(jump);
                self.fleet.pass(MINUTE).await;
            }
            _ => drop(self.fleet.pass(span).await),
        }
    }

    /// The rules, whatever was done.
    async fn check(&mut self, about: Option<(i64, S)>, said: &str) {
        let entries = self.fleet.store().activity(TENANT, None).await.expect("the catalog answers").expect("it is ours");
        let now: BTreeMap<i64, Run> = entries.into_iter().map(|entry| (entry.run.id, entry.run)).collect();
        for (id, before) in &self.runs {
            let after = now.get(id).unwrap_or_else(|| panic!("{said}: run {id} is gone"));
            if about.is_some_and(|(about, _)| about == *id) {
                continue;
            }
            assert!(may_happen_by_itself(before, after), "{said}: {before:?} became {after:?}");
            assert!(!before.state.is_final() || before == after, "{said}: {before:?} became {after:?}");
        }
        if let Some((id, state)) = about {
            assert_eq!(now[&id].state, state, "{said}: {:?}", now[&id]);
            let was_final = self.runs.get(&id).is_some_and(|before| before.state.is_final());
            assert!(!was_final || self.runs[&id] == now[&id] || now[&id].attempt == self.runs[&id].attempt + 1, "{said}");
        }
        let mut occurrences = BTreeSet::new();
        for run in now.values() {
            assert!(run.kind.knows(run.state), "{said}: {run:?}");
            assert_eq!(run.state.is_final(), run.completed_at.is_some(), "{said}: {run:?}");
            assert_eq!(run.kind == RunKind::Backup && run.state.is_success(), run.snapshot.is_some(), "{said}: {run:?}");
            assert!(run.due_at.is_none() || occurrences.insert((run.configuration, run.due_at, run.is_catch_up)), "{said}: {run:?}");
        }
        for configuration in &self.configurations {
            let waiting = now.values().filter(|run| run.configuration == Some(*configuration) && is_waiting_backup(run)).count();
            assert!(waiting <= 1, "{said}: {waiting} wait");
        }
        let cleanups = now.values().filter(|run| run.kind == RunKind::Cleanup && run.state.is_live()).count();
        assert!(cleanups <= 1, "{said}: {cleanups} cleanups");
        self.fleet.store().work_of(self.fleet.agent).await.expect("what is wanted can always be told");
        self.runs = now;
    }
}

fn is_waiting_backup(run: &Run) -> bool {
    run.kind == RunKind::Backup && (run.state.is_waiting() || run.state == S::Queued)
}

pub(super) async fn whatever_happens_the_rules_of_states_hold(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let mut configurations = Vec::new();
    for (named, timing) in [("manual", Timing::Manually), ("often", hourly(1)), ("seldom", hourly(23))] {
        configurations.push(fleet.configure(named, timing).await);
    }
    let seed = Instant::from_micros(crate::clock::Clock::system().wall().micros()).micros().unsigned_abs() | 1;
    let mut world = World { fleet, configurations, chance: Chance(seed), runs: BTreeMap::new() };
    for step in 0..STEPS {
        let about = world.step().await;
        world.check(about, &format!("seed {seed}, step {step}")).await;
    }
    assert!(world.runs.len() > 10, "seed {seed}: something happened");
}

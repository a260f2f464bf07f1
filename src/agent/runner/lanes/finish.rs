//! What follows when something has ended.

use std::time::Instant;

use super::choose::name;
use super::{AGAIN_AFTER, Doubt, Finish, Key, Lanes, Last, Order, Stage, Taken};
use crate::agent::leash::{Leash, Why};
use crate::model::run::RunState;
use crate::wire::channel::run::RunReport;
use crate::wire::channel::state_text;
use crate::wire::channel::work::Run;

impl Lanes {
    /// The taking of a run has ended.
    pub fn taken(&mut self, key: Key, taken: Taken, now: Instant) -> Vec<Order> {
        let Some(held) = self.held.get_mut(&key).filter(|held| held.stage == Stage::Taking) else { return Vec::new() };
        let mut orders = match (taken, held.leash.why()) {
            (Taken::Unwanted, _) | (_, Some(Why::Unwanted)) => self.drop_run(key),
            (_, Some(Why::Stopped)) => self.say_stopped(key).into_iter().collect(),
            (Taken::Yes(run), None) if run.stop => {
                held.run = *run;
                self.say_stopped(key).into_iter().collect()
            }
            (Taken::Yes(run), None) => {
                held.run = Run { state: held.run.state.clone(), ..*run };
                held.stage = Stage::Waiting;
                Vec::new()
            }
            (Taken::Yes(_) | Taken::Cut, _) => self.leave_live(key),
        };
        orders.extend(self.choose(now));
        orders
    }

    /// A job has ended.
    pub fn ended(&mut self, key: Key, finish: Finish, now: Instant) -> Vec<Order> {
        let Some(held) = self.held.get_mut(&key).filter(|held| held.stage == Stage::Running) else { return Vec::new() };
        let why = held.leash.why();
        let mut orders: Vec<Order> = match (finish, why) {
            // It came to its end before it noticed that it was to stop, so that is the truth.
            (Finish::Done(report), _) => self.say(key, report).into_iter().collect(),
            (Finish::Panicked, _) => {
                let last = held.last.get();
                self.say(key, failed(last, "AgentError", PANICKED)).into_iter().collect()
            }
            (Finish::Cut(report), Some(Why::Stopped)) => {
                self.say(key, RunReport { state: state_text(RunState::Stopped), ..report }).into_iter().collect()
            }
            (Finish::Cut(_), Some(Why::Unwanted)) => self.drop_run(key),
            (Finish::Cut(_), Some(Why::Halted)) if !self.is_leaving => {
                held.waits_for_word = !held.is_making_way;
                held.stage = Stage::Waiting;
                (held.leash, held.last) = (Leash::default(), Last::default());
                if held.waits_for_word { vec![Order::AskAnew] } else { Vec::new() }
            }
            (Finish::Cut(_), Some(Why::Ending | Why::Halted)) => self.leave_live(key),
            (Finish::Cut(report), None) => self.say(key, failed(report, "StorageUnavailable", CUT)).into_iter().collect(),
        };
        orders.extend(self.choose(now));
        orders
    }

    /// The server has the final report of a run, or will never take it.
    pub fn said(&mut self, key: Key) {
        self.held.remove(&key);
        self.done.insert(key, Doubt::None);
    }

    /// The repository of a generation was made, or was not.
    pub fn made(&mut self, number: i64, is_made: bool, now: Instant) -> Vec<Order> {
        self.making = None;
        match self.vault.generations.iter_mut().find(|generation| generation.number == number) {
            Some(generation) if is_made => generation.is_ready = true,
            _ => _ = self.again_at.insert(name(number), now + AGAIN_AFTER),
        }
        self.choose(now)
    }

    /// A request was answered, or could not be.
    pub fn answered(&mut self, id: &str, is_answered: bool, now: Instant) -> Vec<Order> {
        self.answering = None;
        if is_answered {
            self.answered.insert(id.to_owned());
        } else {
            self.again_at.insert(id.to_owned(), now + AGAIN_AFTER);
        }
        self.choose(now)
    }

    /// What is due by now although nothing happened: a job that does not obey a user's stop is left behind.
    pub fn at(&mut self, now: Instant) -> Vec<Order> {
        let is_due = |at: Instant| now.saturating_duration_since(at) >= self.stop_patience;
        let stuck: Vec<Key> = self
            .held
            .iter()
            .filter(|(_, held)| held.stage == Stage::Running && held.stopped_at.is_some_and(is_due))
            .map(|(key, _)| *key)
            .collect();
        self.stuck.extend(&stuck);
        let mut orders: Vec<Order> = stuck.into_iter().filter_map(|key| self.say_stopped(key)).collect();
        orders.extend(self.choose(now));
        orders
    }

    /// Nothing of it is wanted.
    fn drop_run(&mut self, key: Key) -> Vec<Order> {
        self.said(key);
        vec![Order::Forget(key)]
    }

    /// It stays live: the next process goes on, or this one, where a list still holds it.
    fn leave_live(&mut self, key: Key) -> Vec<Order> {
        self.held.remove(&key);
        if self.is_leaving { Vec::new() } else { vec![Order::AskAnew] }
    }
}

const PANICKED: &str = "The agent met a fault of its own; its log says where.";
const CUT: &str = "The agent lost its hold on the vault: the lock could not be kept fresh.";

fn failed(report: RunReport, reason: &str, note: &str) -> RunReport {
    RunReport { state: state_text(RunState::Failed), reason: Some(reason.to_owned()), note: Some(note.to_owned()), ..report }
}

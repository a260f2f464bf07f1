//! What a new list of all that is wanted changes.

use std::collections::BTreeSet;
use std::time::Instant;

use super::{Doubt, Held, Key, Lanes, Order, Stage};
use crate::agent::leash::Why;
use crate::model::run::RunState;
use crate::wire::channel::run::RunReport;
use crate::wire::channel::state_text;
use crate::wire::channel::work::{JobText, Run, Work};

impl Lanes {
    /// What is listed is wanted, what is not is not.
    pub fn heed(&mut self, work: Work, now: Instant) -> Vec<Order> {
        if self.is_leaving {
            return Vec::new();
        }
        self.vault = work.vault;
        self.requests = work.requests;
        self.forget_what_is_gone();
        let listed: BTreeSet<Key> = work.runs.iter().map(Key::of).collect();
        self.done.retain(|key, _| listed.contains(key));
        let mut orders = self.let_go(&listed);
        orders.extend(work.runs.into_iter().filter_map(|run| self.heed_run(run, now)));
        orders.extend(self.choose(now));
        orders
    }

    /// A final report that was kept by an earlier process, to be said again.
    pub fn repeat(&mut self, id: i64, report: RunReport) -> Order {
        let key = Key { id, attempt: report.attempt };
        let job = JobText::Cleanup { forget: Vec::new(), is_halted: false };
        let run = Run { id, attempt: report.attempt, state: report.state.clone(), stop: false, job };
        let held = Held::new(run, Stage::Saying);
        let leash = held.leash.clone();
        self.held.insert(key, held);
        Order::Say(key, Box::new(report), leash)
    }

    fn let_go(&mut self, listed: &BTreeSet<Key>) -> Vec<Order> {
        for (_, held) in self.held.iter().filter(|(key, held)| !listed.contains(key) && held.stage != Stage::Saying) {
            held.leash.pull(Why::Unwanted);
        }
        let is_idle = |key: &Key, held: &mut Held| held.stage == Stage::Waiting && !listed.contains(key);
        self.held.extract_if(.., is_idle).map(|(key, _)| Order::Forget(key)).collect()
    }

    fn heed_run(&mut self, run: Run, now: Instant) -> Option<Order> {
        let key = Key::of(&run);
        if self.done.contains_key(&key) {
            return self.doubt(&run, key);
        }
        let stop = run.stop;
        let Some(held) = self.held.get_mut(&key) else {
            let held = Held::new(run.clone(), if stop { Stage::Waiting } else { Stage::Taking });
            let leash = held.leash.clone();
            self.held.insert(key, held);
            return if stop { self.say_stopped(key) } else { Some(Order::Take(Box::new(run), leash)) };
        };
        if let JobText::Cleanup { is_halted, .. } = &run.job {
            held.waits_for_word = false;
            if *is_halted {
                held.leash_if_running(Why::Halted);
            }
            held.run.job = run.job;
        }
        match held.stage {
            Stage::Waiting if stop => return self.say_stopped(key),
            Stage::Taking | Stage::Running if stop => {
                held.leash.pull(Why::Stopped);
                held.stopped_at.get_or_insert(now);
            }
            Stage::Taking | Stage::Waiting | Stage::Running | Stage::Saying => {}
        }
        None
    }

    /// A run that has ended is listed. Nobody makes one wait again: where a list that was asked for after its end says so, the id was given
    /// to another run, by a catalog that is older than the first. The server hears from a start-up which ids were used, and the run is
    /// taken when it is listed after that.
    fn doubt(&mut self, run: &Run, key: Key) -> Option<Order> {
        let doubt = self.done.get_mut(&key).filter(|_| run.is_waiting())?;
        if *doubt == Doubt::None {
            *doubt = Doubt::WaitsAgain;
            return Some(Order::AskAnew);
        }
        self.done.remove(&key);
        Some(Order::StartUpAnew)
    }

    /// Says that a user's stop is obeyed, with the last numbers that are known.
    pub(super) fn say_stopped(&mut self, key: Key) -> Option<Order> {
        let last = self.held.get(&key)?.last.get();
        self.say(key, RunReport { state: state_text(RunState::Stopped), ..last })
    }

    pub(super) fn say(&mut self, key: Key, report: RunReport) -> Option<Order> {
        let held = self.held.get_mut(&key)?;
        held.stage = Stage::Saying;
        // The leash of the job may be pulled: what is to be said is not.
        held.leash = crate::agent::leash::Leash::default();
        if self.is_leaving {
            held.leash.pull(Why::Ending);
        }
        Some(Order::Say(key, Box::new(RunReport { attempt: key.attempt, ..report }), held.leash.clone()))
    }

    fn forget_what_is_gone(&mut self) {
        let listed: BTreeSet<&str> = self.requests.iter().map(|request| request.id.as_str()).collect();
        self.answered.retain(|id| listed.contains(id.as_str()));
        self.again_at.retain(|name, _| listed.contains(name.as_str()) || name.starts_with('g'));
    }
}

impl Held {
    fn leash_if_running(&self, why: Why) {
        if self.stage == Stage::Running {
            self.leash.pull(why);
        }
    }
}

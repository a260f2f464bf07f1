//! Long polls that agents hold, and the one query a second that tells which of them are answered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::shutdown::Shutdown;
use crate::store::Store;

/// How soon a change reaches the agents of any server.
const PERIOD: Duration = Duration::from_secs(1);

/// The agents that wait, each with the polls it holds: mostly one.
#[derive(Default)]
pub struct Polls(Mutex<Held>);

#[derive(Default)]
struct Held {
    waiting: HashMap<i64, Vec<oneshot::Sender<()>>>,
    is_closed: bool,
}

impl Polls {
    /// Waits for a change of what is wanted of the agent. To be called before what is wanted is read, so that no change falls between.
    pub fn hold(&self, agent: i64) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut held = self.held();
        if !held.is_closed {
            let polls = held.waiting.entry(agent).or_default();
            polls.retain(|poll| !poll.is_closed());
            polls.push(sender);
        }
        receiver
    }

    /// Watches the catalog until the stop is given; then all polls are answered at once, those that are still to come too.
    pub async fn run(self: Arc<Self>, store: Store, mut shutdown: Shutdown) {
        let mut timer = tokio::time::interval(PERIOD);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut since = 0;
        loop {
            tokio::select! {
                () = shutdown.stopped() => break,
                _ = timer.tick() => {}
            }
            if self.held().waiting.is_empty() {
                continue;
            }
            match store.work_since(since).await {
                Ok(changed) => {
                    since = changed.last().map_or(since, |(_, work)| *work);
                    self.answer(changed.iter().map(|(agent, _)| *agent));
                }
                Err(error) => tracing::debug!(error = %crate::store::chain(&error), "what is new for agents cannot be told now"),
            }
        }
        let mut held = self.held();
        held.is_closed = true;
        held.waiting.clear();
    }

    fn answer(&self, agents: impl Iterator<Item = i64>) {
        let mut held = self.held();
        for poll in agents.filter_map(|agent| held.waiting.remove(&agent)).flatten().collect::<Vec<_>>() {
            // Who gave up hears nothing.
            let _ = poll.send(());
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().expect("nobody panics while holding the polls")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_answers_every_poll_of_its_agent_and_no_other() {
        let polls = Polls::default();
        let (mut one, mut same, mut other) = (polls.hold(1), polls.hold(1), polls.hold(2));
        polls.answer([1, 3].into_iter());
        assert_eq!([one.try_recv().is_ok(), same.try_recv().is_ok(), other.try_recv().is_ok()], [true, true, false]);
    }

    #[tokio::test]
    async fn polls_that_were_given_up_leave_nothing_behind() {
        let polls = Polls::default();
        for _ in 0..1000 {
            drop(polls.hold(1));
        }
        assert!(polls.held().waiting[&1].len() <= 1);
    }
}

//! The loop itself: an event comes in, the lanes say what follows, the hands carry it out. It waits for nothing but the next event, and
//! wakes by itself only where something is due.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Instant;

use super::hands::Hands;
use super::lanes::{Lanes, Order};
use super::leaving::Leaving;
use super::log_level::LogLevel;
use super::notify::Systemd;
use super::{Event, Farewell, Terms};
use crate::wire::channel::run::RunReport;
use crate::wire::channel::work::Work;

pub(super) struct Brain {
    pub lanes: Lanes,
    pub hands: Hands,
    pub level: LogLevel,
    pub systemd: Systemd,
    pub terms: Terms,
    /// Final reports that an earlier process kept.
    pub unsaid: Vec<(i64, RunReport)>,
    pub leaving: Option<Leaving>,
}

impl Brain {
    /// Goes on until the process is to end, and all that was begun has ended, or has been waited for long enough.
    pub fn run(mut self, events: &Receiver<Event>) -> Farewell {
        loop {
            let now = Instant::now();
            if let Some(leaving) = self.leaving.take_if(|leaving| self.lanes.is_empty() || leaving.is_over(now)) {
                return leaving.farewell;
            }
            self.systemd.tell(&self.lanes.status(), now);
            let event = self.next(events, now);
            let _heeded = match &event {
                Some(Event::Work(_, heeded)) => Some(heeded.clone()),
                _ => None,
            };
            let now = Instant::now();
            let mut orders = event.map_or_else(Vec::new, |event| self.take(event, now));
            orders.extend(self.lanes.at(now));
            orders.into_iter().for_each(|order| self.hands.carry_out(order));
            if self.lanes.is_stuck() && self.leaving.is_none() {
                tracing::error!("a job that was stopped does not end: this process ends without it, to be started again");
                self.leave(Farewell::Stuck, now);
            }
        }
    }

    /// The next event; `None` where something is due before.
    fn next(&self, events: &Receiver<Event>, now: Instant) -> Option<Event> {
        let leaving = self.leaving.as_ref().map(|leaving| leaving.until);
        let due = [leaving, self.lanes.next_deadline(), self.systemd.next_beat()].into_iter().flatten().min();
        let event = match due {
            None => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => events.recv_timeout(due.saturating_duration_since(now)),
        };
        assert!(event.as_ref().err() != Some(&RecvTimeoutError::Disconnected), "the hands hold a sender");
        event.ok()
    }

    fn take(&mut self, event: Event, now: Instant) -> Vec<Order> {
        match event {
            Event::Up(jobs) => {
                self.hands.jobs = Some(jobs);
                std::mem::take(&mut self.unsaid).into_iter().map(|(run, report)| self.lanes.repeat(run, report)).collect()
            }
            Event::Work(work, _) => self.heed(*work, now),
            Event::Taken(key, taken) => self.lanes.taken(key, taken, now),
            Event::Ended(key, finish) => self.lanes.ended(key, finish, now),
            Event::Said(key) => {
                self.lanes.said(key);
                Vec::new()
            }
            Event::Made(number, is_made) => self.lanes.made(number, is_made, now),
            Event::Answered(id, is_answered) => self.lanes.answered(&id, is_answered, now),
            Event::Leave(farewell) => {
                self.leave(farewell, now);
                Vec::new()
            }
        }
    }

    fn heed(&mut self, work: Work, now: Instant) -> Vec<Order> {
        // Before all else: no later catalog may give the same id to another run.
        if let Some(highest) = work.runs.iter().map(|run| run.id).max() {
            self.hands.memory.saw_run(highest);
        }
        self.level.heed(&work.log_level);
        self.lanes.heed(work, now)
    }

    fn leave(&mut self, farewell: Farewell, now: Instant) {
        if self.leaving.is_none() {
            match &farewell {
                Farewell::Asked => tracing::info!("the agent ends, as it was told; runs go on when it is started again"),
                Farewell::Superseded => tracing::warn!("the agent ends: a newer process of it is up"),
                Farewell::Deleted => tracing::error!("the agent ends: it was deleted at its server; nothing is erased here"),
                Farewell::OtherMachine(why) => tracing::error!(why, "the agent ends: its server knows another machine by this name"),
                Farewell::Stuck => tracing::error!("the agent ends, to be started again"),
            }
            super::notify::stopping("ends");
            self.lanes.leave();
            self.leaving = Some(Leaving { farewell, until: now + self.terms.leave_patience });
        }
    }
}

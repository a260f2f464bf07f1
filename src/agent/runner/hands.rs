//! What carries orders out: a thread for each, which says by one event how it ended, whatever happened to it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;

use super::doing::Doing;
use super::lanes::{Finish, Key, Last, Order, Taken};
use super::patience::Pauses;
use super::saying::{Noting, say_final, say_queued};
use super::server::{Memory, Server};
use super::{Event, Farewell};
use crate::agent::jobs::{Ended, Reporter};
use crate::agent::leash::Leash;
use crate::wire::channel::run::RunReport;
use crate::wire::channel::work::{Generation, JobText, Request, Run, Vault};

pub(super) struct Hands {
    pub server: Arc<dyn Server>,
    pub memory: Arc<dyn Memory>,
    /// `None` until the server knows this process; no list comes before that.
    pub jobs: Option<Arc<dyn Doing>>,
    pub events: Sender<Event>,
    pub pauses: Pauses,
    /// Whether the next poll is to be answered at once.
    pub asks_anew: Arc<AtomicBool>,
    /// Whether a start-up is to come before the next poll.
    pub starts_up_anew: Arc<AtomicBool>,
}

impl Hands {
    pub fn carry_out(&self, order: Order) {
        match order {
            Order::Take(run, leash) => self.take(*run, leash),
            Order::Start(run, vault, leash, last) => self.start(*run, vault, leash, last),
            Order::Say(key, report, leash) => self.say(key, *report, leash),
            Order::Forget(key) => self.memory.forget_run(key.id, key.attempt),
            Order::Make(generation, leash) => self.make(generation, leash),
            Order::Answer(request, vault, leash) => self.answer(request, vault, leash),
            Order::AskAnew => self.asks_anew.store(true, Ordering::Relaxed),
            Order::StartUpAnew => self.starts_up_anew.store(true, Ordering::Relaxed),
        }
    }

    /// The server forgets a restore's passphrase when the run is taken, so it is kept before that.
    fn take(&self, run: Run, leash: Leash) {
        let key = Key::of(&run);
        if let JobText::Restore { encrypted_password: Some(hex), .. } = &run.job {
            self.memory.keep_ciphertext(run.id, run.attempt, hex);
        }
        let (server, pauses) = (Arc::clone(&self.server), self.pauses);
        let work = move || Event::Taken(key, say_queued(&*server, key, &leash, pauses));
        self.spawn("taking", move || Event::Taken(key, Taken::Cut), work);
    }

    fn start(&self, run: Run, vault: Vault, leash: Leash, last: Last) {
        let key = Key::of(&run);
        let noting = Noting { server: Arc::clone(&self.server), last };
        let reporter = Reporter { channel: Arc::new(noting), run: run.id, attempt: run.attempt, leash };
        let jobs = self.jobs();
        tracing::info!(run = run.id, attempt = run.attempt, "a run begins");
        let work = move || {
            let finish = match jobs.run(&vault, &run, &reporter) {
                Ended::Done(report) => Finish::Done(report),
                Ended::Cut(report) => Finish::Cut(report),
            };
            Event::Ended(key, finish)
        };
        self.spawn("run", move || Event::Ended(key, Finish::Panicked), work);
    }

    /// It is kept first: what a cut leaves unsaid, the next process says.
    fn say(&self, key: Key, report: RunReport, leash: Leash) {
        tracing::info!(run = key.id, attempt = key.attempt, state = report.state, "a run has ended");
        self.memory.keep_report(key.id, &report);
        let (server, memory, pauses) = (Arc::clone(&self.server), Arc::clone(&self.memory), self.pauses);
        let work = move || {
            if say_final(&*server, key.id, report, &leash, pauses) {
                memory.forget_run(key.id, key.attempt);
            }
            Event::Said(key)
        };
        self.spawn("saying", move || Event::Said(key), work);
    }

    fn make(&self, generation: Generation, leash: Leash) {
        let (jobs, number) = (self.jobs(), generation.number);
        let work = move || {
            let made = jobs.make_generation(&generation, &leash);
            if let Err(error) = &made {
                tracing::warn!(generation = number, why = super::patience::chain(error), "a repository cannot be made now");
            }
            Event::Made(number, made.is_ok())
        };
        self.spawn("making", move || Event::Made(number, false), work);
    }

    fn answer(&self, request: Request, vault: Vault, leash: Leash) {
        let (jobs, id) = (self.jobs(), request.id.clone());
        let work = move || {
            let answered = jobs.answer(&vault, &request, &leash);
            if let Err(error) = &answered {
                tracing::warn!(request = request.id, why = super::patience::chain(error), "a request cannot be answered now");
            }
            Event::Answered(request.id, answered.is_ok())
        };
        self.spawn("answering", move || Event::Answered(id.clone(), false), work);
    }

    fn jobs(&self) -> Arc<dyn Doing> {
        Arc::clone(self.jobs.as_ref().expect("no list comes before the start-up"))
    }

    /// One event, whatever happens: that of `work`, or `otherwise` where it panics or no thread can be started.
    fn spawn(&self, name: &str, otherwise: impl Fn() -> Event + Send + Clone + 'static, work: impl FnOnce() -> Event + Send + 'static) {
        let (events, instead) = (self.events.clone(), otherwise.clone());
        let whole = move || {
            let event = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| instead());
            // Where nobody listens the process has ended.
            let _ = events.send(event);
        };
        if let Err(error) = std::thread::Builder::new().name(name.to_owned()).spawn(whole) {
            tracing::error!(%error, "no thread can be started");
            let _ = self.events.send(otherwise());
        }
    }
}

/// Runs what the whole process depends on: a panic there ends it, so that it is started again.
pub(super) fn spawn_vital(name: &str, events: Sender<Event>, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    let whole = move || {
        if catch_unwind(AssertUnwindSafe(work)).is_err() {
            let _ = events.send(Event::Leave(Farewell::Stuck));
        }
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(whole).map(drop)
}

//! The loop: ask what is wanted, do it, say so.
//!
//! One thread starts up and then polls (`start_up`, `poll`), one decides (`brain`, by the rules in `lanes`), and each run that is taken,
//! done or reported has a thread for as long as that lasts (`hands`). They speak by events alone.
//!
//! What it promises: every list is all that is wanted, so a run that is not listed any more is let go, and one that is listed and not in
//! hand is taken, whatever happened before. A final report is kept before it is said and said until the server has it. No failure of the
//! network, the server or a job ends the process: it ends by a signal, when a newer process is up, when the agent was deleted or belongs
//! to another machine, and when a thread cannot be stopped by anything else.

mod brain;
mod doing;
mod hands;
mod lanes;
mod leaving;
mod log_level;
mod notify;
pub(in crate::agent) mod patience;
mod poll;
mod saying;
mod server;
mod snapshots;
mod start_up;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

pub use leaving::Farewell;
pub use log_level::SetLevel;

use super::channel::Channel;
use super::jobs::Tools;
use super::machine;
use super::state::{State, StateError};
use super::vaults::Vaults;
use super::{Settings, state::Bootstrap};
use crate::vault::cancel::Cancel;
use crate::wire::channel::startup::{Started, Startup};
use crate::wire::channel::work::Work;
use brain::Brain;
use doing::Doing;
use hands::{Hands, spawn_vital};
use lanes::{Finish, Key, Lanes, Taken};
use log_level::LogLevel;
use patience::{Patience, Pauses};
use poll::Polled;
use start_up::StartUp;

/// How long the runner waits for what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Terms {
    /// For a job to end that a user stopped, before it is left behind.
    pub stop_patience: Duration,
    /// For everything to end when the process is to.
    pub leave_patience: Duration,
    /// For the vault, at the start-up.
    pub look_patience: Duration,
    /// Between two tries of a call.
    pub pauses: Pauses,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            stop_patience: Duration::from_secs(60),
            leave_patience: Duration::from_secs(45),
            look_patience: Duration::from_secs(60),
            pauses: Pauses::default(),
        }
    }
}

/// What a process of the agent is started with.
pub struct Start {
    pub state: State,
    pub settings: Settings,
    /// Raised when the process is to end.
    pub cancel: Cancel,
    pub set_level: SetLevel,
    pub terms: Terms,
}

/// Why the loop cannot begin. No text holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the agent's state cannot be used")]
    State(#[from] StateError),
    #[error("the server cannot be called")]
    Server(#[from] crate::vault::error::Error),
    #[error("no thread can be started")]
    Thread(#[source] std::io::Error),
}

enum Event {
    /// The server knows this process.
    Up(Arc<dyn Doing>),
    /// A list. The sender is dropped once all that follows from it has been ordered.
    Work(Box<Work>, Sender<()>),
    Taken(Key, Taken),
    Ended(Key, Finish),
    Said(Key),
    Made(i64, bool),
    Answered(String, bool),
    Leave(Farewell),
}

/// Runs the agent until it is to end. A state that says that the agent was deleted is tried all the same: it may have been revived.
pub fn run(start: Start) -> Result<Farewell, StartError> {
    let Start { state, settings, cancel, set_level, terms } = start;
    let state = Arc::new(state);
    let bootstrap = state.bootstrap()?;
    let (address, trust) = (bootstrap.address()?, bootstrap.trust()?);
    let channel = Arc::new(Channel::new(bootstrap.agent_id, &address, &trust, &bootstrap.agent_key, &cancel)?);
    let vaults = Vaults::new(address, trust, settings, Arc::clone(&state), Arc::clone(&channel));
    let level = LogLevel::begin(state.folder(), set_level);
    tracing::info!(agent = bootstrap.agent_id, server = bootstrap.server, "the agent is up");
    let (sender, events) = std::sync::mpsc::channel();
    let (asks_anew, starts_up_anew) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let brain = Brain {
        lanes: Lanes::new(terms.stop_patience),
        hands: Hands {
            server: Arc::clone(&channel) as _,
            memory: Arc::clone(&state) as _,
            jobs: None,
            events: sender.clone(),
            pauses: terms.pauses,
            asks_anew: Arc::clone(&asks_anew),
            starts_up_anew: Arc::clone(&starts_up_anew),
        },
        level,
        systemd: notify::Systemd::ready(Instant::now()),
        terms,
        unsaid: state.journal().reports(),
        leaving: None,
    };
    let startup = Startup {
        facts: machine::facts(&state)?,
        fingerprint: machine::fingerprint(&state)?,
        highest_run_id: state.journal().highest_run(),
        snapshots: Vec::new(),
    };
    let asking =
        Asking { state: Arc::clone(&state), startup, settings, channel, asks_anew, starts_up_anew, cancel, terms, events: sender.clone() };
    spawn_vital("asking", sender, move || asking.run(vaults)).map_err(StartError::Thread)?;
    let farewell = brain.run(&events);
    if farewell == Farewell::Deleted {
        mark(&state, false);
    }
    Ok(farewell)
}

/// What the thread that asks needs.
struct Asking {
    state: Arc<State>,
    startup: Startup,
    settings: Settings,
    channel: Arc<Channel>,
    asks_anew: Arc<AtomicBool>,
    starts_up_anew: Arc<AtomicBool>,
    cancel: Cancel,
    terms: Terms,
    events: Sender<Event>,
}

impl Asking {
    fn run(self, vaults: Vaults) {
        let farewell = match self.start_up(&vaults) {
            Ok(started) => self.ask(vaults, &started),
            Err(farewell) => farewell,
        };
        self.hand_on(Event::Leave(farewell));
    }

    fn start_up(&self, vaults: &Vaults) -> Result<Started, Farewell> {
        let startup = Startup { highest_run_id: self.state.journal().highest_run(), ..self.startup.clone() };
        let start_up = StartUp { server: &*self.channel, startup, cancel: &self.cancel, pauses: self.terms.pauses };
        start_up.run(|| mark(&self.state, true), |vault| snapshots::look(&self.state, vaults, vault, self.terms.look_patience))
    }

    fn ask(&self, vaults: Vaults, started: &Started) -> Farewell {
        let tools = Tools {
            settings: self.settings,
            state: Arc::clone(&self.state),
            channel: Arc::clone(&self.channel),
            vaults,
            server_is_ahead_seconds: ahead_seconds(&started.time),
        };
        let tools = Arc::new(tools);
        self.hand_on(Event::Up(Arc::clone(&tools) as _));
        let mut patience = Patience::telling(self.terms.pauses);
        loop {
            match poll::poll(&*self.channel, (&self.asks_anew, &self.starts_up_anew), &self.cancel, &mut patience, |event| {
                self.hand_on(event)
            }) {
                Polled::Over(farewell) => return farewell,
                Polled::Interrupted => {
                    if let Err(farewell) = self.start_up(&tools.vaults) {
                        return farewell;
                    }
                }
            }
        }
    }

    fn hand_on(&self, event: Event) {
        // Where nobody listens the process has ended.
        let _ = self.events.send(event);
    }
}

/// By how much the server's clock is ahead of this machine's.
fn ahead_seconds(server: &str) -> i64 {
    let now = jiff::Timestamp::now();
    server.parse::<jiff::Timestamp>().map_or(0, |server| server.as_second() - now.as_second())
}

/// Notes whether the server knows the agent. Nothing is ever erased.
fn mark(state: &State, is_registered: bool) {
    let kept = state.bootstrap().and_then(|bootstrap| {
        if bootstrap.is_registered == is_registered { Ok(()) } else { state.keep(&Bootstrap { is_registered, ..bootstrap }) }
    });
    if let Err(error) = kept {
        tracing::error!(why = patience::chain(&error), "it cannot be noted whether the agent is registered");
    }
}

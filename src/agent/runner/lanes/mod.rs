//! What runs at once, and what waits. No threads and no calls: events come in, orders go out, so every rule here can be tried by itself.
//!
//! One backup or cleanup at a time, in order of their ids, backups first; a waiting backup halts a running cleanup, which goes on
//! afterwards. A restore runs beside them, one at a time. A change of the passphrase waits for the backup or cleanup that runs, and comes
//! before the next one; the repository of a new generation is made before that. What fails there is tried again later and holds up nothing.

mod choose;
mod finish;
mod heed;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::agent::leash::{Leash, Why};
use crate::wire::channel::run::RunReport;
use crate::wire::channel::work::{Generation, JobText, Request, Run, Vault};

/// When a request, or the making of a generation, is tried again that did not succeed.
const AGAIN_AFTER: Duration = Duration::from_mins(5);

/// A run and which try of it. Restores are started again under their id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Key {
    pub id: i64,
    pub attempt: i64,
}

/// What is to be done; whoever does it says how it ended.
pub(super) enum Order {
    /// Report `queued`, until the server has it.
    Take(Box<Run>, Leash),
    Start(Box<Run>, Vault, Leash, Last),
    /// Keep this final report, and send it until the server has it.
    Say(Key, Box<RunReport>, Leash),
    Forget(Key),
    Make(Generation, Leash),
    Answer(Request, Vault, Leash),
    /// The next list is to come although the server thinks it is known.
    AskAnew,
    /// The server does not remember what it gave out before: it is to hear what a start-up tells.
    StartUpAnew,
}

/// How the taking of a run ended.
pub(super) enum Taken {
    /// The run as it is to be done.
    Yes(Box<Run>),
    /// The server wants nothing of it.
    Unwanted,
    /// Its leash was pulled.
    Cut,
}

/// How a job ended.
pub(super) enum Finish {
    Done(RunReport),
    Cut(RunReport),
    Panicked,
}

/// The last that was said of a run that is being done.
#[derive(Clone, Default)]
pub(super) struct Last(Arc<Mutex<Option<RunReport>>>);

impl Last {
    pub fn note(&self, report: &RunReport) {
        *self.0.lock().expect("nothing panics while it holds the report") = Some(report.clone());
    }

    fn get(&self) -> RunReport {
        self.0.lock().expect("nothing panics while it holds the report").clone().unwrap_or_default()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Taking,
    Waiting,
    Running,
    /// Its final report is being said.
    Saying,
}

/// What is thought of a run that has ended and is listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Doubt {
    None,
    /// It waits again. The list may be older than its end, so the next one tells.
    WaitsAgain,
}

struct Held {
    /// Its state is the one in which this process met it first.
    run: Run,
    stage: Stage,
    leash: Leash,
    last: Last,
    /// Since when a user has wanted the job to end that is running.
    stopped_at: Option<Instant>,
    /// We halted it for a backup.
    is_making_way: bool,
    /// It was halted by the server, and nobody has said yet that it may go on.
    waits_for_word: bool,
}

/// A request that is being answered.
struct Answering {
    is_change: bool,
    leash: Leash,
}

/// All that this process has in hand.
pub(super) struct Lanes {
    vault: Vault,
    held: BTreeMap<Key, Held>,
    /// Runs that have ended, until a list comes without them: one that was made before may still hold them.
    done: BTreeMap<Key, Doubt>,
    requests: Vec<Request>,
    answering: Option<Answering>,
    /// Requests that are answered, until a list comes without them.
    answered: BTreeSet<String>,
    making: Option<Leash>,
    /// What did not succeed, and when it is tried again.
    again_at: BTreeMap<String, Instant>,
    is_leaving: bool,
    /// Runs whose thread was left behind.
    stuck: Vec<Key>,
    stop_patience: Duration,
}

impl Key {
    pub const fn of(run: &Run) -> Self {
        Self { id: run.id, attempt: run.attempt }
    }
}

impl Held {
    fn new(run: Run, stage: Stage) -> Self {
        Self { run, stage, leash: Leash::default(), last: Last::default(), stopped_at: None, is_making_way: false, waits_for_word: false }
    }

    const fn is_restore(&self) -> bool {
        matches!(self.run.job, JobText::Restore { .. })
    }

    const fn is_backup(&self) -> bool {
        matches!(self.run.job, JobText::Backup { .. })
    }
}

impl Lanes {
    /// A job that does not end within `stop_patience` after a user stopped it is left behind.
    pub const fn new(stop_patience: Duration) -> Self {
        Self {
            vault: Vault { generations: Vec::new() },
            held: BTreeMap::new(),
            done: BTreeMap::new(),
            requests: Vec::new(),
            answering: None,
            answered: BTreeSet::new(),
            making: None,
            again_at: BTreeMap::new(),
            is_leaving: false,
            stuck: Vec::new(),
            stop_patience,
        }
    }

    /// Nothing new is begun, and all that is under way is to end. Runs stay live.
    pub fn leave(&mut self) {
        self.is_leaving = true;
        self.held.retain(|_, held| held.stage != Stage::Waiting);
        let others = self.making.iter().chain(self.answering.iter().map(|answering| &answering.leash));
        for leash in self.held.values().map(|held| &held.leash).chain(others) {
            leash.pull(Why::Ending);
        }
    }

    /// Whether nothing is in hand.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty() && self.making.is_none() && self.answering.is_none()
    }

    /// Whether a thread was left behind that could not be stopped, and the server knows: only a new process gets rid of it.
    pub fn is_stuck(&self) -> bool {
        self.stuck.iter().any(|key| !self.held.contains_key(key))
    }

    /// When something is due although nothing happens.
    pub fn next_deadline(&self) -> Option<Instant> {
        let running = self.held.values().filter(|held| held.stage == Stage::Running);
        let stops = running.filter_map(|held| held.stopped_at).map(|at| at + self.stop_patience);
        let again = self.again_at.values().copied().filter(|_| !self.is_leaving);
        stops.chain(again).min()
    }

    /// What the process does, for people.
    pub fn status(&self) -> String {
        let running: Vec<String> = self.held.values().filter(|held| held.stage == Stage::Running).map(Held::name).collect();
        let waiting = self.held.values().filter(|held| held.stage == Stage::Waiting).count();
        let mut text = if running.is_empty() { "waits for work".to_owned() } else { running.join(", ") };
        if waiting > 0 {
            text.push_str(&format!("; {waiting} waiting"));
        }
        text
    }
}

impl Held {
    fn name(&self) -> String {
        let kind = match self.run.job {
            JobText::Backup { .. } => "backup",
            JobText::Restore { .. } => "restore",
            JobText::Cleanup { .. } => "cleanup",
        };
        format!("{kind} {}", self.run.id)
    }
}

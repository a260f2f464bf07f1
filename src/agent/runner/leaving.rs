//! Why a process of the agent ends, and how long it waits for what it has begun.

use std::time::Instant;

/// Why the process ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Farewell {
    /// By a signal.
    Asked,
    /// A newer process of this agent is up.
    Superseded,
    /// The agent was deleted.
    Deleted,
    /// Another machine registered as this agent, or this one is its clone. The server's own words, which name what to do.
    OtherMachine(String),
    /// Something cannot be stopped but by the end of the process, which is to be started again.
    Stuck,
}

/// A process that ends.
pub(super) struct Leaving {
    pub farewell: Farewell,
    /// Later than this nothing is waited for.
    pub until: Instant,
}

impl Leaving {
    pub fn is_over(&self, now: Instant) -> bool {
        now >= self.until
    }
}

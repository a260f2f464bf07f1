//! How an agent's machine is backed up, as whoever works at that machine is told.

use super::agent::Agent;
use super::instant::Instant;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AgentStatus {
    pub agent: Agent,
    /// The next backup goes where only its user's passphrase reads it.
    pub is_encrypted: bool,
    /// Something is being done, or is to be done.
    pub has_live_runs: bool,
    /// Where there are none, nothing is backed up.
    pub active: Vec<ActiveConfiguration>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ActiveConfiguration {
    pub id: i64,
    pub name: String,
    /// `None` where it runs only when somebody starts it.
    pub next_at: Option<Instant>,
    /// When the newest backup that can be restored was completed.
    pub newest_backup_at: Option<Instant>,
}

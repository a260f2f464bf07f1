//! `GET status`: how the agent's machine is backed up.

use serde::{Deserialize, Serialize};

use crate::model::agent_status::{ActiveConfiguration, AgentStatus};
use crate::model::instant::Instant;

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Status {
    pub agent_id: i64,
    pub machine_name: String,
    pub is_disabled: bool,
    pub is_encrypted: bool,
    /// Something is being done, or is to be done.
    pub has_live_runs: bool,
    /// When a backup of this agent was last completed, RFC 3339.
    pub last_success: Option<String>,
    /// Those that are active; where there are none, nothing is backed up.
    pub configurations: Vec<Configuration>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Configuration {
    pub id: i64,
    pub name: String,
    /// RFC 3339; `None` where it runs only when somebody starts it.
    pub next_run: Option<String>,
    /// When the newest backup that can be restored was completed, RFC 3339.
    pub last_backup: Option<String>,
}

impl Status {
    pub fn of(status: &AgentStatus) -> Self {
        Self {
            agent_id: status.agent.id,
            machine_name: status.agent.facts.machine_name.clone(),
            is_disabled: status.agent.is_disabled,
            is_encrypted: status.is_encrypted,
            has_live_runs: status.has_live_runs,
            last_success: status.agent.last_success_at.map(Instant::rfc3339),
            configurations: status.active.iter().map(Configuration::of).collect(),
        }
    }
}

impl Configuration {
    fn of(active: &ActiveConfiguration) -> Self {
        let (next_run, last_backup) = (active.next_at.map(Instant::rfc3339), active.newest_backup_at.map(Instant::rfc3339));
        Self { id: active.id, name: active.name.clone(), next_run, last_backup }
    }
}

//! Agents as clients read them.

use serde::Serialize;

use super::{FLAVOR, Key};
use crate::model::agent::Agent;
use crate::wire::human;
use crate::wire::json::Date;

/// What an agent's object shows beside its row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shown {
    /// The vault's URI.
    pub container: String,
    pub vault_bytes: u64,
    pub is_encrypted: bool,
    pub cleanup_allowed: bool,
    /// `Online`, `Offline` or `Unknown`.
    pub status: &'static str,
    pub shows_last_success: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AgentObject<'a> {
    agent_version: &'a str,
    architecture: &'a str,
    backup_container: String,
    backup_datacenter: &'a str,
    backup_vault_size: String,
    cleanup_allowed: bool,
    datacenter: &'a str,
    flavor: &'static str,
    host_server_id: &'a str,
    #[serde(rename = "IPAddress")]
    ip_address: &'a str,
    is_disabled: bool,
    is_encrypted: bool,
    machine_agent_id: i64,
    machine_name: &'a str,
    operating_system: &'a str,
    operating_system_version: &'a str,
    public_key: Key<'a>,
    status: &'static str,
    time_of_last_successful_backup: Option<Date>,
    use_failover_uri: bool,
    use_service_net: bool,
}

impl<'a> AgentObject<'a> {
    pub fn of(agent: &'a Agent, shown: Shown) -> Self {
        let facts = &agent.facts;
        Self {
            agent_version: &facts.version,
            architecture: &facts.architecture,
            backup_container: shown.container,
            backup_datacenter: &agent.backup_datacenter,
            backup_vault_size: human::size(shown.vault_bytes),
            cleanup_allowed: shown.cleanup_allowed,
            datacenter: &agent.datacenter,
            flavor: FLAVOR,
            host_server_id: &facts.host_server_id,
            ip_address: &facts.ip_address,
            is_disabled: agent.is_disabled,
            is_encrypted: shown.is_encrypted,
            machine_agent_id: agent.id,
            machine_name: &facts.machine_name,
            operating_system: &facts.operating_system,
            operating_system_version: &facts.operating_system_version,
            public_key: Key::of(&agent.public_key),
            status: shown.status,
            time_of_last_successful_backup: agent.last_success_at.filter(|_| shown.shows_last_success).map(Date),
            use_failover_uri: agent.uses_failover,
            use_service_net: agent.uses_service_net,
        }
    }
}

/// The answer to a changed behaviour: both spellings of the data centre.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ChangedAgent<'a> {
    #[serde(flatten)]
    pub agent: AgentObject<'a>,
    #[serde(rename = "BackupDataCenter")]
    pub backup_data_center: &'a str,
}

//! The operator's side of the fleet: all agents of all tenants, what is not backed up, and agents that come back.

use super::agent_rows::{agents_where, any_agent};
use super::configuration_rows::configurations_where;
use super::configurations::plan_all;
use super::work::vault_view;
use super::{Outcome, Refusal, Rows, agents, copies_are_stale, restorable, wants};
use crate::model::agent::Agent;
use crate::model::instant::Instant;
use crate::model::work::VaultView;
use crate::store::catalog::Connection;
use crate::store::revive::revive;
use crate::store::{Result, Store};

/// An agent as the operator sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FleetEntry {
    pub agent: Agent,
    pub vault_bytes: u64,
    pub is_encrypted: bool,
    pub active_configurations: i64,
}

/// Why something is not backed up as somebody would expect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Lack {
    /// The agent has no active configuration.
    NoConfiguration { agent: i64, machine_name: String },
    /// An active configuration has no backup that can be restored and is young enough.
    Old { agent: i64, machine_name: String, configuration: i64, name: String, newest: Option<Instant> },
}

impl Store {
    /// Agents by id, of one tenant where it is named; those that were deleted where asked for.
    pub async fn fleet(&self, tenant: Option<String>, deleted_too: bool) -> Result<Vec<FleetEntry>> {
        self.read(move |connection| {
            let state = if deleted_too { "" } else { "AND deleted_at IS NULL" };
            let condition = format!("(tenant = $1 OR CAST($2 AS BIGINT) = 1) {state} ORDER BY id");
            let values = [tenant.clone().unwrap_or_default().into(), i64::from(tenant.is_none()).into()];
            agents_where(connection, &condition, &values)?.into_iter().map(|agent| entry(connection, agent)).collect()
        })
        .await
    }

    /// What is wrong with the backups of agents that are neither deleted nor disabled: `before` is how old the newest may be.
    pub async fn fleet_lacks(&self, before: Instant) -> Result<Vec<Lack>> {
        self.read(move |connection| {
            let mut lacks = Vec::new();
            for agent in agents_where(connection, "deleted_at IS NULL AND disabled = 0 ORDER BY id", &[])? {
                lacks.extend(lacks_of(connection, &agent, before)?);
            }
            Ok(lacks)
        })
        .await
    }

    /// The agent of this id, deleted or not, and the repositories of its vault.
    pub async fn fleet_agent(&self, id: i64) -> Result<Option<(Agent, VaultView)>> {
        self.read(move |connection| {
            let Some(agent) = any_agent(connection, id)? else { return Ok(None) };
            let vault = vault_view(connection, agent.account.as_str())?;
            Ok(Some((agent, vault)))
        })
        .await
    }

    /// Takes the deletion of an agent back: its vault, its configurations and its key are what they were.
    pub async fn revive_agent(&self, id: i64) -> Result<Outcome<()>> {
        let times = self.times();
        let outcome = self
            .write(move |connection| {
                wants(connection, id)?;
                let Some(agent) = any_agent(connection, id)? else { return Ok(Err(Refusal::no_agent(id))) };
                let Some(deleted_at) = agent.deleted_at else {
                    return Ok(Err(Refusal::Invalid(format!("Agent {id} was not deleted."))));
                };
                connection.execute("UPDATE agents SET deleted_at = NULL WHERE id = $1", &[id.into()])?;
                let back = "UPDATE configurations SET deleted_at = NULL, keeps_backups = 0 WHERE agent = $1 AND deleted_at = $2 AND keeps_backups = 1";
                connection.execute(back, &[id.into(), deleted_at.micros().into()])?;
                let removed = "SELECT removed_at FROM accounts WHERE id = $1 AND removed_at IS NOT NULL";
                let removed = connection.query(removed, &[agent.account.as_str().into()])?;
                if let Some(row) = removed.first() {
                    let before = Instant::from_micros(row.int(0)? - 1);
                    connection.execute("UPDATE accounts SET removed_at = NULL WHERE id = $1", &[agent.account.as_str().into()])?;
                    revive(connection, &agent.account, before, times.now)?;
                }
                plan_all(connection, id, times.wall)?;
                copies_are_stale(connection)?;
                Ok(Ok(()))
            })
            .await?;
        self.tell_hides_soon().await;
        Ok(outcome)
    }
}

fn entry(connection: &mut dyn Connection, agent: Agent) -> Rows<FleetEntry> {
    let active = "SELECT COUNT(*) FROM configurations WHERE agent = $1 AND active = 1 AND deleted_at IS NULL";
    let active_configurations = connection.query(active, &[agent.id.into()])?.first().map_or(Ok(0), |row| row.int(0))?;
    let view = agents::view(connection, agent)?;
    Ok(FleetEntry { vault_bytes: view.vault_bytes, is_encrypted: view.is_encrypted, active_configurations, agent: view.agent })
}

fn lacks_of(connection: &mut dyn Connection, agent: &Agent, before: Instant) -> Rows<Vec<Lack>> {
    let machine_name = || agent.facts.machine_name.clone();
    let active = configurations_where(connection, "agent = $1 AND active = 1 AND deleted_at IS NULL ORDER BY id", &[agent.id.into()])?;
    if active.is_empty() {
        return Ok(vec![Lack::NoConfiguration { agent: agent.id, machine_name: machine_name() }]);
    }
    let mut lacks = Vec::new();
    for configuration in active {
        let newest = restorable::newest(connection, configuration.id)?.map(|(_, at)| at);
        if newest.is_none_or(|at| at < before) {
            let (configuration, name) = (configuration.id, configuration.settings.name);
            lacks.push(Lack::Old { agent: agent.id, machine_name: machine_name(), configuration, name, newest });
        }
    }
    Ok(lacks)
}

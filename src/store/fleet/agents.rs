//! Agents, as users see, change and end them.

use super::agent_rows::{agent_of, agents_where, any_agent};
use super::ending::{close_if_over, stop_runs};
use super::{Outcome, Refusal, Rows, copies_are_stale, mail, outbox, wants, wants_where};
use crate::model::access::AccountId;
use crate::model::agent::{Agent, LogLevel};
use crate::store::catalog::{Connection, Value};
use crate::store::{Result, Store};

/// What of an agent's vault its representations show.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AgentView {
    pub agent: Agent,
    /// Names its vault without any secret.
    pub vault_uuid: String,
    /// Live bytes of its vault; in a list as they were when its last run ended.
    pub vault_bytes: u64,
    /// What the next backup will be.
    pub is_encrypted: bool,
    pub is_cleaning: bool,
}

impl Store {
    /// The tenant's agents that were not deleted, by id.
    pub async fn agents(&self, tenant: &str) -> Result<Vec<AgentView>> {
        let tenant = tenant.to_owned();
        self.read(move |connection| {
            let agents = agents_where(connection, "tenant = $1 AND deleted_at IS NULL ORDER BY id", &[tenant.as_str().into()])?;
            views(connection, agents, "agents.tenant = $1 AND agents.deleted_at IS NULL", &tenant.as_str().into())
        })
        .await
    }

    pub async fn agent(&self, tenant: &str, id: i64) -> Result<Outcome<AgentView>> {
        let tenant = tenant.to_owned();
        self.read(move |connection| match agent_of(connection, &tenant, id)? {
            Ok(agent) => view(connection, agent).map(Ok),
            Err(refusal) => Ok(Err(refusal)),
        })
        .await
    }

    /// Of several agents of one host the one that registered last.
    pub async fn agent_of_host(&self, tenant: &str, host: &str) -> Result<Outcome<AgentView>> {
        let values: [Value; 2] = [tenant.into(), host.into()];
        let refusal = Refusal::NotFound(format!("No agent of the server {host} was found."));
        self.read(move |connection| {
            let condition = "tenant = $1 AND host_server_id = $2 AND deleted_at IS NULL ORDER BY registered_at DESC, id DESC LIMIT 1";
            match agents_where(connection, condition, &values)?.pop() {
                Some(agent) => view(connection, agent).map(Ok),
                None => Ok(Err(refusal)),
            }
        })
        .await
    }

    /// Idempotent. What a disabled agent has not begun is stopped; what it is doing goes on.
    pub async fn enable_agent(&self, tenant: &str, id: i64, enabled: bool) -> Result<Outcome<()>> {
        let times = self.times();
        self.change_agent(tenant, id, move |connection, agent| {
            if agent.is_disabled != enabled {
                return Ok(Ok(()));
            }
            connection.execute("UPDATE agents SET disabled = $2 WHERE id = $1", &[id.into(), i64::from(!enabled).into()])?;
            if !enabled {
                let begun = "agent = $1 AND live = 1 AND state IN ('StartRequested', 'StartScheduled', 'Queued', 'Preparing')";
                stop_runs(connection, begun, &[id.into()], times, "The agent was disabled.")?;
                outbox::withdraw(connection, "agent = $1", id, times.now)?;
                mail::tell_of_agent(connection, agent, "was disabled", times)?;
            }
            super::configurations::plan_all(connection, id, times.wall)?;
            Ok(Ok(()))
        })
        .await
    }

    /// Ends an agent for good: its configurations with it. What runs may finish; then its vault is hidden and its key is dead.
    pub async fn delete_agent(&self, tenant: &str, id: i64) -> Result<Outcome<()>> {
        let times = self.times();
        let outcome = self
            .change_agent(tenant, id, move |connection, agent| {
                outbox::withdraw(connection, "agent = $1", id, times.now)?;
                mail::tell_of_agent(connection, agent, "was deleted", times)?;
                connection.execute("UPDATE agents SET deleted_at = $2 WHERE id = $1", &[id.into(), times.now.micros().into()])?;
                let values = [id.into(), times.now.micros().into()];
                let delete = "UPDATE configurations SET deleted_at = $2, next_at = NULL, catch_up_at = NULL, keeps_backups = 1 \
                              WHERE agent = $1 AND deleted_at IS NULL";
                connection.execute(delete, &values)?;
                let waiting = "agent = $1 AND live = 1 AND state IN ('StartRequested', 'StartScheduled')";
                stop_runs(connection, waiting, &[id.into()], times, "The agent was deleted.")?;
                close_if_over(connection, id, times)?;
                Ok(Ok(()))
            })
            .await?;
        self.tell_hides_soon().await;
        Ok(outcome)
    }

    /// The data centre must be one where the tenant has an agent.
    pub async fn change_agent_behavior(
        &self,
        tenant: &str,
        id: i64,
        uses_service_net: bool,
        datacenter: Option<String>,
    ) -> Result<Outcome<AgentView>> {
        let owner = tenant.to_owned();
        let outcome = self
            .change_agent(tenant, id, move |connection, _| {
                if let Some(datacenter) = &datacenter {
                    let values = [owner.as_str().into(), datacenter.as_str().into()];
                    let there = "SELECT id FROM agents WHERE tenant = $1 AND datacenter = $2 AND deleted_at IS NULL LIMIT 1";
                    if connection.query(there, &values)?.is_empty() {
                        return Ok(Err(Refusal::Invalid(format!("There is no server of yours in {datacenter}."))));
                    }
                    let set = "UPDATE agents SET backup_datacenter = $2 WHERE id = $1";
                    connection.execute(set, &[id.into(), datacenter.as_str().into()])?;
                }
                let set = "UPDATE agents SET uses_service_net = $2 WHERE id = $1";
                connection.execute(set, &[id.into(), i64::from(uses_service_net).into()])?;
                Ok(Ok(()))
            })
            .await?;
        match outcome {
            Ok(()) => self.agent(tenant, id).await,
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    pub async fn change_log_level(&self, tenant: &str, id: i64, level: LogLevel) -> Result<Outcome<()>> {
        self.change_agent(tenant, id, move |connection, _| {
            connection.execute("UPDATE agents SET log_level = $2 WHERE id = $1", &[id.into(), (level as i64).into()])?;
            Ok(Ok(()))
        })
        .await
    }

    /// Answers every long poll that the tenant's agents hold, on whatever server, within two seconds.
    pub async fn wake_agents(&self, tenant: &str) -> Result<()> {
        let tenant = tenant.to_owned();
        self.write(move |connection| wants_where(connection, "tenant = $2 AND deleted_at IS NULL", tenant.as_str().into())).await
    }

    /// Changes an agent of the tenant in one transaction; its next poll is answered, and the small copies are written again.
    pub(super) async fn change_agent<T, F>(&self, tenant: &str, id: i64, mut apply: F) -> Result<Outcome<T>>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Connection, &Agent) -> Rows<Outcome<T>> + Send + 'static,
    {
        let tenant = tenant.to_owned();
        self.write(move |connection| {
            if let Err(refusal) = agent_of(connection, &tenant, id)? {
                return Ok(Err(refusal));
            }
            wants(connection, id)?;
            // Read again now that nobody else changes it.
            let agent = match agent_of(connection, &tenant, id)? {
                Ok(agent) => agent,
                Err(refusal) => return Ok(Err(refusal)),
            };
            copies_are_stale(connection)?;
            apply(connection, &agent)
        })
        .await
    }
}

pub(super) fn view(connection: &mut dyn Connection, agent: Agent) -> Rows<AgentView> {
    let (id, account) = (agent.id, agent.account.clone());
    let found = views(connection, vec![agent], "agents.id = $1", &id.into())?.pop().expect("one agent has one view");
    let vault_bytes = u64::try_from(live_bytes(connection, &account)?).unwrap_or(0);
    Ok(AgentView { vault_bytes, ..found })
}

/// Live bytes of a vault.
pub(super) fn live_bytes(connection: &mut dyn Connection, account: &AccountId) -> Rows<i64> {
    let statement = "SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM files WHERE account = $1 AND state = 'live'";
    connection.query(statement, &[account.as_str().into()])?.first().map_or(Ok(0), |row| row.int(0))
}

/// The same for many agents in a few statements: `condition` finds them with `$1`.
fn views(connection: &mut dyn Connection, agents: Vec<Agent>, condition: &str, value: &Value) -> Rows<Vec<AgentView>> {
    use std::collections::{HashMap, HashSet};
    let values = [value.clone()];
    let used = format!("SELECT id, vault_bytes FROM agents WHERE {condition}");
    let used: HashMap<i64, i64> =
        connection.query(&used, &values)?.iter().map(|row| Ok((row.int(0)?, row.int(1)?))).collect::<Rows<_>>()?;
    let encrypted = format!(
        "SELECT agents.id FROM agents JOIN generations ON generations.account = agents.account WHERE {condition} AND generations.encrypted = 1"
    );
    let encrypted: HashSet<i64> = connection.query(&encrypted, &values)?.iter().map(|row| row.int(0)).collect::<Rows<_>>()?;
    let cleaning = format!(
        "SELECT agents.id FROM agents JOIN runs ON runs.agent = agents.id WHERE {condition} AND runs.live = 1 AND runs.kind = 'Cleanup'"
    );
    let cleaning: HashSet<i64> = connection.query(&cleaning, &values)?.iter().map(|row| row.int(0)).collect::<Rows<_>>()?;
    let view = |agent: Agent| AgentView {
        vault_uuid: vault_uuid(&agent.account),
        vault_bytes: used.get(&agent.id).map_or(0, |bytes| u64::try_from(*bytes).unwrap_or(0)),
        is_encrypted: encrypted.contains(&agent.id),
        is_cleaning: cleaning.contains(&agent.id),
        agent,
    };
    Ok(agents.into_iter().map(view).collect())
}

/// The same for ever, whoever has the vault: a UUID of version 8 (RFC 9562) from the account's id, which it does not show.
fn vault_uuid(account: &AccountId) -> String {
    let digest = crate::model::digest::Sha256Digest::of(format!("vault {account}").as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.0[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    super::requests::uuid_text(&bytes)
}

/// Whether the next backup of this vault goes where only the user's passphrase reads it.
pub(super) fn is_encrypted(connection: &mut dyn Connection, account: &AccountId) -> Rows<bool> {
    let statement = "SELECT 1 FROM generations WHERE account = $1 AND encrypted = 1 LIMIT 1";
    Ok(!connection.query(statement, &[account.as_str().into()])?.is_empty())
}

/// The agent of this id, deleted or not.
pub(super) fn known(connection: &mut dyn Connection, id: i64) -> Rows<Agent> {
    any_agent(connection, id)?.ok_or_else(|| super::json::broken("the agent of a run"))
}

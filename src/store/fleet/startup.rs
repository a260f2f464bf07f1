//! An agent that comes up, and every call that it makes: who it is, that it lives, and what this catalog may have forgotten.

use super::agent_rows::{agents_where, any_agent, note_facts};
use super::ending::ended;
use super::reports::{generation_of, take_snapshot};
use super::run_rows::{insert, new, runs_where};
use super::{Outcome, Refusal, Rows, copies_are_stale, json, next_id, served, skip_ids, wants};
use crate::model::access::SecretHash;
use crate::model::agent::{Agent, MachineFacts};
use crate::model::instant::{Instant, SECOND_MICROS};
use crate::model::run::{RunKind, RunState};
use crate::store::catalog::Connection;
use crate::store::{Result, Store};

/// An agent's calls are noted no more often than this.
const HEARTBEAT_MICROS: i64 = 20 * SECOND_MICROS;

/// Ids beyond it are none of ours, whatever an agent says, so that no word of one agent uses up the ids of all.
const HIGHEST_ID: i64 = (1 << 30) - 1;

/// Who a key belongs to.
#[derive(Clone, Debug)]
pub enum AgentKey {
    /// Nobody's, so far as this catalog knows.
    Unknown,
    /// The agent was deleted and nothing of it is under way.
    Deleted(i64),
    Open(Box<Agent>),
}

/// What an agent says when it comes up.
#[derive(Clone, Debug)]
pub struct Startup {
    pub facts: MachineFacts,
    pub fingerprint: String,
    /// The highest run id that it has ever seen.
    pub highest_run: i64,
    pub snapshots: Vec<KnownSnapshot>,
}

/// A snapshot in the agent's vault with the ids in its tags.
#[derive(Clone, Debug)]
pub struct KnownSnapshot {
    /// `/gN/snapshots/ID`
    pub name: String,
    pub backup: i64,
    pub configuration: i64,
    pub taken_at: Instant,
}

impl Store {
    /// Looks a key up and notes that its agent lives.
    pub async fn agent_of_key(&self, key: &SecretHash) -> Result<AgentKey> {
        let found = self.owner_of_key(key).await?;
        if let AgentKey::Open(agent) = &found
            && self.now().micros_since(agent.seen_at) >= HEARTBEAT_MICROS
        {
            self.note_life(agent.id).await?;
        }
        Ok(found)
    }

    /// Looks a key up. An agent that was deleted stays open while a run of it is live.
    pub async fn owner_of_key(&self, key: &SecretHash) -> Result<AgentKey> {
        let key = *key;
        self.read(move |connection| {
            let Some(agent) = agents_where(connection, "key = $1", &[key.as_bytes()[..].into()])?.pop() else {
                return Ok(AgentKey::Unknown);
            };
            if agent.deleted_at.is_some()
                && connection.query("SELECT id FROM runs WHERE agent = $1 AND live = 1 LIMIT 1", &[agent.id.into()])?.is_empty()
            {
                return Ok(AgentKey::Deleted(agent.id));
            }
            Ok(AgentKey::Open(Box::new(agent)))
        })
        .await
    }

    async fn note_life(&self, agent: i64) -> Result<()> {
        let now = self.now();
        self.write(move |connection| {
            let served = served(connection)?;
            let values = [agent.into(), now.micros().into(), served.into()];
            connection.execute("UPDATE agents SET seen_at = $2, seen_served = $3 WHERE id = $1", &values).map(drop)
        })
        .await
    }

    /// A new incarnation of the agent: calls of the one before are refused from now on. `Conflict` where the machine is another one.
    /// Ids go on beyond the highest that the agent has seen, and backups that only the vault knows get their rows back.
    pub async fn start_agent(&self, agent: i64, startup: Startup) -> Result<Outcome<i64>> {
        let now = self.now();
        self.write(move |connection| {
            wants(connection, agent)?;
            let Some(known) = any_agent(connection, agent)? else { return Ok(Err(Refusal::no_agent(agent))) };
            if known.fingerprint != startup.fingerprint {
                let text = format!(
                    "This machine is not the one that registered as agent {agent}. To go on here with its vault: strongroom agent register --take-over {agent}"
                );
                return Ok(Err(Refusal::Conflict(text)));
            }
            note_facts(connection, agent, &startup.facts)?;
            if startup.highest_run <= HIGHEST_ID {
                skip_ids(connection, startup.highest_run)?;
            }
            for snapshot in &startup.snapshots {
                bring_back(connection, &known, snapshot)?;
            }
            let served = served(connection)?;
            let statement =
                "UPDATE agents SET incarnation = incarnation + 1, seen_at = $2, seen_served = $3 WHERE id = $1 RETURNING incarnation";
            let rows = connection.query(statement, &[agent.into(), now.micros().into(), served.into()])?;
            copies_are_stale(connection)?;
            rows.first().map_or_else(|| Ok(Err(Refusal::no_agent(agent))), |row| row.int(0).map(Ok))
        })
        .await
    }
}

/// Makes the row of a backup whose snapshot is in the vault and that no row names. Its counters are not known any more.
fn bring_back(connection: &mut dyn Connection, agent: &Agent, snapshot: &KnownSnapshot) -> Rows<()> {
    if generation_of(&snapshot.name).is_none() {
        return Ok(());
    }
    let named = "source = $1 AND snapshot = $2";
    if !runs_where(connection, named, &[agent.id.into(), snapshot.name.as_bytes().into()])?.is_empty() {
        return Ok(());
    }
    let there = "SELECT 1 FROM files WHERE account = $1 AND name = $2 AND state = 'live'";
    if connection.query(there, &[agent.account.as_str().into(), snapshot.name.as_bytes().into()])?.is_empty() {
        return Ok(());
    }
    let ours = "SELECT id FROM configurations WHERE id = $1 AND tenant = $2";
    if connection.query(ours, &[snapshot.configuration.into(), agent.tenant.as_str().into()])?.is_empty() {
        return Ok(());
    }
    let held = runs_where(connection, "id = $1", &[snapshot.backup.into()])?.pop();
    if held.as_ref().is_some_and(|run| run.state.is_taken() && run.agent == agent.id) {
        // Its agent still has to report it. One that waits was given an id that another run had before this catalog was an older one.
        return Ok(());
    }
    let id = if held.is_none() && (1..=HIGHEST_ID).contains(&snapshot.backup) { snapshot.backup } else { next_id(connection)? };
    skip_ids(connection, id)?;
    let mut run = new(id, RunKind::Backup, &agent.tenant, agent.id, RunState::Completed, snapshot.taken_at);
    run.configuration = Some(snapshot.configuration);
    (run.started_at, run.completed_at) = (Some(snapshot.taken_at), Some(snapshot.taken_at));
    take_snapshot(connection, &mut run, &snapshot.name)?;
    insert(connection, &run, None, None)?;
    let report = json::report(&ended("Success", "It is known from its snapshot alone.")).to_string();
    connection.execute("UPDATE runs SET report = $2 WHERE id = $1", &[run.id.into(), report.into()]).map(drop)
}

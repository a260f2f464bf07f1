//! Cleanups: the server makes them, weekly or when asked, with the exact snapshots to forget.

use std::collections::BTreeSet;

use super::agent_rows::agent_of;
use super::agents::live_bytes;
use super::run_rows::{insert, new, report_of, run_of};
use super::{Outcome, Refusal, Rows, next_id, restorable, wants};
use crate::model::agent::Agent;
use crate::model::instant::Instant;
use crate::model::run::{RunKind, RunState};
use crate::model::run_record::{Run, RunReport};
use crate::store::catalog::Connection;
use crate::store::{Result, Store};

impl Store {
    /// Makes a cleanup of the agent's vault; refused while one is live.
    pub async fn start_cleanup(&self, tenant: &str, agent: i64) -> Result<Outcome<i64>> {
        let (tenant, now, expiry) = (tenant.to_owned(), self.now(), self.expiry_time());
        self.write(move |connection| {
            if let Err(refusal) = agent_of(connection, &tenant, agent)? {
                return Ok(Err(refusal));
            }
            wants(connection, agent)?;
            let agent = match agent_of(connection, &tenant, agent)? {
                Ok(agent) if agent.is_disabled => return Ok(Err(Refusal::Invalid(format!("Agent {} is disabled.", agent.id)))),
                Ok(agent) => agent,
                Err(refusal) => return Ok(Err(refusal)),
            };
            Ok(make(connection, &agent, now, expiry)?.ok_or_else(|| Refusal::Invalid("A cleanup of this vault is running.".to_owned())))
        })
        .await
    }

    pub async fn cleanup_report(&self, tenant: &str, id: i64) -> Result<Outcome<(Run, RunReport)>> {
        let tenant = tenant.to_owned();
        self.read(move |connection| match run_of(connection, &tenant, RunKind::Cleanup, id)? {
            Ok(run) => {
                let report = report_of(connection, id)?;
                Ok(Ok((run, report)))
            }
            Err(refusal) => Ok(Err(refusal)),
        })
        .await
    }

    /// Whether a cleanup of the agent is live.
    pub async fn is_cleaning(&self, agent: i64) -> Result<bool> {
        self.read(move |connection| {
            let live = "SELECT id FROM runs WHERE agent = $1 AND kind = 'Cleanup' AND live = 1 LIMIT 1";
            Ok(!connection.query(live, &[agent.into()])?.is_empty())
        })
        .await
    }

    /// Lets a cleanup go on that has hidden half of its vault; `NotFound` where the agent has none that is halted.
    pub async fn accept_cleanup(&self, agent: i64) -> Result<Outcome<i64>> {
        self.write(move |connection| {
            wants(connection, agent)?;
            let halted = "UPDATE runs SET hidden_most = $2 WHERE agent = $1 AND kind = 'Cleanup' AND live = 1 \
                          AND hidden_bytes > hidden_most RETURNING id";
            let rows = connection.query(halted, &[agent.into(), i64::MAX.into()])?;
            let none = || Refusal::NotFound(format!("No cleanup of agent {agent} waits to be accepted."));
            rows.first().map_or_else(|| Ok(Err(none())), |row| row.int(0).map(Ok))
        })
        .await
    }
}

/// The id of the new cleanup; `None` where one is live. What it lists can be restored no more from now on.
pub(super) fn make(connection: &mut dyn Connection, agent: &Agent, now: Instant, expiry: restorable::ExpiryTime) -> Rows<Option<i64>> {
    let live = "SELECT id FROM runs WHERE agent = $1 AND kind = 'Cleanup' AND live = 1 LIMIT 1";
    if !connection.query(live, &[agent.id.into()])?.is_empty() {
        return Ok(None);
    }
    let forgettable = restorable::forgettable(connection, agent.id, expiry)?;
    for backup in &forgettable {
        let statement = "UPDATE runs SET forgotten_at = COALESCE(forgotten_at, $2) WHERE id = $1";
        connection.execute(statement, &[backup.id.into(), now.micros().into()])?;
    }
    let names: BTreeSet<&str> = forgettable.iter().filter_map(|backup| backup.snapshot.as_deref()).collect();
    let run = new(next_id(connection)?, RunKind::Cleanup, &agent.tenant, agent.id, RunState::StartRequested, now);
    insert(connection, &run, None, Some(serde_json::json!({ "forget": names }).to_string()))?;
    let most = live_bytes(connection, &agent.account)? / 2;
    connection.execute("UPDATE runs SET hidden_most = $2 WHERE id = $1", &[run.id.into(), most.into()])?;
    wants(connection, agent.id)?;
    Ok(Some(run.id))
}

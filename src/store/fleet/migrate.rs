//! A vault that goes to another agent with all its backups: after a server was rebuilt and registered anew.

use super::agent_rows::agent_of;
use super::agents::is_encrypted;
use super::registration::make_vault;
use super::{Outcome, Refusal, Rows, copies_are_stale, mail, outbox, wants};
use crate::model::agent::Agent;
use crate::store::catalog::Connection;
use crate::store::hide::hide_where;
use crate::store::{Result, Store};

impl Store {
    /// Gives the source's vault, and the backups in it, to the destination; the source gets a new, empty one. Its configurations
    /// stay with it, not active. Every condition that fails is named.
    pub async fn migrate_vault(&self, tenant: &str, source: i64, destination: i64) -> Result<Outcome<()>> {
        let (tenant, times) = (tenant.to_owned(), self.times());
        let outcome = self
            .write(move |connection| {
                let refuse = |text: String| Ok(Err(Refusal::Forbidden(text)));
                if source == destination {
                    return refuse("Source and destination are the same agent.".to_owned());
                }
                for id in [source, destination] {
                    if agent_of(connection, &tenant, id)?.is_err() {
                        return refuse(format!("Agent {id} is none of yours."));
                    }
                }
                for id in [source.min(destination), source.max(destination)] {
                    wants(connection, id)?;
                }
                let from = match agent_of(connection, &tenant, source)? {
                    Ok(agent) => agent,
                    Err(_) => return refuse(format!("Agent {source} is none of yours.")),
                };
                let to = match agent_of(connection, &tenant, destination)? {
                    Ok(agent) => agent,
                    Err(_) => return refuse(format!("Agent {destination} is none of yours.")),
                };
                if let Some(text) = obstacle(connection, &from, &to)? {
                    return refuse(text);
                }
                let emptied = make_vault(connection, &from.facts.machine_name, times.now)?;
                hide_where(connection, &to.account, "", &[], times.now)?;
                let remove = "UPDATE accounts SET removed_at = $2 WHERE id = $1";
                connection.execute(remove, &[to.account.as_str().into(), times.now.micros().into()])?;
                let give = "UPDATE agents SET account = $2, vault_bytes = $3 WHERE id = $1";
                let bytes = super::agents::live_bytes(connection, &from.account)?;
                connection.execute(give, &[to.id.into(), from.account.as_str().into(), bytes.into()])?;
                connection.execute(give, &[from.id.into(), emptied.as_str().into(), 0_i64.into()])?;
                let backups = "UPDATE runs SET agent = $2, source = $2 WHERE source = $1 AND kind = 'Backup' AND snapshot IS NOT NULL";
                connection.execute(backups, &[from.id.into(), to.id.into()])?;
                let restores = "UPDATE runs SET source = $2 WHERE source = $1 AND kind = 'Restore' AND live = 0";
                connection.execute(restores, &[from.id.into(), to.id.into()])?;
                let last = "UPDATE agents SET last_success_at = $2 WHERE id = $1";
                connection.execute(last, &[to.id.into(), from.last_success_at.map(crate::model::instant::Instant::micros).into()])?;
                let idle =
                    "UPDATE configurations SET active = 0, next_at = NULL, catch_up_at = NULL WHERE agent = $1 AND deleted_at IS NULL";
                connection.execute(idle, &[from.id.into()])?;
                copies_are_stale(connection)?;
                outbox::withdraw(connection, "agent = $1", from.id, times.now)?;
                mail::tell_of_agent(connection, &from, &format!("gave its vault to agent {destination}"), times)?;
                Ok(Ok(()))
            })
            .await?;
        self.tell_hides_soon().await;
        Ok(outcome)
    }
}

fn obstacle(connection: &mut dyn Connection, from: &Agent, to: &Agent) -> Rows<Option<String>> {
    for agent in [from, to] {
        if is_encrypted(connection, &agent.account)? {
            return Ok(Some(format!("The vault of agent {} is encrypted.", agent.id)));
        }
        let live = "SELECT id FROM runs WHERE (agent = $1 OR source = $1) AND live = 1 LIMIT 1";
        if !connection.query(live, &[agent.id.into()])?.is_empty() {
            return Ok(Some(format!("A backup, restore or cleanup of agent {} is under way.", agent.id)));
        }
    }
    let configured = "SELECT id FROM configurations WHERE agent = $1 AND deleted_at IS NULL LIMIT 1";
    if !connection.query(configured, &[to.id.into()])?.is_empty() {
        return Ok(Some(format!("Agent {} has backup configurations: delete them first.", to.id)));
    }
    // A repository that was only made has a config and keys, and nothing else.
    let filled = "SELECT name FROM files WHERE account = $1 AND state = 'live' LIMIT 100";
    for row in connection.query(filled, &[to.account.as_str().into()])? {
        let name = String::from_utf8_lossy(row.bytes(0)?).into_owned();
        if !name.ends_with("/config") && !name.contains("/keys/") {
            return Ok(Some(format!("The vault of agent {} is not empty.", to.id)));
        }
    }
    Ok(None)
}

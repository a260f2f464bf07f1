//! Rows of `agents` as the model's type.

use super::{Outcome, Refusal, Rows, json};
use crate::model::access::{AccountId, SecretHash};
use crate::model::agent::{Agent, LogLevel, MachineFacts, PublicKey};
use crate::model::digest::Sha256Digest;
use crate::model::instant::Instant;
use crate::store::catalog::{Connection, Row, Value};

const COLUMNS: &str = "agents.id, agents.tenant, agents.account, agents.key, agents.fingerprint, agents.incarnation, agents.version, \
     agents.machine_name, agents.host_server_id, agents.ip_address, agents.operating_system, agents.operating_system_version, \
     agents.architecture, agents.datacenter, agents.backup_datacenter, agents.modulus, agents.exponent, agents.uses_service_net, \
     agents.uses_failover, agents.log_level, agents.disabled, agents.registered_at, agents.seen_at, agents.work, \
     agents.last_success_at, agents.deleted_at";

fn agent(row: &Row) -> Rows<Agent> {
    let text = |column| row.text(column).map(str::to_owned);
    let account: AccountId = row.text(2)?.parse().map_err(|_| json::broken("an agent's account"))?;
    let key = Sha256Digest::from_slice(row.bytes(3)?).map_err(|_| json::broken("an agent's key"))?;
    Ok(Agent {
        id: row.int(0)?,
        tenant: text(1)?,
        account,
        key: SecretHash::from_digest(key),
        fingerprint: text(4)?,
        incarnation: row.int(5)?,
        facts: MachineFacts {
            version: text(6)?,
            machine_name: text(7)?,
            host_server_id: text(8)?,
            ip_address: text(9)?,
            operating_system: text(10)?,
            operating_system_version: text(11)?,
            architecture: text(12)?,
        },
        datacenter: text(13)?,
        backup_datacenter: text(14)?,
        public_key: PublicKey { modulus_hex: text(15)?, exponent: row.int(16)? },
        uses_service_net: row.int(17)? != 0,
        uses_failover: row.int(18)? != 0,
        log_level: LogLevel::from_number(row.int(19)?).ok_or_else(|| json::broken("a log level"))?,
        is_disabled: row.int(20)? != 0,
        registered_at: Instant::from_micros(row.int(21)?),
        seen_at: Instant::from_micros(row.int(22)?),
        work: row.int(23)?,
        last_success_at: row.optional_int(24)?.map(Instant::from_micros),
        deleted_at: row.optional_int(25)?.map(Instant::from_micros),
    })
}

/// Agents that fit `condition`, which may end in an order.
pub(super) fn agents_where(connection: &mut dyn Connection, condition: &str, values: &[Value]) -> Rows<Vec<Agent>> {
    connection.query(&format!("SELECT {COLUMNS} FROM agents WHERE {condition}"), values)?.iter().map(agent).collect()
}

/// The agent of this id, deleted or not, of whatever tenant.
pub(super) fn any_agent(connection: &mut dyn Connection, id: i64) -> Rows<Option<Agent>> {
    Ok(agents_where(connection, "id = $1", &[id.into()])?.pop())
}

/// The tenant's agent of this id that was not deleted.
pub(super) fn agent_of(connection: &mut dyn Connection, tenant: &str, id: i64) -> Rows<Outcome<Agent>> {
    let values = [id.into(), tenant.into()];
    let found = agents_where(connection, "id = $1 AND tenant = $2 AND deleted_at IS NULL", &values)?.pop();
    Ok(found.ok_or_else(|| Refusal::no_agent(id)))
}

pub(super) fn insert(connection: &mut dyn Connection, agent: &Agent, served: i64, cleanup_due_at: Instant) -> Rows<bool> {
    let facts = &agent.facts;
    let columns = COLUMNS.replace("agents.", "");
    let places: Vec<String> = (1..=28).map(|place| format!("${place}")).collect();
    let statement = format!(
        "INSERT INTO agents ({columns}, seen_served, cleanup_due_at, vault_bytes) VALUES ({}, 0) ON CONFLICT DO NOTHING",
        places.join(", ")
    );
    let values: Vec<Value> = vec![
        agent.id.into(),
        agent.tenant.as_str().into(),
        agent.account.as_str().into(),
        agent.key.as_bytes()[..].into(),
        agent.fingerprint.as_str().into(),
        agent.incarnation.into(),
        facts.version.as_str().into(),
        facts.machine_name.as_str().into(),
        facts.host_server_id.as_str().into(),
        facts.ip_address.as_str().into(),
        facts.operating_system.as_str().into(),
        facts.operating_system_version.as_str().into(),
        facts.architecture.as_str().into(),
        agent.datacenter.as_str().into(),
        agent.backup_datacenter.as_str().into(),
        agent.public_key.modulus_hex.as_str().into(),
        agent.public_key.exponent.into(),
        i64::from(agent.uses_service_net).into(),
        i64::from(agent.uses_failover).into(),
        (agent.log_level as i64).into(),
        i64::from(agent.is_disabled).into(),
        agent.registered_at.micros().into(),
        agent.seen_at.micros().into(),
        agent.work.into(),
        agent.last_success_at.map(Instant::micros).into(),
        agent.deleted_at.map(Instant::micros).into(),
        served.into(),
        cleanup_due_at.micros().into(),
    ];
    Ok(connection.execute(&statement, &values)? > 0)
}

/// Takes over what an agent says of its machine.
pub(super) fn note_facts(connection: &mut dyn Connection, id: i64, facts: &MachineFacts) -> Rows<()> {
    let statement = "UPDATE agents SET version = $2, machine_name = $3, host_server_id = $4, ip_address = $5, operating_system = $6, \
                     operating_system_version = $7, architecture = $8 WHERE id = $1";
    let values = [
        id.into(),
        facts.version.as_str().into(),
        facts.machine_name.as_str().into(),
        facts.host_server_id.as_str().into(),
        facts.ip_address.as_str().into(),
        facts.operating_system.as_str().into(),
        facts.operating_system_version.as_str().into(),
        facts.architecture.as_str().into(),
    ];
    connection.execute(statement, &values).map(drop)
}

//! Registration: a machine becomes an agent with a vault of its own, or goes on as the agent that it was.

use super::agent_rows::{agent_of, agents_where, insert, note_facts};
use super::{Outcome, Refusal, Rows, copies_are_stale, next_id, served, wants};
use crate::model::access::{AccountId, Secret, SecretHash};
use crate::model::account::{Account, Kind};
use crate::model::agent::{Agent, LogLevel, MachineFacts, PublicKey};
use crate::model::instant::{DAY_MICROS, Instant};
use crate::model::retention::{Retention, RetentionHistory};
use crate::store::accounts::insert_account;
use crate::store::catalog::Connection;
use crate::store::{Result, Store};

/// How long what an agent's vault hides can be had back.
const VAULT_RETENTION_DAYS: i64 = 90;
const WEEK_MICROS: i64 = 7 * DAY_MICROS;

/// What a machine says when it registers.
#[derive(Clone, Debug)]
pub struct Registration {
    pub tenant: String,
    pub facts: MachineFacts,
    pub fingerprint: String,
    pub public_key: PublicKey,
    /// SHA-256 of the key that the agent made for itself.
    pub key: SecretHash,
    pub datacenter: String,
    /// The agent whose id, vault and configurations this machine goes on with.
    pub take_over: Option<i64>,
}

impl Store {
    /// Makes an agent and its vault, or finds the one that this key made before: a lost answer makes no twin. With `take_over` the
    /// machine gets that agent's id, vault and configurations, and the old key opens nothing any more.
    pub async fn register_agent(&self, registration: Registration) -> Result<Outcome<i64>> {
        let times = self.times();
        self.write(move |connection| {
            copies_are_stale(connection)?;
            let known = agents_where(connection, "key = $1", &[registration.key.as_bytes()[..].into()])?.pop();
            match (known, registration.take_over) {
                (Some(agent), _) if agent.tenant == registration.tenant && agent.deleted_at.is_none() => Ok(Ok(agent.id)),
                (Some(_), _) => Ok(Err(Refusal::Conflict("This key was used before. Register with a new one.".to_owned()))),
                (None, Some(id)) => take_over(connection, &registration, id),
                (None, None) => register(connection, &registration, times.now).map(Ok),
            }
        })
        .await
    }
}

fn register(connection: &mut dyn Connection, registration: &Registration, now: Instant) -> Rows<i64> {
    let id = next_id(connection)?;
    let account = make_vault(connection, &registration.facts.machine_name, now)?;
    let agent = Agent {
        id,
        tenant: registration.tenant.clone(),
        account,
        key: registration.key,
        fingerprint: registration.fingerprint.clone(),
        incarnation: 0,
        facts: registration.facts.clone(),
        datacenter: registration.datacenter.clone(),
        backup_datacenter: registration.datacenter.clone(),
        public_key: registration.public_key.clone(),
        uses_service_net: false,
        uses_failover: false,
        log_level: LogLevel::Warn,
        is_disabled: false,
        registered_at: now,
        seen_at: now,
        work: 0,
        last_success_at: None,
        deleted_at: None,
    };
    let served = served(connection)?;
    insert(connection, &agent, served, first_cleanup(id, now))?;
    wants(connection, id)?;
    Ok(id)
}

/// The first cleanup: a week from now at least, at the minute of the week that is the agent's own.
fn first_cleanup(id: i64, now: Instant) -> Instant {
    let week = now.micros().div_euclid(WEEK_MICROS) + 2;
    Instant::from_micros(week * WEEK_MICROS + cleanup_offset(id))
}

/// Cleanups of many agents are spread over the week.
pub(super) const fn cleanup_offset(id: i64) -> i64 {
    // A step that is prime to the number of minutes in a week visits each of them.
    (id * 1_009 % (7 * 24 * 60)) * 60_000_000
}

/// A vault account that no password opens until the operator makes one, with its first generation.
pub(super) fn make_vault(connection: &mut dyn Connection, machine_name: &str, now: Instant) -> Rows<AccountId> {
    let retention = Retention::from_days(VAULT_RETENTION_DAYS).expect("90 days are a retention");
    let mut account = Account {
        id: AccountId::random(),
        kind: Kind::Vault,
        description: format!("agent on {machine_name}"),
        password: Secret::random().hash(),
        quota_bytes: None,
        used_bytes: 0,
        retention: RetentionHistory::starting(retention),
        created_at: now,
        disabled: None,
        removed_at: None,
    };
    while !insert_account(connection, &account)? {
        account.id = AccountId::random();
    }
    let first = "INSERT INTO generations (account, number, encrypted, made_at) VALUES ($1, 1, 0, $2)";
    connection.execute(first, &[account.id.as_str().into(), now.micros().into()])?;
    Ok(account.id)
}

fn take_over(connection: &mut dyn Connection, registration: &Registration, id: i64) -> Rows<Outcome<i64>> {
    if let Err(refusal) = agent_of(connection, &registration.tenant, id)? {
        return Ok(Err(refusal));
    }
    wants(connection, id)?;
    let agent = match agent_of(connection, &registration.tenant, id)? {
        Ok(agent) => agent,
        Err(refusal) => return Ok(Err(refusal)),
    };
    note_facts(connection, id, &registration.facts)?;
    let statement =
        "UPDATE agents SET key = $2, fingerprint = $3, modulus = $4, exponent = $5, incarnation = incarnation + 1 WHERE id = $1";
    let values = [
        id.into(),
        registration.key.as_bytes()[..].into(),
        registration.fingerprint.as_str().into(),
        registration.public_key.modulus_hex.as_str().into(),
        registration.public_key.exponent.into(),
    ];
    connection.execute(statement, &values)?;
    // What was encrypted for the old machine's key can be read by nobody any more.
    let drop_requests = "UPDATE requests SET state = 'failed', ended_at = $2, password = NULL, old_password = NULL \
                         WHERE agent = $1 AND ended_at IS NULL";
    connection.execute(drop_requests, &[id.into(), agent.seen_at.micros().into()])?;
    Ok(Ok(id))
}

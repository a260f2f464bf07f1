//! What users ask of an agent's passphrase: to encrypt, to change it, to verify it. The server never knows it; it carries it from the
//! user to the agent under the agent's public key, and counts the wrong ones.

use super::run_rows::runs_where;
use super::{Outcome, Refusal, Rows, agents, copies_are_stale, json, mail, wants};
use crate::model::agent::Agent;
use crate::model::instant::{HOUR_MICROS, Instant, SECOND_MICROS};
use crate::model::work::{RequestKind, WantedRequest};
use crate::store::catalog::{Connection, Row};
use crate::store::{Result, Store};

/// Wrong passphrases an hour and agent; after them calls that carry one wait.
const MAX_WRONG: i64 = 5;

/// What a user sent, still encrypted for the agent's key.
#[derive(Clone)]
pub struct PasswordRequest {
    pub kind: RequestKind,
    pub ciphertext: Vec<u8>,
    pub old_ciphertext: Option<Vec<u8>>,
    pub backup: Option<i64>,
    pub asked_by: String,
}

/// What became of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RequestOutcome {
    Taken,
    Succeeded,
    Failed,
}

impl Store {
    /// Notes the request; returns its GUID. One that the agent has not taken yet is replaced by a newer one of its kind.
    pub async fn ask_agent(&self, tenant: &str, agent: i64, request: PasswordRequest) -> Result<Outcome<String>> {
        let now = self.now();
        self.change_agent(tenant, agent, move |connection, agent| {
            let is_encrypted = agents::is_encrypted(connection, &agent.account)?;
            let refusal = match request.kind {
                RequestKind::Encrypt if is_encrypted => Some("The agent's vault is encrypted already."),
                RequestKind::ChangePassword if !is_encrypted => Some("The agent's vault is not encrypted."),
                RequestKind::VerifyPassword if !is_encrypted => Some("The agent's vault is not encrypted."),
                _ => None,
            };
            if let Some(text) = refusal {
                return Ok(Err(Refusal::Forbidden(text.to_owned())));
            }
            if let Some(backup) = request.backup
                && runs_where(connection, "id = $1 AND source = $2 AND kind = 'Backup'", &[backup.into(), agent.id.into()])?.is_empty()
            {
                return Ok(Err(Refusal::Forbidden(format!("Backup {backup} is none of agent {}.", agent.id))));
            }
            if request.kind != RequestKind::Encrypt
                && let Err(refusal) = may_try_password(connection, agent.id, now)?
            {
                return Ok(Err(refusal));
            }
            let values = [agent.id.into(), request.kind.as_str().into()];
            let taken = "SELECT guid FROM requests WHERE agent = $1 AND kind = $2 AND ended_at IS NULL AND state = 'taken'";
            if request.kind != RequestKind::VerifyPassword && !connection.query(taken, &values)?.is_empty() {
                let doing =
                    if request.kind == RequestKind::Encrypt { "encryption is being enabled" } else { "the password is being changed" };
                return Ok(Err(Refusal::Forbidden(doing.to_owned())));
            }
            if request.kind != RequestKind::VerifyPassword {
                let replace = "DELETE FROM requests WHERE agent = $1 AND kind = $2 AND ended_at IS NULL AND state = 'open'";
                connection.execute(replace, &values)?;
            }
            let guid = guid();
            let statement = "INSERT INTO requests (guid, agent, kind, state, backup, password, old_password, asked_by, created_at) \
                             VALUES ($1, $2, $3, 'open', $4, $5, $6, $7, $8)";
            let values = [
                guid.as_str().into(),
                agent.id.into(),
                request.kind.as_str().into(),
                request.backup.into(),
                request.ciphertext.clone().into(),
                request.old_ciphertext.clone().into(),
                request.asked_by.as_str().into(),
                now.micros().into(),
            ];
            connection.execute(statement, &values)?;
            Ok(Ok(guid))
        })
        .await
    }

    /// What the agent says became of a request; again is the same.
    pub async fn note_request(&self, agent: i64, guid: &str, outcome: RequestOutcome) -> Result<Outcome<()>> {
        let (guid, times) = (guid.to_owned(), self.times());
        self.write(move |connection| {
            wants(connection, agent)?;
            let statement = "SELECT kind, ended_at FROM requests WHERE guid = $1 AND agent = $2";
            let found = connection.query(statement, &[guid.as_str().into(), agent.into()])?;
            let Some(row) = found.first() else {
                return Ok(Err(Refusal::NotFound(format!("Request {guid} is none of agent {agent}."))));
            };
            if row.optional_int(1)?.is_some() {
                return Ok(Ok(()));
            }
            let kind = RequestKind::parse(row.text(0)?).ok_or_else(|| json::broken("a request"))?;
            if outcome == RequestOutcome::Taken {
                connection.execute("UPDATE requests SET state = 'taken' WHERE guid = $1", &[guid.as_str().into()])?;
                return Ok(Ok(()));
            }
            let has_succeeded = outcome == RequestOutcome::Succeeded;
            let end = "UPDATE requests SET state = $2, ended_at = $3, password = NULL, old_password = NULL WHERE guid = $1";
            let state = if has_succeeded { "succeeded" } else { "failed" };
            connection.execute(end, &[guid.as_str().into(), state.into(), times.now.micros().into()])?;
            let agent = agents::known(connection, agent)?;
            match kind {
                RequestKind::Encrypt if has_succeeded => start_generation(connection, &agent, times.now)?,
                RequestKind::Encrypt => {}
                RequestKind::ChangePassword | RequestKind::VerifyPassword => {
                    note_password(connection, agent.id, &guid, !has_succeeded, times.now)?;
                }
            }
            let said = match (kind, has_succeeded) {
                (RequestKind::Encrypt, true) => Some("is encrypted from now on"),
                (RequestKind::Encrypt, false) => Some("could not be encrypted: the passphrase could not be used"),
                (RequestKind::ChangePassword, true) => Some("has a new passphrase"),
                (RequestKind::ChangePassword, false) => Some("keeps its passphrase: the old one that was given is wrong"),
                (RequestKind::VerifyPassword, _) => None,
            };
            if let Some(said) = said {
                mail::tell_of_agent(connection, &agent, said, times)?;
            }
            copies_are_stale(connection)?;
            Ok(Ok(()))
        })
        .await
    }

    /// The agent has made the repository of a generation: from now on a missing `config` is a loss.
    pub async fn note_generation(&self, agent: i64, number: i64) -> Result<Outcome<()>> {
        let now = self.now();
        self.write(move |connection| {
            wants(connection, agent)?;
            let agent = agents::known(connection, agent)?;
            let statement = "UPDATE generations SET ready_at = COALESCE(ready_at, $3) WHERE account = $1 AND number = $2";
            let values = [agent.account.as_str().into(), number.into(), now.micros().into()];
            let changed = connection.execute(statement, &values)?;
            copies_are_stale(connection)?;
            Ok(if changed > 0 { Ok(()) } else { Err(Refusal::NotFound(format!("There is no generation {number}."))) })
        })
        .await
    }
}

/// What is open for an agent, oldest first.
pub(super) fn open_requests(connection: &mut dyn Connection, agent: i64) -> Rows<Vec<WantedRequest>> {
    let statement = "SELECT guid, requests.kind, requests.state, password, old_password, runs.generation FROM requests \
                     LEFT JOIN runs ON runs.id = requests.backup WHERE requests.agent = $1 AND ended_at IS NULL ORDER BY created_at, guid";
    connection.query(statement, &[agent.into()])?.iter().map(request).collect()
}

fn request(row: &Row) -> Rows<WantedRequest> {
    let has_old = !matches!(row.0.get(4), Some(crate::store::catalog::Value::Null));
    Ok(WantedRequest {
        guid: row.text(0)?.to_owned(),
        kind: RequestKind::parse(row.text(1)?).ok_or_else(|| json::broken("a request"))?,
        is_taken: row.text(2)? == "taken",
        ciphertext: row.bytes(3)?.to_vec(),
        old_ciphertext: if has_old { Some(row.bytes(4)?.to_vec()) } else { None },
        generation: row.optional_int(5)?,
    })
}

/// The next repository of the vault, which only the user's passphrase opens.
fn start_generation(connection: &mut dyn Connection, agent: &Agent, now: Instant) -> Rows<()> {
    let statement = "INSERT INTO generations (account, number, encrypted, made_at, ready_at) \
                     SELECT account, MAX(number) + 1, 1, CAST($2 AS BIGINT), CAST($2 AS BIGINT) FROM generations WHERE account = $1 \
                     GROUP BY account ON CONFLICT DO NOTHING";
    connection.execute(statement, &[agent.account.as_str().into(), now.micros().into()]).map(drop)
}

/// Refuses a further passphrase after five wrong ones within an hour.
pub(super) fn may_try_password(connection: &mut dyn Connection, agent: i64, now: Instant) -> Rows<Outcome<()>> {
    let statement = "SELECT COUNT(*), MIN(at) FROM wrong_passwords WHERE agent = $1 AND at > $2";
    let rows = connection.query(statement, &[agent.into(), now.plus_micros(-HOUR_MICROS).micros().into()])?;
    let Some(row) = rows.first() else { return Ok(Ok(())) };
    if row.int(0)? < MAX_WRONG {
        return Ok(Ok(()));
    }
    let left = row.int(1)? + HOUR_MICROS - now.micros();
    let seconds = u64::try_from(left / SECOND_MICROS + 1).unwrap_or(1);
    Ok(Err(Refusal::TooOften("Too many wrong passphrases were tried on this agent. Wait, then try again.".to_owned(), seconds)))
}

/// Counts a wrong passphrase, once for its reference; a right one clears the count.
pub(super) fn note_password(connection: &mut dyn Connection, agent: i64, reference: &str, is_wrong: bool, now: Instant) -> Rows<()> {
    if is_wrong {
        let statement = "INSERT INTO wrong_passwords (agent, at, reference) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        return connection.execute(statement, &[agent.into(), now.micros().into(), reference.into()]).map(drop);
    }
    connection.execute("DELETE FROM wrong_passwords WHERE agent = $1", &[agent.into()]).map(drop)
}

/// A random UUID of version 4 (RFC 9562).
pub(super) fn guid() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system's random source answers");
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    uuid_text(&bytes)
}

/// 16 bytes in the grouping of RFC 9562.
pub(super) fn uuid_text(bytes: &[u8; 16]) -> String {
    let hex = data_encoding::HEXLOWER.encode(bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

//! Restores that are started, for the first time or again, and stopped.

use super::agent_rows::agent_of;
use super::backups::is_encrypted;
use super::ending::{ended, finish, stop};
use super::restores::settings;
use super::run_rows::{move_to, run_to_change, runs_where};
use super::{Outcome, Refusal, Rows, agents, json, requests, restorable};
use crate::model::instant::Instant;
use crate::model::run::{RunKind, RunState};
use crate::model::run_record::PinnedVault;
use crate::store::catalog::Connection;
use crate::store::{Result, Store};

/// What came along with the start of a restore for the vault's passphrase.
#[derive(Clone, PartialEq, Eq)]
pub enum SentPassword {
    Nothing,
    /// The passphrase for the destination's key.
    Ciphertext(Vec<u8>),
    /// Something that no key can have made.
    Unusable,
}

impl Store {
    /// Starts it, for the first time or again, on the vault as it is now. A password counts only where the backup is encrypted; one that
    /// is unusable there ends the restore at once, as its agent would.
    pub async fn start_restore(&self, tenant: &str, id: i64, password: SentPassword) -> Result<Outcome<()>> {
        let (tenant, times, expiry) = (tenant.to_owned(), self.times(), self.expiry_time());
        let now = times.now;
        self.write(move |connection| {
            let mut run = match run_to_change(connection, &tenant, RunKind::Restore, id)? {
                Ok(run) => run,
                Err(refusal) => return Ok(Err(refusal)),
            };
            if run.state.is_live() {
                return Ok(Err(Refusal::Invalid(format!("Restore {id} is running already."))));
            }
            let backup = runs_where(connection, "id = $1", &[run.backup.unwrap_or(0).into()])?.pop();
            let Some(backup) = backup else { return Ok(Err(Refusal::Invalid("The backup is not there any more.".to_owned()))) };
            if !restorable::is_restorable(connection, &backup, expiry)? {
                return Ok(Err(Refusal::Invalid(format!("Backup {} cannot be restored any more.", backup.id))));
            }
            match agent_of(connection, &tenant, run.agent)? {
                Ok(destination) if destination.is_disabled => {
                    return Ok(Err(Refusal::Invalid(format!("Agent {} is disabled.", run.agent))));
                }
                Ok(_) => {}
                Err(_) => return Ok(Err(Refusal::Invalid(format!("Agent {} was deleted.", run.agent)))),
            }
            let source = agents::known(connection, backup.source)?;
            let is_encrypted = is_encrypted(connection, &backup, &source)?;
            let ciphertext = match &password {
                SentPassword::Ciphertext(ciphertext) if is_encrypted => Some(ciphertext.clone()),
                _ => None,
            };
            if ciphertext.is_some()
                && let Err(refusal) = requests::may_try_password(connection, run.agent, now)?
            {
                return Ok(Err(refusal));
            }
            let mut settings = settings(connection, id)?;
            settings.carries_password = ciphertext.is_some();
            settings.pinned = Some(PinnedVault { at: pin(connection, source.account.as_str(), now)?, account: source.account.to_string() });
            move_to(connection, &mut run, RunState::StartRequested, now)?;
            let statement = "UPDATE runs SET attempt = attempt + 1, started_at = NULL, completed_at = NULL, report = NULL, errors = 0, \
                             files_searched = 0, bytes_searched = 0, settings = $2, ciphertext = $3, source = $4 WHERE id = $1";
            let values = [id.into(), json::restore_settings(&settings).to_string().into(), ciphertext.into(), backup.source.into()];
            connection.execute(statement, &values)?;
            if is_encrypted && password == SentPassword::Unusable {
                run.attempt += 1;
                finish(connection, &mut run, RunState::Failed, &ended("InvalidPassword", UNUSABLE), times)?;
            }
            Ok(Ok(()))
        })
        .await
    }

    pub async fn stop_restore(&self, tenant: &str, id: i64) -> Result<Outcome<()>> {
        let (tenant, times) = (tenant.to_owned(), self.times());
        self.write(move |connection| {
            let mut run = match run_to_change(connection, &tenant, RunKind::Restore, id)? {
                Ok(run) => run,
                Err(refusal) => return Ok(Err(refusal)),
            };
            if !run.state.is_live() {
                return Ok(Err(Refusal::Invalid(format!("Restore {id} is not running."))));
            }
            stop(connection, &mut run, times, "A user stopped it before the agent began.")?;
            Ok(Ok(()))
        })
        .await
    }
}

const UNUSABLE: &str = "EncryptedPassword is no passphrase that was encrypted for the destination: 512 hexadecimal digits, made with the \
                        PublicKey of the restore, not the one of availableforrestore.";

/// An instant at which everything is seen that the vault holds now.
fn pin(connection: &mut dyn Connection, account: &str, now: Instant) -> Rows<Instant> {
    let rows = connection.query("SELECT changed_at FROM accounts WHERE id = $1", &[account.into()])?;
    Ok(rows.first().map(|row| row.int(0)).transpose()?.map_or(now, |changed| now.max(Instant::from_micros(changed))))
}

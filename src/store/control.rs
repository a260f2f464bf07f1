//! Small copies of accounts and users under `blobs/.control/`: hashes only, so that a lost catalog gives everybody back their access
//! URL, and their API key.
//!
//! One is written with each change, before the change is reported done, and once a day; the newest are kept. A copy
//! carries the number of the change it holds, so that an older catalog notices that it is older. It also names the blobs that were
//! set aside because their name was held: no rebuild may take one of them for the file that was acknowledged.

use serde::{Deserialize, Serialize};

use super::accounts::{insert_account, put_history};
use super::blobs::{BlobError, BlobKey, Blobs};
use super::catalog::{CatalogError, Connection};
use super::fleet;
use super::fleet::copies::{self, FleetCopy};
use super::hide::hide_where;
use super::{Error, Result, Store, adopt, rows, sessions, user_copies};
use crate::fault_point;
use crate::model::access::SecretHash;
use crate::model::account::{Account, Kind};
use crate::model::digest::Sha256Digest;
use crate::model::instant::Instant;
use crate::model::retention::{Retention, RetentionHistory, RetentionSpan};

const SUFFIX: &str = ".json.zst";

/// What one copy holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ControlCopy {
    format: u32,
    pub(super) store_id: String,
    /// The number of the newest change in it.
    pub(super) change: i64,
    /// Guarded time when it was written, in microseconds.
    pub(super) written_at: i64,
    accounts: Vec<AccountCopy>,
    /// `None` in a copy from before there were users: it says nothing of them.
    #[serde(default)]
    users: Option<user_copies::UserCopies>,
    /// `None` in a copy from before there was a control plane.
    #[serde(default)]
    fleet: Option<FleetCopy>,
    /// Keys and sizes of blobs whose name was held by other bytes.
    #[serde(default)]
    set_aside: Vec<(String, u64)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct AccountCopy {
    id: String,
    kind: String,
    description: String,
    /// SHA-256 of the password, in hexadecimal digits.
    password_sha256: String,
    quota_bytes: Option<u64>,
    created_at: i64,
    disabled: Option<String>,
    removed_at: Option<i64>,
    /// From, until, days.
    retentions: Vec<(i64, i64, i64)>,
}

impl Store {
    /// Runs a change of what the copies hold, and writes a copy before it returns. Where only the copy fails the change is made all
    /// the same, and is answered: a new password would else be lost. A running server writes the copy within minutes.
    pub(super) async fn change_control<T, F>(&self, mut work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Connection) -> std::result::Result<T, CatalogError> + Send + 'static,
    {
        let outcome = self
            .write(move |connection| {
                // In the order in which other calls come to it.
                fleet::hold_all(connection)?;
                connection.execute("UPDATE counters SET value = value + 1 WHERE name = 'control'", &[])?;
                let done = work(connection)?;
                fault_point::pass("account-changing");
                Ok(done)
            })
            .await?;
        fault_point::pass("account-changed");
        if let Err(error) = self.write_control().await {
            tracing::error!(error = %super::chain(&error), "the change is made, but no small copy of it could be written yet");
        }
        Ok(outcome)
    }

    /// Writes a copy of what the catalog holds now and removes those beyond the number that is kept.
    pub async fn write_control(&self) -> Result<()> {
        let now = self.now();
        let copy = self.read(move |connection| snapshot(connection, now)).await?;
        let keep = self.inner.settings.control_copies.max(1);
        let outcome = self.blocking(move |blobs| put(blobs, &copy, keep)).await?;
        outcome.map_err(|error| match error {
            PutError::Blobs(error) => self.blob_write_failed(error, 0),
            PutError::Encode(error) => Error::Internal(error.into()),
        })
    }

    /// Writes a copy where the newest one does not hold the newest change.
    pub(super) async fn write_control_if_stale(&self) -> Result<()> {
        let change = self.read(change_number).await?;
        let newest = self.blocking(newest).await?.map_err(|error| Error::Unavailable(error.into()))?;
        if newest.is_none_or(|copy| copy.change != change) { self.write_control().await } else { Ok(()) }
    }

    /// Loads the newest copy where it is newer than the catalog; returns what it brought back, in words.
    pub(super) async fn load_newer_control(&self) -> Result<Vec<String>> {
        let newest = self.blocking(newest).await?.map_err(|error| Error::Unavailable(error.into()))?;
        let Some(copy) = newest else { return Ok(Vec::new()) };
        if self.read(change_number).await? >= copy.change {
            return Ok(Vec::new());
        }
        let now = self.now();
        self.write(move |connection| load(connection, &copy, now)).await
    }
}

/// The whole copy with the highest change; damaged ones are passed over, with a line in the log.
pub(super) fn newest(blobs: &dyn Blobs) -> std::result::Result<Option<ControlCopy>, BlobError> {
    let names = blobs.list_control()?.into_iter().filter(|name| name.ends_with(SUFFIX));
    let copies = names.filter_map(|name| {
        let copy = read(blobs, &name);
        if copy.is_none() {
            tracing::warn!(copy.name = %name, "a small copy is damaged and passed over");
        }
        copy
    });
    Ok(copies.max_by_key(|copy| (copy.change, copy.written_at)))
}

fn read(blobs: &dyn Blobs, name: &str) -> Option<ControlCopy> {
    blobs.get_control(name).ok().and_then(|bytes| decode(name, &bytes))
}

/// Puts a copy's accounts into the catalog: missing ones are made, the others take its password, state and history.
/// Histories are united, so that no raised retention is forgotten; who is shut out loses the sessions, too.
pub(super) fn load(connection: &mut dyn Connection, copy: &ControlCopy, now: Instant) -> std::result::Result<Vec<String>, CatalogError> {
    let mut brought = Vec::new();
    for account in copy.accounts.iter().filter_map(AccountCopy::to_account) {
        match rows::account(connection, &account.id)? {
            None => {
                insert_account(connection, &account)?;
                brought.push(format!("account {}", account.id));
            }
            Some(known) => {
                let history = united(&known.retention, &account.retention, now);
                let is_shut_out = known.password != account.password
                    || account.disabled.is_some() && known.disabled.is_none()
                    || account.removed_at.is_some() && known.removed_at.is_none();
                if is_shut_out {
                    sessions::end_all(connection, &account.id, now)?;
                }
                if known.password != account.password || known.disabled != account.disabled || history != known.retention {
                    brought.push(format!("changes of account {}", account.id));
                }
                if account.kind == Kind::Vault && account.removed_at.is_some() && known.removed_at.is_none() {
                    hide_where(connection, &account.id, "", &[], now)?;
                }
                replace(connection, &account)?;
                put_history(connection, &account.id, &history)?;
            }
        }
    }
    if let Some(users) = &copy.users {
        brought.extend(user_copies::load(connection, users)?);
    }
    if let Some(fleet) = &copy.fleet {
        brought.extend(copies::load(connection, fleet, now)?);
    }
    for (path, size_bytes) in &copy.set_aside {
        if let Some(key) = BlobKey::parse(path) {
            adopt::set_aside(connection, &key, *size_bytes)?;
        }
    }
    let values = [copy.change.into()];
    connection.execute("UPDATE counters SET value = $1 WHERE name = 'control' AND value < $1", &values)?;
    Ok(brought)
}

fn replace(connection: &mut dyn Connection, account: &Account) -> std::result::Result<(), CatalogError> {
    let statement = "UPDATE accounts SET description = $2, password = $3, quota = $4, disabled = $5, removed_at = $6 WHERE id = $1";
    let values = [
        account.id.as_str().into(),
        account.description.as_str().into(),
        account.password.as_bytes()[..].into(),
        account.quota_bytes.map(rows::signed).into(),
        account.disabled.as_deref().into(),
        account.removed_at.map(Instant::micros).into(),
    ];
    connection.execute(statement, &values).map(drop)
}

/// The copy's history, which is the later one, with what only the catalog knew: a span that was open there ends now.
fn united(known: &RetentionHistory, newer: &RetentionHistory, now: Instant) -> RetentionHistory {
    let mut spans = newer.spans().to_vec();
    for span in known.spans() {
        let is_known = newer.spans().iter().any(|other| (other.from, other.retention) == (span.from, span.retention));
        if !is_known {
            spans.push(RetentionSpan { until: span.until.min(now.max(span.from)), ..*span });
        }
    }
    RetentionHistory::from_spans(spans).unwrap_or_else(|| newer.clone())
}

fn snapshot(connection: &mut dyn Connection, now: Instant) -> std::result::Result<ControlCopy, CatalogError> {
    // The number first: a change that comes between is in the accounts and will be copied again.
    let change = change_number(connection)?;
    let accounts = rows::accounts(connection, true)?.iter().map(AccountCopy::of).collect();
    let users = Some(user_copies::snapshot(connection)?);
    let fleet = Some(copies::snapshot(connection)?);
    let store_id = rows::get(connection, "store_id")?.unwrap_or_default();
    let set_aside = adopt::all_set_aside(connection)?;
    Ok(ControlCopy { format: 1, store_id, change, written_at: now.micros(), accounts, users, fleet, set_aside })
}

fn change_number(connection: &mut dyn Connection) -> std::result::Result<i64, CatalogError> {
    let found = connection.query("SELECT value FROM counters WHERE name = 'control'", &[])?;
    found.first().map_or(Ok(0), |row| row.int(0))
}

enum PutError {
    Blobs(BlobError),
    Encode(std::io::Error),
}

fn put(blobs: &dyn Blobs, copy: &ControlCopy, keep: usize) -> std::result::Result<(), PutError> {
    let text = serde_json::to_vec(copy).map_err(|error| PutError::Encode(error.into()))?;
    let bytes = zstd::encode_all(&text[..], 3).map_err(PutError::Encode)?;
    let time = Instant::from_micros(copy.written_at).compact();
    let name = format!("{time}-{}{SUFFIX}", Sha256Digest::of(&bytes).hex());
    blobs.put_control(&name, &bytes).map_err(PutError::Blobs)?;
    fault_point::pass("copy-kept");
    remove_old(blobs, keep).map_err(PutError::Blobs)
}

/// Keeps the copies of the newest changes: their names tell when they were written, and a clock may have gone back since.
fn remove_old(blobs: &dyn Blobs, keep: usize) -> std::result::Result<(), BlobError> {
    let names = blobs.list_control()?.into_iter().filter(|name| name.ends_with(SUFFIX));
    let mut copies: Vec<_> = names.map(|name| (read(blobs, &name).map(|copy| (copy.change, copy.written_at)), name)).collect();
    copies.sort_unstable_by(|one, other| other.cmp(one));
    copies.iter().skip(keep).try_for_each(|(_, name)| blobs.remove_control(name))
}

fn decode(name: &str, bytes: &[u8]) -> Option<ControlCopy> {
    let sha256 = name.strip_suffix(SUFFIX)?.rsplit('-').next()?;
    (Sha256Digest::of(bytes).hex() == sha256).then_some(())?;
    let copy: ControlCopy = serde_json::from_slice(&zstd::decode_all(bytes).ok()?).ok()?;
    (copy.format == 1).then_some(copy)
}

#[cfg(test)]
impl ControlCopy {
    /// A copy without accounts that was written then.
    pub(super) fn empty(written_at: Instant) -> Self {
        Self {
            format: 1,
            store_id: String::new(),
            change: 0,
            written_at: written_at.micros(),
            accounts: Vec::new(),
            users: None,
            fleet: None,
            set_aside: Vec::new(),
        }
    }
}

impl AccountCopy {
    fn of(account: &Account) -> Self {
        let spans = account.retention.spans().iter();
        Self {
            id: account.id.to_string(),
            kind: account.kind.to_string(),
            description: account.description.clone(),
            password_sha256: data_encoding::HEXLOWER.encode(account.password.as_bytes()),
            quota_bytes: account.quota_bytes,
            created_at: account.created_at.micros(),
            disabled: account.disabled.clone(),
            removed_at: account.removed_at.map(Instant::micros),
            retentions: spans.map(|span| (span.from.micros(), span.until.micros(), span.retention.days())).collect(),
        }
    }

    fn to_account(&self) -> Option<Account> {
        let span = |(from, until, days): &(i64, i64, i64)| {
            let retention = Retention::from_days(*days).ok()?;
            Some(RetentionSpan { from: Instant::from_micros(*from), until: Instant::from_micros(*until), retention })
        };
        Some(Account {
            id: self.id.parse().ok()?,
            kind: self.kind.parse().ok()?,
            description: self.description.clone(),
            password: SecretHash::from_digest(self.password_sha256.parse().ok()?),
            quota_bytes: self.quota_bytes,
            used_bytes: 0,
            retention: RetentionHistory::from_spans(self.retentions.iter().filter_map(span).collect())?,
            created_at: Instant::from_micros(self.created_at),
            disabled: self.disabled.clone(),
            removed_at: self.removed_at.map(Instant::from_micros),
        })
    }
}

//! Accounts: made, changed, opened and closed by the operator, read by every request.

use super::catalog::{CatalogError, Connection, Value};
use super::hide::hide_where;
use super::{Error, Result, Store, rows, sessions};
use crate::model::access::{AccountId, Secret};
use crate::model::account::{Account, Kind};
use crate::model::digest::Sha256Digest;
use crate::model::instant::Instant;
use crate::model::retention::{Retention, RetentionHistory};

/// What an operator says of a new account.
#[derive(Clone, Debug)]
pub struct NewAccount {
    pub kind: Kind,
    pub description: String,
    pub retention: Retention,
    pub quota_bytes: Option<u64>,
}

/// What an operator changes; `None` leaves as it is.
#[derive(Clone, Debug, Default)]
pub struct AccountChange {
    pub description: Option<String>,
    pub retention: Option<Retention>,
    /// `Some(None)` takes the quota off.
    pub quota_bytes: Option<Option<u64>>,
}

/// Counted live files of one account.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Holdings {
    pub live_files: u64,
    pub live_bytes: u64,
    pub hidden_files: u64,
    pub hidden_bytes: u64,
    pub damaged_files: u64,
    /// The oldest check of a live file; `None` when one was never checked or there is none.
    pub checked_since: Option<Instant>,
}

/// A file whose life has ended, kept 400 days as a memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EndedFile {
    pub name: String,
    pub size_bytes: u64,
    pub sha256: Sha256Digest,
    pub created_at: Instant,
    pub ended_at: Instant,
    pub why: String,
}

impl Store {
    /// The account, removed ones included; `None` when there never was one, which takes as much time to say.
    pub async fn account(&self, id: &AccountId) -> Result<Option<Account>> {
        let id = id.clone();
        self.read(move |connection| rows::account_of_stranger(connection, &id)).await
    }

    /// All accounts that were not removed, by id.
    pub async fn accounts(&self) -> Result<Vec<Account>> {
        self.read(|connection| rows::accounts(connection, false)).await
    }

    /// Whether there is an account or ever was one.
    pub async fn has_had_accounts(&self) -> Result<bool> {
        self.read(|connection| Ok(!connection.query("SELECT id FROM accounts LIMIT 1", &[])?.is_empty())).await
    }

    /// Makes an account; the secret is its password, which nothing can show again.
    pub async fn add_account(&self, new: NewAccount) -> Result<(Account, Secret)> {
        let (password, now) = (Secret::random(), self.now());
        let hash = password.hash();
        let account = self
            .change_control(move |connection| {
                loop {
                    let account = Account {
                        id: AccountId::random(),
                        kind: new.kind,
                        description: new.description.clone(),
                        password: hash,
                        quota_bytes: new.quota_bytes,
                        used_bytes: 0,
                        retention: RetentionHistory::starting(new.retention),
                        created_at: now,
                        disabled: None,
                        removed_at: None,
                    };
                    if insert_account(connection, &account)? {
                        return Ok(account);
                    }
                }
            })
            .await?;
        Ok((account, password))
    }

    /// A raised retention holds at once and for the files that are there; a lowered one for new files only.
    pub async fn change_account(&self, id: &AccountId, change: AccountChange) -> Result<Account> {
        self.change_open_account(id, move |connection, account, at| {
            let name = [Value::from(account.id.as_str())];
            if let Some(text) = &change.description {
                let values = [name[0].clone(), text.as_str().into()];
                connection.execute("UPDATE accounts SET description = $2 WHERE id = $1", &values)?;
            }
            if let Some(quota) = change.quota_bytes {
                let values = [name[0].clone(), quota.map(rows::signed).into()];
                connection.execute("UPDATE accounts SET quota = $2 WHERE id = $1", &values)?;
            }
            if let Some(retention) = change.retention.filter(|retention| *retention != account.retention.current()) {
                put_history(connection, &account.id, &account.retention.changed(retention, at))?;
            }
            Ok(())
        })
        .await
    }

    /// A new password; the old one and all sessions end at once.
    pub async fn rotate_account(&self, id: &AccountId) -> Result<Secret> {
        let password = Secret::random();
        let (hash, now) = (password.hash(), self.now());
        self.change_open_account(id, move |connection, account, _| {
            let values = [account.id.as_str().into(), hash.as_bytes()[..].into()];
            connection.execute("UPDATE accounts SET password = $2 WHERE id = $1", &values)?;
            sessions::end_all(connection, &account.id, now)
        })
        .await?;
        Ok(password)
    }

    /// Refuses its requests with `reason`, ends its sessions, breaks its uploads.
    pub async fn disable_account(&self, id: &AccountId, reason: &str) -> Result<()> {
        let (reason, now) = (reason.to_owned(), self.now());
        self.change_open_account(id, move |connection, account, _| {
            let values = [account.id.as_str().into(), reason.as_str().into()];
            connection.execute("UPDATE accounts SET disabled = $2 WHERE id = $1", &values)?;
            sessions::end_all(connection, &account.id, now)
        })
        .await
        .map(drop)
    }

    pub async fn enable_account(&self, id: &AccountId) -> Result<()> {
        let statement = "UPDATE accounts SET disabled = NULL WHERE id = $1";
        self.change_open_account(id, move |connection, account, _| connection.execute(statement, &[account.id.as_str().into()]).map(drop))
            .await
            .map(drop)
    }

    /// Closes the account for good; its files stay for their life. Those of a vault, which have no end, are hidden.
    pub async fn remove_account(&self, id: &AccountId) -> Result<()> {
        let now = self.now();
        self.change_open_account(id, move |connection, account, at| {
            if account.kind == Kind::Vault {
                hide_where(connection, &account.id, "", &[], now)?;
            }
            let values = [account.id.as_str().into(), at.micros().into()];
            connection.execute("UPDATE accounts SET removed_at = $2 WHERE id = $1", &values)?;
            sessions::end_all(connection, &account.id, now)
        })
        .await?;
        self.tell_hides_soon().await;
        Ok(())
    }

    pub async fn holdings(&self, id: &AccountId) -> Result<Holdings> {
        let id = id.clone();
        self.read_at_length(move |connection| holdings(connection, &id)).await
    }

    /// Files of the account whose life ended within the last 400 days, newest end first, at most 10,000.
    pub async fn ended_files(&self, id: &AccountId) -> Result<Vec<EndedFile>> {
        let id = id.clone();
        let statement = "SELECT name, size, sha256, created_at, ended_at, why FROM ended WHERE account = $1 \
                         ORDER BY ended_at DESC, name LIMIT 10000";
        self.read(move |connection| connection.query(statement, &[id.as_str().into()])?.iter().map(ended_file).collect()).await
    }

    /// Changes an account that was not removed, in one transaction with its next change, and writes the small copy.
    async fn change_open_account<F>(&self, id: &AccountId, mut apply: F) -> Result<Account>
    where
        F: FnMut(&mut dyn Connection, &Account, Instant) -> std::result::Result<(), CatalogError> + Send + 'static,
    {
        let (id, store) = (id.clone(), self.clone());
        let changed = self
            .change_control(move |connection| {
                let Some(account) = rows::account(connection, &id)?.filter(|account| account.removed_at.is_none()) else { return Ok(None) };
                let Some((_, at)) = rows::next_change(connection, &id, 0, store.now())? else { return Ok(None) };
                apply(connection, &account, at)?;
                rows::account(connection, &id)
            })
            .await?;
        changed.ok_or(Error::NotFound)
    }
}

/// False where the id is taken.
pub(super) fn insert_account(connection: &mut dyn Connection, account: &Account) -> std::result::Result<bool, CatalogError> {
    let inserted = connection.execute(
        "INSERT INTO accounts (id, kind, description, password, quota, used, change, changed_at, created_at, disabled, removed_at) \
         VALUES ($1, $2, $3, $4, $5, 0, 0, 0, $6, $7, $8) ON CONFLICT DO NOTHING",
        &[
            account.id.as_str().into(),
            account.kind.as_str().into(),
            account.description.as_str().into(),
            account.password.as_bytes()[..].into(),
            account.quota_bytes.map(rows::signed).into(),
            account.created_at.micros().into(),
            account.disabled.as_deref().into(),
            account.removed_at.map(Instant::micros).into(),
        ],
    )?;
    if inserted == 1 {
        put_history(connection, &account.id, &account.retention)?;
    }
    Ok(inserted == 1)
}

/// Writes the whole history in place of what is there.
pub(super) fn put_history(
    connection: &mut dyn Connection,
    id: &AccountId,
    history: &RetentionHistory,
) -> std::result::Result<(), CatalogError> {
    connection.execute("DELETE FROM retentions WHERE account = $1", &[id.as_str().into()])?;
    for span in history.spans() {
        connection.execute(
            "INSERT INTO retentions (account, from_at, until_at, days) VALUES ($1, $2, $3, $4)",
            &[id.as_str().into(), span.from.micros().into(), span.until.micros().into(), span.retention.days().into()],
        )?;
    }
    Ok(())
}

fn holdings(connection: &mut dyn Connection, id: &AccountId) -> std::result::Result<Holdings, CatalogError> {
    let statement = "SELECT state, COUNT(*), CAST(SUM(size) AS BIGINT), COUNT(damaged_at), MIN(checked_at) \
                     FROM files WHERE account = $1 AND state IN ('live', 'hidden') GROUP BY state";
    let mut holdings = Holdings::default();
    for row in connection.query(statement, &[id.as_str().into()])? {
        let count = |column| row.int(column).map(|number| u64::try_from(number).unwrap_or(0));
        if row.text(0)? == "live" {
            (holdings.live_files, holdings.live_bytes, holdings.damaged_files) = (count(1)?, count(2)?, count(3)?);
            holdings.checked_since = Some(row.int(4)?).filter(|micros| *micros > 0).map(Instant::from_micros);
        } else {
            (holdings.hidden_files, holdings.hidden_bytes) = (count(1)?, count(2)?);
        }
    }
    Ok(holdings)
}

fn ended_file(row: &super::catalog::Row) -> std::result::Result<EndedFile, CatalogError> {
    Ok(EndedFile {
        name: String::from_utf8_lossy(row.bytes(0)?).into_owned(),
        size_bytes: u64::try_from(row.int(1)?).unwrap_or(0),
        sha256: Sha256Digest::from_slice(row.bytes(2)?)
            .map_err(|error| CatalogError::with_source(super::catalog::Fault::Failed, "a digest in the catalog is none of ours", error))?,
        created_at: Instant::from_micros(row.int(3)?),
        ended_at: Instant::from_micros(row.int(4)?),
        why: row.text(5)?.to_owned(),
    })
}

//! Copies are taken over by a catalog that is older than they, or that is made again.

use std::collections::BTreeSet;

use super::super::blobs::BlobFault;
use super::super::catalog::{CatalogError, Connection, Fault};
use super::super::hide::hidden_end;
use super::super::{Error, Result, Store};
use super::{HidesCopy, hides_copies, number_of};
use crate::model::access::AccountId;

impl Store {
    /// Takes over what copies tell that are newer than the catalog; how many files they changed.
    pub(in super::super) async fn load_newer_hides(&self) -> Result<u64> {
        let known = self
            .read(|connection| {
                connection.query("SELECT value FROM counters WHERE name = 'hides'", &[])?.first().map_or(Ok(0), |row| row.int(0))
            })
            .await?;
        let names = self.blocking(hides_copies).await?.map_err(|error| Error::Unavailable(error.into()))?;
        let (mut changed, mut shown, mut newest) = (0, BTreeSet::new(), known);
        for name in names.into_iter().filter(|name| number_of(name).is_none_or(|number| number > known)) {
            let read = name.clone();
            let bytes = match self.blocking(move |blobs| blobs.get_control(&read)).await? {
                Ok(bytes) => bytes,
                // Another server has told the same again in a newer one.
                Err(error) if error.fault == BlobFault::NotFound => continue,
                Err(error) => return Err(Error::Unavailable(error.into())),
            };
            let Some(copy) = HidesCopy::decode(&name, &bytes) else {
                tracing::warn!(copy.name = %name, "a small copy of hides is damaged and passed over");
                continue;
            };
            newest = newest.max(copy.number);
            for file in &copy.files {
                if file.hidden_at.is_none() {
                    shown.insert(file.random.clone())
                } else {
                    shown.remove(&file.random)
                };
            }
            changed += self.write(move |connection| load(connection, &copy)).await?;
        }
        // At the end: a name may be held by a file that a later copy hides.
        changed +=
            self.write(move |connection| shown.iter().map(|random| show(connection, random)).sum::<std::result::Result<u64, _>>()).await?;
        let statement = "UPDATE counters SET value = $1 WHERE name = 'hides' AND value < $1";
        self.write(move |connection| connection.execute(statement, &[newest.into()]).map(drop)).await?;
        Ok(changed)
    }

    /// Forgets what was told of blobs that are not there. To be called after a whole reconciliation.
    pub(in super::super) async fn forget_told(&self) -> Result<()> {
        let statement = "DELETE FROM told_hides WHERE NOT EXISTS \
                         (SELECT 1 FROM files WHERE files.random = told_hides.random AND state IN ('checking', 'quarantined'))";
        let absences = "DELETE FROM absences WHERE NOT EXISTS (SELECT 1 FROM files WHERE files.random = absences.random)";
        self.write(move |connection| {
            connection.execute(statement, &[])?;
            connection.execute(absences, &[]).map(drop)
        })
        .await
    }
}

/// Hides what the copy tells, and notes it of blobs without a row.
fn load(connection: &mut dyn Connection, copy: &HidesCopy) -> std::result::Result<u64, CatalogError> {
    let mut changed = 0;
    for file in &copy.files {
        let Some(hidden_at) = file.hidden_at else { continue };
        let random = file.random.as_str().into();
        let found = connection.query("SELECT state, account FROM files WHERE random = $1", std::slice::from_ref(&random))?;
        let state = found.first().map(|row| row.text(0)).transpose()?;
        if matches!(state, Some("hidden" | "doomed")) {
            continue;
        }
        let values = [random, file.created_at.into(), hidden_at.into()];
        let note = "INSERT INTO told_hides (random, created_at, hidden_at) VALUES ($1, $2, $3) \
                    ON CONFLICT (random) DO UPDATE SET created_at = excluded.created_at, hidden_at = excluded.hidden_at";
        connection.execute(note, &values)?;
        if let Some(row) = found.first().filter(|_| state == Some("live")) {
            let account: AccountId = row.text(1)?.parse().map_err(|_| CatalogError::new(Fault::Failed, "an account id is none of ours"))?;
            changed += u64::from(become_hidden(connection, &file.random, "live", &account)?);
        }
    }
    for (random, from_at, until_at) in &copy.absences {
        let note = "INSERT INTO absences (random, from_at, until_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        connection.execute(note, &[random.as_str().into(), (*from_at).into(), (*until_at).into()])?;
    }
    Ok(changed)
}

/// Brings back what the copies tell as live.
fn show(connection: &mut dyn Connection, random: &str) -> std::result::Result<u64, CatalogError> {
    connection.execute("DELETE FROM told_hides WHERE random = $1", &[random.into()])?;
    let show = "UPDATE files SET state = 'live', hidden_at = NULL, ends_at = NULL WHERE random = $1 AND state = 'hidden' AND NOT EXISTS \
                (SELECT 1 FROM files AS other WHERE other.account = files.account AND other.name = files.name AND other.state = 'live')";
    connection.execute(show, &[random.into()])
}

/// Hides a row of this state as the small copies tell; `false` where they tell nothing of it.
pub(in super::super) fn become_hidden(
    connection: &mut dyn Connection,
    random: &str,
    state: &str,
    account: &AccountId,
) -> std::result::Result<bool, CatalogError> {
    let told = connection.query("SELECT created_at, hidden_at FROM told_hides WHERE random = $1", &[random.into()])?;
    let Some(row) = told.first() else { return Ok(false) };
    let (created_at, hidden_at) = (row.int(0)?, row.int(1)?);
    let hide = format!(
        "UPDATE files SET state = 'hidden', created_at = $3, hidden_at = $4, ends_at = {}, why = NULL WHERE random = $1 AND state = $2",
        hidden_end("$4")
    );
    let hidden = connection.execute(&hide, &[random.into(), state.into(), created_at.into(), hidden_at.into()])?;
    // What changes the account next comes later than what is told.
    let later = "UPDATE accounts SET changed_at = $2 WHERE id = $1 AND changed_at < $2";
    connection.execute(later, &[account.as_str().into(), hidden_at.into()])?;
    connection.execute("DELETE FROM told_hides WHERE random = $1", &[random.into()])?;
    Ok(hidden == 1)
}

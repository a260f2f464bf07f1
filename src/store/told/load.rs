//! Copies are taken over by a catalog that is older than they, or that is made again.

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
        let mut changed = 0;
        for name in names {
            if number_of(&name).is_some_and(|number| number <= known) {
                continue;
            }
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
            changed += self.write(move |connection| load(connection, &copy)).await?;
        }
        Ok(changed)
    }

    /// Forgets what was told of blobs that are not there. To be called after a whole reconciliation.
    pub(in super::super) async fn forget_told(&self) -> Result<()> {
        let statement = "DELETE FROM told_hides WHERE NOT EXISTS \
                         (SELECT 1 FROM files WHERE files.random = told_hides.random AND state IN ('checking', 'quarantined'))";
        self.write(move |connection| connection.execute(statement, &[]).map(drop)).await
    }
}

fn load(connection: &mut dyn Connection, copy: &HidesCopy) -> std::result::Result<u64, CatalogError> {
    let mut changed = 0;
    for file in &copy.files {
        let random = file.random.as_str().into();
        let Some(hidden_at) = file.hidden_at else {
            connection.execute("DELETE FROM told_hides WHERE random = $1", std::slice::from_ref(&random))?;
            let show = "UPDATE files SET state = 'live', hidden_at = NULL, ends_at = NULL WHERE random = $1 AND state = 'hidden' AND NOT EXISTS \
                        (SELECT 1 FROM files AS other WHERE other.account = files.account AND other.name = files.name AND other.state = 'live')";
            changed += connection.execute(show, &[random])?;
            continue;
        };
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
    let values = [copy.number.into()];
    connection.execute("UPDATE counters SET value = $1 WHERE name = 'hides' AND value < $1", &values)?;
    Ok(changed)
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

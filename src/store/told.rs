//! Hides in the small copies under `blobs/.control/`: a rebuild, and a catalog older than the files, bring no hidden file back.
//!
//! Each copy is a list of files by their random part: hidden at an instant, or back again. Copies are numbered, and a later one is
//! right. They are written within a minute of what they tell, and when they become many, all that is hidden is told once more in new
//! ones and the older ones go. What is told of a blob without a row waits for the blob in `told_hides`.

use serde::{Deserialize, Serialize};

use super::blobs::{BlobError, BlobFault, Blobs};
use super::catalog::{CatalogError, Connection, Row};
use super::hide::hidden_end;
use super::{Error, Result, Store, rows};
use crate::model::access::AccountId;
use crate::model::digest::Sha256Digest;

const SUFFIX: &str = ".hides.zst";
/// Files that one copy tells of.
const COPY_ROWS: usize = 10_000;
/// More copies than this are told once more in fewer.
const MANY: usize = 64;

/// What one copy tells.
#[derive(Debug, Serialize, Deserialize)]
struct HidesCopy {
    format: u32,
    store_id: String,
    /// Of two copies the one with the higher number is right.
    number: i64,
    files: Vec<Told>,
}

/// What became of one file.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Told {
    random: String,
    created_at: i64,
    /// `None` for one that is live again.
    hidden_at: Option<i64>,
}

impl Store {
    /// Tells of every hide and return that no copy tells yet.
    pub(super) async fn tell_hides(&self) -> Result<()> {
        loop {
            let number = match self.read(|connection| connection.query("SELECT random FROM untold_hides LIMIT 1", &[])).await?.is_empty() {
                true => return Ok(()),
                false => self.next_number().await?,
            };
            let untold = format!(
                "SELECT untold_hides.random, files.created_at, files.hidden_at FROM untold_hides \
                 LEFT JOIN files ON files.random = untold_hides.random ORDER BY untold_hides.random LIMIT {COPY_ROWS}"
            );
            let files = self.read(move |connection| connection.query(&untold, &[])?.iter().map(told).collect::<ToldRows>()).await?;
            let is_last = files.len() < COPY_ROWS;
            self.put_hides(number, files.iter().flatten().cloned().collect()).await?;
            self.note_told(files.into_iter().flatten().collect()).await?;
            if is_last {
                return self.tell_again_if_many().await;
            }
        }
    }

    /// Tells of them now, where that can be: what could not be told now is told by the next server that runs.
    pub(super) async fn tell_hides_soon(&self) {
        if let Err(error) = self.tell_hides().await {
            tracing::warn!(error = %super::chain(&error), "what was hidden could not be told in the small copies yet");
        }
    }

    /// Forgets to tell of what is still as it was told.
    async fn note_told(&self, files: Vec<Told>) -> Result<()> {
        self.write(move |connection| {
            let gone = "DELETE FROM untold_hides WHERE NOT EXISTS (SELECT 1 FROM files WHERE files.random = untold_hides.random)";
            connection.execute(gone, &[])?;
            let done = "DELETE FROM untold_hides WHERE random = $1 AND EXISTS (SELECT 1 FROM files WHERE files.random = untold_hides.random \
                        AND COALESCE(files.hidden_at, 0) = $2)";
            files.iter().try_for_each(|file| {
                connection.execute(done, &[file.random.as_str().into(), file.hidden_at.unwrap_or(0).into()]).map(drop)
            })
        })
        .await
    }

    async fn tell_again_if_many(&self) -> Result<()> {
        let many = self.blocking(hides_copies).await?.map_err(|error| Error::Unavailable(error.into()))?;
        if many.len() > MANY { self.tell_all_again(many).await } else { Ok(()) }
    }

    /// Tells of all that is hidden now in new copies, then lets `old` go. What is hidden or comes back meanwhile is untold, so a copy of
    /// a higher number tells it.
    async fn tell_all_again(&self, old: Vec<String>) -> Result<()> {
        let mut after = String::new();
        loop {
            let (number, from) = (self.next_number().await?, after.clone());
            let statement = format!(
                "SELECT random, created_at, hidden_at FROM files WHERE state <> 'live' AND state = 'hidden' AND random > $1 \
                 ORDER BY random LIMIT {COPY_ROWS}"
            );
            let files =
                self.read(move |connection| connection.query(&statement, &[from.into()])?.iter().map(told).collect::<ToldRows>()).await?;
            let Some(last) = files.last().and_then(Option::as_ref) else { break };
            after.clone_from(&last.random);
            self.put_hides(number, files.into_iter().flatten().collect()).await?;
        }
        let removed = self.blocking(move |blobs| old.iter().try_for_each(|name| blobs.remove_control(name))).await?;
        removed.map_err(|error| self.blob_write_failed(error, 0))
    }

    /// Taken before what a copy tells is read: whatever changes later is told under a higher one.
    async fn next_number(&self) -> Result<i64> {
        let statement = "UPDATE counters SET value = value + 1 WHERE name = 'hides' RETURNING value";
        self.write(move |connection| connection.query(statement, &[])?.first().map_or(Ok(0), |row| row.int(0))).await
    }

    async fn put_hides(&self, number: i64, files: Vec<Told>) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        let store_id = self.read(|connection| rows::get(connection, "store_id")).await?.unwrap_or_default();
        let copy = HidesCopy { format: 1, store_id, number, files };
        let encoded = serde_json::to_vec(&copy).map_err(std::io::Error::from).and_then(|text| zstd::encode_all(&text[..], 3));
        let bytes = encoded.map_err(|error| Error::Internal(error.into()))?;
        let name = format!("{number:012}-{}{SUFFIX}", Sha256Digest::of(&bytes).hex());
        let outcome = self.blocking(move |blobs| blobs.put_control(&name, &bytes)).await?;
        outcome.map_err(|error| self.blob_write_failed(error, 0))
    }

    /// Takes over what copies tell that are newer than the catalog; how many files they changed.
    pub(super) async fn load_newer_hides(&self) -> Result<u64> {
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
            let Some(copy) = decode(&name, &bytes) else {
                tracing::warn!(copy.name = %name, "a small copy of hides is damaged and passed over");
                continue;
            };
            changed += self.write(move |connection| load(connection, &copy)).await?;
        }
        Ok(changed)
    }

    /// Forgets what was told of blobs that are not there. To be called after a whole reconciliation.
    pub(super) async fn forget_told(&self) -> Result<()> {
        let statement = "DELETE FROM told_hides WHERE NOT EXISTS \
                         (SELECT 1 FROM files WHERE files.random = told_hides.random AND state IN ('checking', 'quarantined'))";
        self.write(move |connection| connection.execute(statement, &[]).map(drop)).await
    }
}

type ToldRows = std::result::Result<Vec<Option<Told>>, CatalogError>;

/// `None` for a file that has gone.
fn told(row: &Row) -> std::result::Result<Option<Told>, CatalogError> {
    let Some(created_at) = row.optional_int(1)? else { return Ok(None) };
    Ok(Some(Told { random: row.text(0)?.to_owned(), created_at, hidden_at: row.optional_int(2)? }))
}

/// Names of all copies of hides, the oldest first.
fn hides_copies(blobs: &dyn Blobs) -> std::result::Result<Vec<String>, BlobError> {
    let mut names: Vec<String> = blobs.list_control()?.into_iter().filter(|name| name.ends_with(SUFFIX)).collect();
    names.sort_unstable();
    Ok(names)
}

fn number_of(name: &str) -> Option<i64> {
    name.split('-').next()?.parse().ok()
}

fn decode(name: &str, bytes: &[u8]) -> Option<HidesCopy> {
    let sha256 = name.strip_suffix(SUFFIX)?.rsplit('-').next()?;
    (Sha256Digest::of(bytes).hex() == sha256).then_some(())?;
    let copy: HidesCopy = serde_json::from_slice(&zstd::decode_all(bytes).ok()?).ok()?;
    (copy.format == 1).then_some(copy)
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
            let account: AccountId =
                row.text(1)?.parse().map_err(|_| CatalogError::new(super::catalog::Fault::Failed, "an account id is none of ours"))?;
            changed += u64::from(become_hidden(connection, &file.random, "live", &account)?);
        }
    }
    let values = [copy.number.into()];
    connection.execute("UPDATE counters SET value = $1 WHERE name = 'hides' AND value < $1", &values)?;
    Ok(changed)
}

/// Hides a row of this state as the small copies tell; `false` where they tell nothing of it.
pub(super) fn become_hidden(
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

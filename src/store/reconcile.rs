//! Reconciliation: rows and blobs are matched in the background, and nothing is lost by it.
//!
//! * A blob without a row is read whole and adopted. Of two whole blobs with one name and one SHA-256 one is kept; other bytes
//!   under a name that is held, unknown accounts and wrong digests are quarantined: listed by `check`, never deleted.
//! * A row without a blob is marked damaged, never dropped.
//!
//! So yesterday's catalog over today's blobs loses nothing. An upload that publishes meanwhile takes its `checking` row over.

use tokio::sync::mpsc;

use super::blobs::{BlobKey, Found};
use super::catalog::{CatalogError, Connection};
use super::commit::insert_sums;
use super::verify::{self, Finding};
use super::{Error, Result, Store, rows};
use crate::model::account::{Account, Kind};
use crate::model::digest::BlockSums;
use crate::model::instant::{DAY_MICROS, Instant, SECOND_MICROS};
use crate::model::stored_file::{BlobId, FileState, StoredFile, quota_bytes};
use crate::shutdown::Shutdown;

/// Keys that are looked up in one query.
const BATCH_KEYS: usize = 100;
/// A reading that took longer judges nothing: the file may have been adopted by another server and have expired since.
const JUDGE_MICROS: i64 = DAY_MICROS;
/// Damaged files that one reconciliation names in the log; `strongroom check` names all.
const NAMED_IN_LOG: u64 = 100;
const UNKNOWN_ACCOUNT: &str = "its account is unknown";

/// What a reconciliation did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ReconcileReport {
    pub adopted: u64,
    pub adopted_bytes: u64,
    /// Second copies of files that are there.
    pub doomed: u64,
    pub quarantined: u64,
    /// Rows without their blob.
    pub missing: u64,
    pub foreign: u64,
    pub staging_removed: u64,
}

type Finds = Vec<(BlobKey, u64)>;

impl Store {
    /// Matches all rows and blobs once.
    pub async fn reconcile(&self, shutdown: &Shutdown) -> Result<ReconcileReport> {
        let mut report = ReconcileReport::default();
        let cleared = self.blocking(super::blobs::Blobs::clear_staging).await?;
        report.staging_removed = cleared.map_err(|error| self.blob_write_failed(error, 0))?;
        self.finish_checking(&mut report).await?;
        self.adopt_blobs_without_rows(shutdown, &mut report).await?;
        self.mark_rows_without_blobs(shutdown, &mut report).await?;
        self.remove_doomed().await?;
        Ok(report)
    }

    /// Takes up rows that a crash left in `checking`, and quarantined ones whose account has come back.
    async fn finish_checking(&self, report: &mut ReconcileReport) -> Result<()> {
        self.write(|connection| {
            let statement = "UPDATE files SET state = 'checking', why = NULL WHERE state = 'quarantined' AND why = $1 \
                             AND EXISTS (SELECT 1 FROM accounts WHERE accounts.id = files.account)";
            connection.execute(statement, &[UNKNOWN_ACCOUNT.into()]).map(drop)
        })
        .await?;
        let mut after = String::new();
        loop {
            let from = after.clone();
            let columns = rows::FILE_COLUMNS;
            let statement = format!("SELECT {columns} FROM files WHERE state = 'checking' AND random > $1 ORDER BY random LIMIT 100");
            let found: Vec<StoredFile> = self
                .read(move |connection| connection.query(&statement, &[from.into()])?.iter().map(|row| rows::file(row, None)).collect())
                .await?;
            let Some(last) = found.last() else { return Ok(()) };
            after = last.id.as_str().to_owned();
            for file in found {
                self.judge(BlobKey::of(&file), report).await?;
            }
        }
    }

    async fn adopt_blobs_without_rows(&self, shutdown: &Shutdown, report: &mut ReconcileReport) -> Result<()> {
        let (sender, mut receiver) = mpsc::channel::<Finds>(4);
        let (store, stopping) = (self.clone(), shutdown.clone());
        let walk = tokio::spawn(async move { store.blocking(move |blobs| walk_in_batches(blobs, &sender, &stopping)).await });
        while let Some(finds) = receiver.recv().await {
            for (key, size_bytes) in self.without_rows(finds).await? {
                if shutdown.is_stopping() {
                    return Ok(());
                }
                if self.begin_checking(&key, size_bytes, report).await? {
                    self.judge(key, report).await?;
                }
            }
        }
        let walked = walk.await.map_err(|panic| Error::Internal(panic.into()))??;
        report.foreign += walked.map_err(|error| Error::Unavailable(error.into()))?;
        Ok(())
    }

    async fn without_rows(&self, mut finds: Finds) -> Result<Finds> {
        let numbers: Vec<String> = (1..=finds.len()).map(|number| format!("${number}")).collect();
        let statement = format!("SELECT random FROM files WHERE random IN ({})", numbers.join(", "));
        let values: Vec<_> = finds.iter().map(|(key, _)| key.id.as_str().into()).collect();
        let known: std::collections::HashSet<String> = self
            .read(move |connection| connection.query(&statement, &values)?.iter().map(|row| row.text(0).map(str::to_owned)).collect())
            .await?;
        finds.retain(|(key, _)| !known.contains(key.id.as_str()));
        Ok(finds)
    }

    /// Gives the blob a `checking` row before it is opened. False where there is nothing to judge: it has a row by now, or no account.
    async fn begin_checking(&self, key: &BlobKey, size_bytes: u64, report: &mut ReconcileReport) -> Result<bool> {
        let key = key.clone();
        let state = self.write(move |connection| insert_found(connection, &key, size_bytes)).await?;
        report.quarantined += u64::from(state == Some(FileState::Quarantined));
        Ok(state == Some(FileState::Checking))
    }

    /// Reads a `checking` blob and gives its row the state it deserves.
    async fn judge(&self, key: BlobKey, report: &mut ReconcileReport) -> Result<()> {
        let (read, began) = (key.clone(), self.now());
        let finding = self.blocking(move |blobs| verify::read_whole(blobs, &read, None, &mut |_| {})).await?;
        let now = self.now();
        if now.micros_since(began) >= JUDGE_MICROS {
            return Ok(());
        }
        let (size_bytes, state) = match finding {
            Finding::Whole { size_bytes, sums } => {
                (size_bytes, self.write(move |connection| adopt(connection, &key, size_bytes, &sums, now)).await?)
            }
            Finding::Damaged(why) => (0, self.write(move |connection| settle(connection, &key.id, FileState::Quarantined, &why)).await?),
            Finding::Missing => return self.drop_checking(key.id).await,
            Finding::Unknown(why) => {
                tracing::warn!(blob.id = %key.id, why, "a blob without a row could not be read now");
                return Ok(());
            }
        };
        match state {
            Some(FileState::Live) => {
                report.adopted += 1;
                report.adopted_bytes += size_bytes;
            }
            Some(FileState::Doomed) => report.doomed += 1,
            Some(FileState::Quarantined) => report.quarantined += 1,
            _ => {}
        }
        Ok(())
    }

    /// The blob was removed between the walk and the row: the row goes, unless an upload has taken it over.
    async fn drop_checking(&self, id: BlobId) -> Result<()> {
        let statement = "DELETE FROM files WHERE random = $1 AND state = 'checking'";
        self.write(move |connection| connection.execute(statement, &[id.as_str().into()]).map(drop)).await
    }

    async fn mark_rows_without_blobs(&self, shutdown: &Shutdown, report: &mut ReconcileReport) -> Result<()> {
        let mut after = String::new();
        while !shutdown.is_stopping() {
            let batch = self.files_after(None, after).await?;
            let Some(last) = batch.last() else { return Ok(()) };
            after = last.id.as_str().to_owned();
            let missing = self
                .blocking(move |blobs| {
                    let look = |file: StoredFile| verify::look(blobs, &BlobKey::of(&file), file.size_bytes).map(|finding| (file, finding));
                    batch.into_iter().filter_map(look).collect::<Vec<_>>()
                })
                .await?;
            self.mark_missing(missing, report).await?;
        }
        Ok(())
    }

    /// Marks a batch in one transaction; a life that ended meanwhile is nobody's damage.
    async fn mark_missing(&self, missing: Vec<(StoredFile, Finding)>, report: &mut ReconcileReport) -> Result<()> {
        let missing: Vec<_> = missing.into_iter().filter(|(_, finding)| !matches!(finding, Finding::Unknown(_))).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let (ids, now): (Vec<BlobId>, _) = (missing.iter().map(|(file, _)| file.id.clone()).collect(), self.now().micros());
        let marked = self
            .write(move |connection| {
                let statement = "UPDATE files SET checked_at = $2, damaged_at = COALESCE(damaged_at, $2) \
                                 WHERE random = $1 AND state IN ('live', 'hidden')";
                let mark = |id: &BlobId| connection.execute(statement, &[id.as_str().into(), now.into()]);
                ids.iter().map(mark).collect::<std::result::Result<Vec<u64>, _>>()
            })
            .await?;
        for ((file, finding), _) in missing.iter().zip(marked).filter(|(_, rows)| *rows == 1) {
            report.missing += 1;
            if report.missing <= NAMED_IN_LOG {
                let why = finding.words();
                tracing::error!(account.id = %file.account, file.name = %file.name, blob.id = %file.id, why, "a stored file is damaged");
            }
        }
        Ok(())
    }
}

/// Sends what the walk finds in batches; returns how many foreign things there were. Stops where nobody listens any more.
fn walk_in_batches(
    blobs: &dyn super::blobs::Blobs,
    sender: &mpsc::Sender<Finds>,
    shutdown: &Shutdown,
) -> std::result::Result<u64, super::blobs::BlobError> {
    let (mut batch, mut foreign) = (Finds::new(), 0);
    blobs.walk(&mut |found| {
        match found {
            Found::Blob { key, size_bytes } => batch.push((key, size_bytes)),
            Found::Foreign { path } => {
                foreign += 1;
                tracing::warn!(path, "something under blobs/ was not written by a strongroom; it is left alone");
            }
        }
        let full = batch.len() >= BATCH_KEYS;
        (!full || sender.blocking_send(std::mem::take(&mut batch)).is_ok()) && !shutdown.is_stopping()
    })?;
    if !batch.is_empty() {
        let _ = sender.blocking_send(batch);
    }
    Ok(foreign)
}

/// A row for a blob that has none: `checking`, or `quarantined` where its account is unknown. `None` where it has one by now.
fn insert_found(connection: &mut dyn Connection, key: &BlobKey, size_bytes: u64) -> std::result::Result<Option<FileState>, CatalogError> {
    let account = rows::account(connection, &key.account)?;
    let (state, why) = if account.is_some() { (FileState::Checking, None) } else { (FileState::Quarantined, Some(UNKNOWN_ACCOUNT)) };
    let created_at = created_at(key);
    let end = account.map_or(Instant::FOREVER, |account| life_end(&account, key));
    let inserted = connection.execute(
        "INSERT INTO files (random, account, name, state, size, sha256, change, created_at, kept_from, expires_at, checked_at, why) \
         VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8, $9, 0, $10) ON CONFLICT DO NOTHING",
        &[
            key.id.as_str().into(),
            key.account.as_str().into(),
            key.name.as_bytes().into(),
            state.as_str().into(),
            rows::signed(size_bytes).into(),
            key.sha256.0[..].into(),
            created_at.micros().into(),
            key.kept_from.seconds().into(),
            rows::end_value(end),
            why.into(),
        ],
    )?;
    Ok((inserted == 1).then_some(state))
}

/// A whole blob becomes live where its row still says `checking` and its name is free.
fn adopt(
    connection: &mut dyn Connection,
    key: &BlobKey,
    size_bytes: u64,
    sums: &BlockSums,
    now: Instant,
) -> std::result::Result<Option<FileState>, CatalogError> {
    let counted = rows::signed(quota_bytes(&key.name, size_bytes));
    let Some((change, _)) = rows::next_change(connection, &key.account, counted, now)? else {
        return settle(connection, &key.id, FileState::Quarantined, UNKNOWN_ACCOUNT);
    };
    let account = rows::account(connection, &key.account)?;
    let end = account.as_ref().map_or(Instant::FOREVER, |account| life_end(account, key));
    let statement = "UPDATE files SET state = 'live', change = $2, size = $3, checked_at = $4, expires_at = $5 \
                     WHERE random = $1 AND state = 'checking' AND NOT EXISTS \
                     (SELECT 1 FROM files AS other WHERE other.account = files.account AND other.name = files.name AND other.state = 'live')";
    let values = [key.id.as_str().into(), change.into(), rows::signed(size_bytes).into(), now.micros().into(), rows::end_value(end)];
    if connection.execute(statement, &values)? == 1 {
        insert_sums(connection, key, sums)?;
        return Ok(Some(FileState::Live));
    }
    rows::next_change(connection, &key.account, -counted, now)?;
    let holder = account.map(|account| rows::live_file(connection, &account, &key.name)).transpose()?.flatten();
    match holder {
        Some(holder) if holder.id == key.id => Ok(None),
        Some(holder) if holder.sha256 == key.sha256 => settle(connection, &key.id, FileState::Doomed, ""),
        _ => settle(connection, &key.id, FileState::Quarantined, "its name is held by other bytes"),
    }
}

/// Gives a row its state only if it still says `checking`. A doomed second copy leaves no memory behind.
fn settle(
    connection: &mut dyn Connection,
    id: &BlobId,
    state: FileState,
    why: &str,
) -> std::result::Result<Option<FileState>, CatalogError> {
    let why = Some(why).filter(|why| !why.is_empty());
    let statement = "UPDATE files SET state = $2, why = $3 WHERE random = $1 AND state = 'checking'";
    let changed = connection.execute(statement, &[id.as_str().into(), state.as_str().into(), why.into()])?;
    Ok((changed == 1).then_some(state))
}

/// An adopted file was created when its key says.
fn created_at(key: &BlobKey) -> Instant {
    Instant::from_micros(key.kept_from.seconds().saturating_mul(SECOND_MICROS))
}

fn life_end(account: &Account, key: &BlobKey) -> Instant {
    match account.kind {
        Kind::Archive => account.retention.expires_at(created_at(key), key.kept_from),
        Kind::Vault => Instant::FOREVER,
    }
}

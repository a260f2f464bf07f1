//! Reconciliation: rows and blobs are matched in the background, and nothing is lost by it.
//!
//! * A blob without a row is read whole and adopted. Of two whole blobs with one name and one SHA-256 one is kept, and only after both
//!   were read (`twin`). Other bytes under a name that is held, unknown accounts and wrong digests are quarantined: listed by
//!   `check`, never deleted, and looked at again when the name is free or the account is back.
//! * A blob that cannot be read stays in `checking` and is tried again by each reconciliation.
//! * A row without a blob is marked damaged, never dropped.
//!
//! So yesterday's catalog over today's blobs loses nothing. An upload that publishes meanwhile takes its `checking` row over.

use tokio::sync::mpsc;

use super::adopt::{Adoption, NAME_HELD, UNKNOWN_ACCOUNT, adopt, insert_found, settle};
use super::blobs::{BlobKey, Found};
use super::verify::{self, Finding};
use super::{Error, Result, Store, rows};
use crate::model::digest::BlockSums;
use crate::model::instant::{DAY_MICROS, Instant};
use crate::model::stored_file::{BlobId, FileState, StoredFile};
use crate::shutdown::Shutdown;

/// Keys that are looked up in one query.
const BATCH_KEYS: usize = 100;
/// A reading that took longer judges nothing: the file may have been adopted by another server and have expired since.
const JUDGE_MICROS: i64 = DAY_MICROS;
/// Damaged files that one reconciliation names in the log; `strongroom check` names all.
const NAMED_IN_LOG: u64 = 100;

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
        match self.blocking(super::blobs::Blobs::clear_staging).await? {
            Ok(removed) => report.staging_removed = removed,
            Err(error) => tracing::warn!(error = %super::chain(&error), "a staging file could not be cleared away"),
        }
        self.finish_checking(shutdown, &mut report).await?;
        self.adopt_blobs_without_rows(shutdown, &mut report).await?;
        // After the walk, which finds who holds the names.
        self.look_again_at_quarantined().await?;
        self.finish_checking(shutdown, &mut report).await?;
        if !shutdown.is_stopping() {
            self.forget_told().await?;
        }
        self.mark_rows_without_blobs(shutdown, &mut report).await?;
        self.remove_doomed().await?;
        Ok(report)
    }

    /// Puts quarantined rows back into `checking` whose account has come back, or whose name nobody holds any more.
    async fn look_again_at_quarantined(&self) -> Result<()> {
        self.write(|connection| {
            let again = "UPDATE files SET state = 'checking', why = NULL WHERE state <> 'live' AND state = 'quarantined' AND why = $1";
            let account = format!("{again} AND EXISTS (SELECT 1 FROM accounts WHERE accounts.id = files.account)");
            connection.execute(&account, &[UNKNOWN_ACCOUNT.into()])?;
            // Of several that were set aside for one name, the one that came last: it is what its owner sent last.
            let name = format!(
                "{again} AND NOT EXISTS (SELECT 1 FROM files AS other \
                 WHERE other.account = files.account AND other.name = files.name AND (other.state = 'live' OR \
                 other.state = 'quarantined' AND other.why = $1 AND (other.kept_from > files.kept_from OR \
                 other.kept_from = files.kept_from AND other.random > files.random)))"
            );
            connection.execute(&name, &[NAME_HELD.into()]).map(drop)
        })
        .await
    }

    /// Judges rows in `checking`: left by a crash, unreadable the last time, or put back.
    async fn finish_checking(&self, shutdown: &Shutdown, report: &mut ReconcileReport) -> Result<()> {
        let mut after = String::new();
        while !shutdown.is_stopping() {
            let from = after.clone();
            let columns = rows::FILE_COLUMNS;
            let statement = format!(
                "SELECT {columns} FROM files WHERE state <> 'live' AND state = 'checking' AND random > $1 ORDER BY random LIMIT {BATCH_KEYS}"
            );
            let found: Vec<StoredFile> = self
                .read(move |connection| connection.query(&statement, &[from.into()])?.iter().map(|row| rows::file(row, None)).collect())
                .await?;
            let Some(last) = found.last() else { return Ok(()) };
            after = last.id.as_str().to_owned();
            for file in found {
                self.judge(BlobKey::of(&file), shutdown, report).await?;
            }
        }
        Ok(())
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
                    self.judge(key, shutdown, report).await?;
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
        let now = self.now();
        let state = self.write(move |connection| insert_found(connection, &key, size_bytes, now)).await?;
        report.quarantined += u64::from(state == Some(FileState::Quarantined));
        Ok(state == Some(FileState::Checking))
    }

    /// Reads a `checking` blob and gives its row the state it deserves.
    async fn judge(&self, key: BlobKey, shutdown: &Shutdown, report: &mut ReconcileReport) -> Result<()> {
        let (read, began, stopping) = (key.clone(), self.now(), shutdown.clone());
        let finding = self.blocking(move |blobs| verify::read_whole(blobs, &read, None, &mut |_| !stopping.is_stopping())).await?;
        if self.now().micros_since(began) >= JUDGE_MICROS {
            return Ok(());
        }
        let (size_bytes, state) = match finding {
            Finding::Whole { size_bytes, sums } => (size_bytes, self.take_in(&key, size_bytes, sums, began, shutdown).await?),
            Finding::Damaged(why) => (0, self.settle(&key, FileState::Quarantined, &why).await?),
            Finding::Missing => return self.drop_checking(key.id).await,
            Finding::Unreadable(why) => {
                tracing::error!(blob = key.to_path(), why, "a blob without a row cannot be read; it is tried again");
                (0, self.settle(&key, FileState::Checking, &why).await?)
            }
            Finding::Unknown(why) => {
                tracing::warn!(blob.id = %key.id, why, "a blob without a row could not be read now");
                return Ok(());
            }
        };
        match state {
            Some(FileState::Live | FileState::Hidden) => {
                report.adopted += 1;
                report.adopted_bytes += size_bytes;
            }
            Some(FileState::Doomed) => report.doomed += 1,
            Some(FileState::Quarantined) => report.quarantined += 1,
            _ => {}
        }
        Ok(())
    }

    /// Adopts a whole blob, or settles it with the file that holds its name.
    async fn take_in(
        &self,
        key: &BlobKey,
        size_bytes: u64,
        sums: BlockSums,
        began: Instant,
        shutdown: &Shutdown,
    ) -> Result<Option<FileState>> {
        let (blob, read, now) = (key.clone(), sums.clone(), self.now());
        match self.write(move |connection| adopt(connection, &blob, size_bytes, &read, now)).await? {
            Adoption::Settled(state) => Ok(state),
            Adoption::Twin(holder) => self.settle_twin(key, size_bytes, sums, *holder, began, shutdown).await,
        }
    }

    async fn settle(&self, key: &BlobKey, state: FileState, why: &str) -> Result<Option<FileState>> {
        let (id, why) = (key.id.clone(), why.to_owned());
        self.write(move |connection| settle(connection, &id, state, &why)).await
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
            Found::Unreadable { path, why } => {
                foreign += 1;
                tracing::error!(path, why, "something under blobs/ cannot be read: what lies in it is not seen");
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

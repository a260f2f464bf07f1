//! The end of lives: rows are doomed when they are due, then their bytes go, then the row.
//!
//! Doomed in one transaction that repeats its whole condition; then unlink and sync; then the row moves to `ended`. A crash
//! between the steps leaves a doomed row, which is taken up again at start and every hour.

use std::time::{Duration, Instant as Stopwatch};

use super::blobs::{BlobError, BlobFault, BlobKey, Blobs};
use super::catalog::{CatalogError, Connection};
use super::hide::hidden_end;
use super::{Result, Store, rows};
use crate::fault_point;
use crate::model::instant::{DAY_MICROS, Instant};
use crate::model::stored_file::{BlobId, FileState, NAME_HOLD_MICROS, StoredFile};
use crate::shutdown::Shutdown;

/// Rows of one batch: a batch holds the writer for about a millisecond.
const BATCH_ROWS: usize = 100;
/// A pause between batches is this many times as long as the batch before it took.
const PAUSE_FACTOR: u32 = 9;
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long the memory of an ended file is kept.
pub(super) const ENDED_MICROS: i64 = 400 * DAY_MICROS;

impl Store {
    /// Ends every life that was over 24 hours ago and removes the bytes, as far as it gets until the stop is given; returns how many.
    /// Between batches it leaves the disk to others. Does nothing while expiry is paused.
    pub async fn expire_due(&self, shutdown: &Shutdown) -> Result<u64> {
        let mut ended = 0;
        loop {
            let began = Stopwatch::now();
            if self.inner.time.paused().is_some() || shutdown.is_stopping() {
                return Ok(ended);
            }
            let due = self.now().plus_micros(-NAME_HOLD_MICROS);
            let candidates = self.candidates(due).await?;
            let more = candidates.len() == BATCH_ROWS;
            if candidates.is_empty() {
                return Ok(ended);
            }
            ended += self.doom(candidates, due).await?;
            fault_point::pass("doomed");
            self.remove_doomed().await?;
            if !more {
                return Ok(ended);
            }
            tokio::time::sleep((began.elapsed() * PAUSE_FACTOR).min(LONGEST_PAUSE)).await;
        }
    }

    async fn candidates(&self, due: Instant) -> Result<Vec<Candidate>> {
        let expired = format!(
            "SELECT random FROM files WHERE state = 'live' AND expires_at IS NOT NULL AND expires_at <= $1 ORDER BY expires_at LIMIT {BATCH_ROWS}"
        );
        let hidden = "SELECT random FROM files WHERE state = 'hidden' AND ends_at <= $1 ORDER BY ends_at LIMIT $2";
        let now = self.now();
        self.read(move |connection| {
            let found = connection.query(&expired, &[due.micros().into()])?;
            let mut candidates: Vec<_> = found.iter().map(|row| row.text(0).map(|random| Candidate::Expired(random.to_owned()))).collect();
            let room = i64::try_from(BATCH_ROWS - candidates.len()).expect("a batch is small");
            let found = connection.query(hidden, &[now.micros().into(), room.into()])?;
            candidates.extend(found.iter().map(|row| row.text(0).map(|random| Candidate::Hidden(random.to_owned()))));
            candidates.into_iter().collect()
        })
        .await
    }

    async fn doom(&self, candidates: Vec<Candidate>, due: Instant) -> Result<u64> {
        let store = self.clone();
        self.write(move |connection| {
            let mut doomed = 0;
            for candidate in &candidates {
                doomed += doom_one(connection, candidate, due, store.now())?;
            }
            Ok(doomed)
        })
        .await
    }

    /// Removes the bytes and rows of everything that is doomed; what fails is tried again later.
    pub async fn remove_doomed(&self) -> Result<u64> {
        let (mut removed, mut after) = (0, String::new());
        loop {
            let from = after.clone();
            let doomed = self.read(move |connection| doomed_after(connection, &from)).await?;
            let Some(last) = doomed.last() else { return Ok(removed) };
            after = last.id.as_str().to_owned();
            let gone = self.unlink(doomed).await?;
            fault_point::pass("removed");
            removed += gone.len() as u64;
            self.forget(gone).await?;
            fault_point::pass("ended");
        }
    }

    /// The files whose bytes are durably gone now. A disk error ends writing, as everywhere on a write path: a removal whose sync
    /// failed is not tried again before a restart.
    async fn unlink(&self, doomed: Vec<StoredFile>) -> Result<Vec<StoredFile>> {
        self.check_writes()?;
        let (gone, failed) = self.blocking(move |blobs| unlink(blobs, doomed)).await?;
        match failed {
            Some(error) => Err(self.suspend_writes(&super::chain(&error))),
            None => Ok(gone),
        }
    }

    async fn forget(&self, gone: Vec<StoredFile>) -> Result<()> {
        if gone.is_empty() {
            return Ok(());
        }
        let now = self.now();
        self.write(move |connection| gone.iter().try_for_each(|file| forget_one(connection, file, now))).await
    }

    /// Removes a refused upload's blob without keeping anybody waiting; its row says `doomed`.
    pub(super) fn remove_in_background(&self, key: BlobKey) {
        let store = self.clone();
        self.inner.tasks.spawn(async move {
            let id = key.id.clone();
            let outcome = async {
                let doomed = store.read(move |connection| rows::file_of_blob(connection, None, &id)).await?;
                let doomed = doomed.filter(|file| file.state == FileState::Doomed).into_iter().collect();
                let gone = store.unlink(doomed).await?;
                store.forget(gone).await
            };
            if let Err(error) = outcome.await {
                tracing::warn!(error = %super::chain(&error), "a refused upload's bytes stay until the next hourly removal");
            }
        });
    }

    /// Drops memories older than 400 days.
    pub(super) async fn forget_ended(&self) -> Result<()> {
        let before = self.now().plus_micros(-ENDED_MICROS);
        self.write(move |connection| connection.execute("DELETE FROM ended WHERE ended_at < $1", &[before.micros().into()]).map(drop)).await
    }
}

/// Those that are gone, and a disk error where there was one. What fails otherwise is left for later.
fn unlink(blobs: &dyn Blobs, doomed: Vec<StoredFile>) -> (Vec<StoredFile>, Option<BlobError>) {
    let keys: Vec<BlobKey> = doomed.iter().map(BlobKey::of).collect();
    let (mut gone, mut failed) = (Vec::new(), None);
    for (file, outcome) in doomed.into_iter().zip(blobs.remove_all(&keys)) {
        match outcome {
            Ok(()) => gone.push(file),
            Err(error) if error.fault == BlobFault::Io => failed = Some(error),
            Err(error) => {
                tracing::warn!(error = %super::chain(&error), blob.id = %file.id, "bytes could not be removed; they are tried again");
            }
        }
    }
    (gone, failed)
}

/// A row whose end the index says is over.
enum Candidate {
    /// An archive's file, a day after the end of its life.
    Expired(String),
    /// What a vault's client has deleted.
    Hidden(String),
}

/// Dooms the row where its life, computed again from the account's whole history, is over; else puts it back where it belongs
/// in the index. 1 where it was doomed.
fn doom_one(connection: &mut dyn Connection, candidate: &Candidate, due: Instant, now: Instant) -> Result<u64, CatalogError> {
    let (random, doom, put_back, due) = match candidate {
        Candidate::Expired(random) => {
            let end = format!(
                "kept_from * 1000000 + {DAY_MICROS} * (SELECT MAX(days) FROM retentions \
                 WHERE retentions.account = files.account AND retentions.until_at > files.created_at)"
            );
            let doom = format!(
                "UPDATE files SET state = 'doomed', why = 'expired' WHERE random = $1 AND state = 'live' AND {end} <= $2 \
                 AND EXISTS (SELECT 1 FROM accounts WHERE accounts.id = files.account AND accounts.kind = 'archive') \
                 RETURNING account, name, size"
            );
            let put_back = format!("UPDATE files SET expires_at = COALESCE({end}, $2) WHERE random = $1 AND state = 'live'");
            (random.as_str(), doom, put_back, due)
        }
        Candidate::Hidden(random) => {
            let end = hidden_end("files.hidden_at");
            let doom = format!(
                "UPDATE files SET state = 'doomed', why = 'hidden' WHERE random = $1 AND state = 'hidden' AND {end} <= $2 \
                 RETURNING account, name, size"
            );
            let put_back = format!("UPDATE files SET ends_at = COALESCE({end}, $2) WHERE random = $1 AND state = 'hidden'");
            (random.as_str(), doom, put_back, now)
        }
    };
    let doomed = connection.query(&doom, &[random.into(), due.micros().into()])?;
    let Some(row) = doomed.first() else {
        let later = due.plus_micros(DAY_MICROS).micros();
        connection.execute(&put_back, &[random.into(), later.into()])?;
        return Ok(0);
    };
    let segments = row.bytes(1)?.iter().filter(|byte| **byte == b'/').count() as u64;
    let counted = row.int(2)?.saturating_add(rows::signed(segments * crate::model::stored_file::SEGMENT_BYTES));
    let account = row.text(0)?.parse().map_err(|_| CatalogError::new(super::catalog::Fault::Failed, "an account id is none of ours"))?;
    let change = rows::next_change(connection, &account, -counted, now)?;
    let number = change.map_or(0, |(number, _)| number);
    connection.execute("UPDATE files SET change = $2 WHERE random = $1", &[random.into(), number.into()])?;
    fault_point::pass("dooming");
    Ok(1)
}

fn doomed_after(connection: &mut dyn Connection, after: &str) -> Result<Vec<StoredFile>, CatalogError> {
    let columns = rows::FILE_COLUMNS;
    let statement = format!(
        "SELECT {columns} FROM files WHERE state <> 'live' AND state = 'doomed' AND random > $1 ORDER BY random LIMIT {BATCH_ROWS}"
    );
    let found = connection.query(&statement, &[after.into()])?;
    found.iter().map(|row| rows::file(row, None)).collect()
}

/// Moves a row whose bytes are gone into `ended`; one that was never live leaves no memory.
fn forget_one(connection: &mut dyn Connection, file: &StoredFile, now: Instant) -> Result<(), CatalogError> {
    let id: &BlobId = &file.id;
    connection.execute(
        "INSERT INTO ended (random, account, name, size, sha256, created_at, ended_at, why) \
         SELECT random, account, name, size, sha256, created_at, CAST($2 AS BIGINT), why FROM files \
         WHERE random = $1 AND state = 'doomed' AND why IS NOT NULL ON CONFLICT DO NOTHING",
        &[id.as_str().into(), now.micros().into()],
    )?;
    connection.execute("DELETE FROM files WHERE random = $1 AND state = 'doomed'", &[id.as_str().into()])?;
    fault_point::pass("ending");
    connection.execute("DELETE FROM absences WHERE random = $1", &[id.as_str().into()])?;
    connection.execute("DELETE FROM block_sums WHERE random = $1", &[id.as_str().into()]).map(drop)
}

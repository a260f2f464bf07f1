//! Scrub: every blob is read against its digest in the background, slowly, oldest check first.

use std::time::{Duration, Instant as Stopwatch};

use super::blobs::BlobKey;
use super::verify::{self, Finding};
use super::{Result, Store, rows};
use crate::model::instant::{DAY_MICROS, Instant};
use crate::model::stored_file::{BlobId, StoredFile};
use crate::shutdown::Shutdown;

/// Files taken up at once.
const BATCH_ROWS: usize = 32;
/// Bytes read between two pauses.
const BURST_BYTES: u64 = 4 << 20;
/// What opening a file counts as, so that small ones are paced, too.
const FILE_BYTES: u64 = 64 << 10;
/// How long files that were found whole wait for their mark.
const LONGEST_UNMARKED: Duration = Duration::from_secs(10);
/// A pause is this many times as long as the burst before it took: the scrub leaves nine tenths of the disk to others.
const PAUSE_FACTOR: u32 = 9;

/// Which files a scrub takes first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ScrubOrder {
    OldestCheckFirst,
    /// After a crash: what was written last is in most doubt.
    NewestFileFirst,
}

impl Store {
    /// Reads what is due and marks what it finds; returns how many files were read.
    pub(super) async fn scrub_due(&self, shutdown: &Shutdown) -> Result<u64> {
        let days = i64::try_from(self.inner.settings.scrub_days).unwrap_or(0);
        let before = self.now().plus_micros(-days.saturating_mul(DAY_MICROS));
        let (mut read, mut pace) = (0, Pace::new(shutdown.clone()));
        while days > 0 && !shutdown.is_stopping() {
            let batch = self.scrub_batch(ScrubOrder::OldestCheckFirst, before).await?;
            if batch.is_empty() {
                break;
            }
            let count;
            (count, pace) = self.scrub_files(batch, pace).await?;
            read += count;
        }
        Ok(read)
    }

    /// Reads the files that were written last, after a stop that was not clean.
    pub(super) async fn scrub_newest(&self, shutdown: &Shutdown) -> Result<()> {
        let newest = self.scrub_batch(ScrubOrder::NewestFileFirst, Instant::FOREVER).await?;
        self.scrub_files(newest, Pace::new(shutdown.clone())).await.map(drop)
    }

    async fn scrub_batch(&self, order: ScrubOrder, before: Instant) -> Result<Vec<StoredFile>> {
        let columns = rows::FILE_COLUMNS;
        let (order, limit) = match order {
            ScrubOrder::OldestCheckFirst => ("checked_at", BATCH_ROWS),
            // A new file's check is its creation: the newest checks are the newest files.
            ScrubOrder::NewestFileFirst => ("checked_at DESC", 1000),
        };
        let statement = format!("SELECT {columns} FROM files WHERE state = 'live' AND checked_at < $1 ORDER BY {order} LIMIT {limit}");
        self.read(move |connection| {
            let found = connection.query(&statement, &[before.micros().into()])?;
            found.iter().map(|row| rows::file(row, None)).collect()
        })
        .await
    }

    /// Reads the files until the stop is given; how many. Those that are whole are marked together, so that a commit serves many
    /// small ones.
    async fn scrub_files(&self, files: Vec<StoredFile>, mut pace: Pace) -> Result<(u64, Pace)> {
        let (mut read, mut whole, mut marked) = (0, Vec::new(), Stopwatch::now());
        for file in files {
            if pace.shutdown.is_stopping() {
                break;
            }
            let (checked, mut lent) = (file.clone(), pace);
            let finding;
            (finding, pace) = self
                .blocking(move |blobs| {
                    lent.spend(FILE_BYTES);
                    let finding =
                        verify::read_whole(blobs, &BlobKey::of(&checked), Some(checked.size_bytes), &mut |bytes| lent.spend(bytes));
                    (finding, lent)
                })
                .await?;
            read += 1;
            if matches!(finding, Finding::Whole { .. }) {
                whole.push(file.id);
            } else if self.is_kept(&file).await? {
                // A life may end while its bytes are read.
                self.note_finding(&file, &finding).await?;
            }
            if marked.elapsed() >= LONGEST_UNMARKED {
                self.mark_whole(std::mem::take(&mut whole)).await?;
                marked = Stopwatch::now();
            }
        }
        self.mark_whole(whole).await?;
        Ok((read, pace))
    }

    /// Marks what a check found: damage is named in the log, a clean read takes the mark off.
    pub(super) async fn note_finding(&self, file: &StoredFile, finding: &Finding) -> Result<()> {
        match finding {
            Finding::Whole { .. } => self.mark_damage(&file.id, false).await,
            Finding::Missing | Finding::Damaged(_) => {
                let why = finding.words();
                tracing::error!(account.id = %file.account, file.name = %file.name, blob.id = %file.id, why, "a stored file is damaged");
                self.mark_damage(&file.id, true).await
            }
            Finding::Unknown(why) => {
                tracing::warn!(blob.id = %file.id, why, "a file could not be checked now");
                Ok(())
            }
        }
    }

    /// Takes marks off files that were read and found whole, in one transaction.
    pub(super) async fn mark_whole(&self, ids: Vec<BlobId>) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let now = self.now().micros();
        let statement = "UPDATE files SET checked_at = $2, damaged_at = NULL WHERE random = $1";
        self.write(move |connection| {
            ids.iter().try_for_each(|id| connection.execute(statement, &[id.as_str().into(), now.into()]).map(drop))
        })
        .await
    }

    /// Writes down that the file was read now and what it was found to be; the first damage keeps its time.
    pub(super) async fn mark_damage(&self, id: &BlobId, is_damaged: bool) -> Result<()> {
        let (id, now) = (id.as_str().to_owned(), self.now().micros());
        let statement = if is_damaged {
            "UPDATE files SET checked_at = $2, damaged_at = COALESCE(damaged_at, $2) WHERE random = $1"
        } else {
            "UPDATE files SET checked_at = $2, damaged_at = NULL WHERE random = $1"
        };
        self.write(move |connection| connection.execute(statement, &[id.as_str().into(), now.into()]).map(drop)).await
    }
}

/// Sleeps between bursts of reading. Runs on a blocking thread.
struct Pace {
    shutdown: Shutdown,
    burst_bytes: u64,
    began: Stopwatch,
}

impl Pace {
    fn new(shutdown: Shutdown) -> Self {
        Self { shutdown, burst_bytes: 0, began: Stopwatch::now() }
    }

    fn spend(&mut self, bytes: u64) {
        self.burst_bytes += bytes;
        if self.burst_bytes < BURST_BYTES || self.shutdown.is_stopping() {
            return;
        }
        std::thread::sleep((self.began.elapsed() * PAUSE_FACTOR).min(Duration::from_secs(1)));
        (self.burst_bytes, self.began) = (0, Stopwatch::now());
    }
}

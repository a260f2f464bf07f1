//! Scrub: every blob is read against its digest in the background, slowly, oldest check first.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant as Stopwatch};

use super::blobs::BlobKey;
use super::verify::{self, Finding};
use super::{Result, Store, rows};
use crate::model::instant::{DAY_MICROS, Instant};
use crate::model::stored_file::{BlobId, StoredFile};
use crate::shutdown::Shutdown;

/// Files taken up at once.
const BATCH_ROWS: usize = 32;
/// Files that are read after a crash.
const NEWEST_FILES: usize = 1000;
/// What opening a file and moving to it counts as, so that many small ones are read as slowly as a few large ones.
const FILE_BYTES: u64 = 128 << 10;
/// Bytes read between two pauses.
const BURST_BYTES: u64 = 4 << 20;
/// A pause is this many times as long as the burst before it took: the scrub leaves nine tenths of the disk to others.
const PAUSE_FACTOR: u32 = 9;
const LONGEST_SLEEP: Duration = Duration::from_millis(200);

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
        let (mut read, pace) = (0, Arc::new(Mutex::new(Pace::new(shutdown.clone()))));
        while days > 0 && !shutdown.is_stopping() {
            // What a vault has hidden is what a dated view restores from.
            let mut batch = self.scrub_batch("live", ScrubOrder::OldestCheckFirst, before).await?;
            if batch.is_empty() {
                batch = self.scrub_batch("hidden", ScrubOrder::OldestCheckFirst, before).await?;
            }
            if batch.is_empty() {
                break;
            }
            let (count, is_over) = self.scrub_files(batch, &pace).await?;
            read += count;
            if is_over {
                break;
            }
        }
        Ok(read)
    }

    /// Reads the files that were written last, after a stop that was not clean.
    pub(super) async fn scrub_newest(&self, shutdown: &Shutdown) -> Result<()> {
        let pace = Arc::new(Mutex::new(Pace::new(shutdown.clone())));
        let newest = self.scrub_batch("live", ScrubOrder::NewestFileFirst, Instant::FOREVER).await?;
        self.scrub_files(newest, &pace).await.map(drop)
    }

    async fn scrub_batch(&self, state: &str, order: ScrubOrder, before: Instant) -> Result<Vec<StoredFile>> {
        let columns = rows::FILE_COLUMNS;
        let (condition, order, limit) = match order {
            ScrubOrder::OldestCheckFirst => ("", "checked_at", BATCH_ROWS),
            // A new file's check is its creation, until it is read for the first time.
            ScrubOrder::NewestFileFirst => ("AND checked_at = created_at", "checked_at DESC", NEWEST_FILES),
        };
        let statement =
            format!("SELECT {columns} FROM files WHERE state = '{state}' AND checked_at < $1 {condition} ORDER BY {order} LIMIT {limit}");
        self.read(move |connection| {
            let found = connection.query(&statement, &[before.micros().into()])?;
            found.iter().map(|row| rows::file(row, None)).collect()
        })
        .await
    }

    /// Reads a batch; how many files were read, and whether the pass is over: what cannot be told now would come up again at once.
    async fn scrub_files(&self, batch: Vec<StoredFile>, pace: &Arc<Mutex<Pace>>) -> Result<(u64, bool)> {
        let (mut whole, mut read, mut is_over) = (Vec::new(), 0, false);
        for file in batch {
            let (checked, pace, began) = (file.clone(), Arc::clone(pace), self.now());
            let finding = self
                .blocking(move |blobs| {
                    let mut pace = pace.lock().expect("nobody panics while pausing");
                    pace.read(FILE_BYTES);
                    verify::read_whole(blobs, &BlobKey::of(&checked), Some(checked.size_bytes), &mut |bytes| pace.read(bytes))
                })
                .await?;
            is_over = matches!(finding, Finding::Unknown(_));
            if matches!(finding, Finding::Whole { .. }) {
                whole.push((file.id, began));
            } else if self.is_kept(&file).await? {
                // A life may end while its bytes are read.
                self.note_finding(&file, &finding).await?;
            }
            if is_over {
                break;
            }
            read += 1;
        }
        self.mark_whole(whole).await?;
        Ok((read, is_over))
    }

    /// Marks what is not whole, and names it in the log.
    pub(super) async fn note_finding(&self, file: &StoredFile, finding: &Finding) -> Result<()> {
        match finding {
            Finding::Whole { .. } => Ok(()),
            Finding::Missing | Finding::Damaged(_) | Finding::Unreadable(_) => {
                let why = finding.words();
                tracing::error!(account.id = %file.account, file.name = %file.name, blob.id = %file.id, why, "a stored file is damaged");
                self.mark_damaged(&file.id).await
            }
            Finding::Unknown(why) => {
                tracing::warn!(blob.id = %file.id, why, "a file could not be checked now");
                Ok(())
            }
        }
    }

    /// Writes down that files were read and found whole, each by a reading that began then, in one transaction. A mark that was
    /// made since stays: whoever made it saw the bytes later.
    pub(super) async fn mark_whole(&self, read: Vec<(BlobId, Instant)>) -> Result<()> {
        if read.is_empty() {
            return Ok(());
        }
        let now = self.now().micros();
        let statement = "UPDATE files SET checked_at = $2, damaged_at = CASE WHEN damaged_at > $3 THEN damaged_at ELSE NULL END \
                         WHERE random = $1";
        self.write(move |connection| {
            let mut mark = |(id, began): &(BlobId, Instant)| {
                connection.execute(statement, &[id.as_str().into(), now.into(), began.micros().into()]).map(drop)
            };
            read.iter().try_for_each(&mut mark)
        })
        .await
    }

    /// Writes down that the file was read now and is damaged; the first damage keeps its time.
    pub(super) async fn mark_damaged(&self, id: &BlobId) -> Result<()> {
        let (id, now) = (id.as_str().to_owned(), self.now().micros());
        let statement = "UPDATE files SET checked_at = $2, damaged_at = COALESCE(damaged_at, $2) WHERE random = $1";
        self.write(move |connection| connection.execute(statement, &[id.as_str().into(), now.into()]).map(drop)).await
    }
}

/// Sleeps between bursts of reading, over file after file. Runs on a blocking thread.
struct Pace {
    shutdown: Shutdown,
    burst_bytes: u64,
    since: Stopwatch,
}

impl Pace {
    fn new(shutdown: Shutdown) -> Self {
        Self { shutdown, burst_bytes: 0, since: Stopwatch::now() }
    }

    /// Notes bytes that were read just now, and pauses after a burst of them. False when the scrub is to end.
    fn read(&mut self, bytes: u64) -> bool {
        self.burst_bytes += bytes;
        if self.burst_bytes >= BURST_BYTES {
            self.pause(self.since.elapsed() * PAUSE_FACTOR);
            (self.burst_bytes, self.since) = (0, Stopwatch::now());
        }
        !self.shutdown.is_stopping()
    }

    /// Sleeps in short steps, so that a stop is not kept waiting.
    fn pause(&self, whole: Duration) {
        let began = Stopwatch::now();
        while began.elapsed() < whole && !self.shutdown.is_stopping() {
            std::thread::sleep((whole - began.elapsed().min(whole)).min(LONGEST_SLEEP));
        }
    }
}

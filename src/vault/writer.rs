//! Sealed blobs on their way into the repository: put together into packs, stored by several threads at once, and named by index files
//! from time to time, so that an interrupted run loses little. What waits is bounded: who brings more than the place takes is held up.

#[cfg(test)]
mod tests;
mod under_way;
mod unindexed;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::backend::{Kind, Name};
use super::error::Error;
use super::id::Id;
use super::lock::Guard;
use super::pack::{BlobKind, Builder, FinishedPack};
use super::parallel::{OnPanic, join_all};
use super::repository::Repository;
use super::room::Home;
use under_way::{Named, UnderWay};
use unindexed::Unindexed;

/// Packs that are named or stored at once. Beside them there is one of chunks and one of trees that are being put together.
const UPLOADS: usize = 2;
/// So long a pack waits to be hashed beside chunks.
const PATIENCE: Duration = Duration::from_millis(100);

/// Where blobs are handed in. Made by [`write_packs`].
pub struct PackWriter<'a> {
    repository: &'a Repository,
    guard: Option<&'a Guard>,
    data: Mutex<Builder>,
    trees: Mutex<Builder>,
    /// Memory of packs that are stored.
    free: Arc<Home>,
    under_way: UnderWay,
    unindexed: Mutex<Unindexed>,
    error: Mutex<Option<Error>>,
    stored_bytes: AtomicU64,
    stored_packs: AtomicU64,
}

/// What was stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stored {
    pub packs: u64,
    /// Bytes of the packs.
    pub bytes: u64,
}

/// Runs `work` beside threads that store what it hands in. When this returns `Ok`, all of it is on stable storage and in an index. After
/// an error of `work` or of the place (a cancel, above all) what is stored so far is in an index, too, as far as the place still takes
/// one; what was being put together is dropped.
///
/// An index file is written only as long as `guard`, where there is one, is held: after that somebody may have removed packs that no
/// index names, and later runs would believe them to be there. Then it is [`Error::Cancelled`].
pub fn write_packs<T>(
    repository: &Repository,
    guard: Option<&Guard>,
    work: impl FnOnce(&PackWriter<'_>) -> Result<T, Error>,
) -> Result<(T, Stored), Error> {
    let writer = PackWriter::new(repository, guard);
    let done = std::thread::scope(|scope| {
        let threads = (0..UPLOADS).map(|_| scope.spawn(|| writer.store_packs())).collect();
        let stop = OnPanic(|| writer.under_way.stop());
        let done = work(&writer).and_then(|value| writer.flush().map(|()| value));
        drop(stop);
        writer.under_way.close();
        join_all(threads);
        done
    });
    let failed = writer.error.lock().expect(NO_PANIC).take();
    // A place that is away would only be waited for once more.
    let indexed = if matches!(failed, Some(Error::Unavailable { .. })) { Ok(()) } else { writer.save_index(true) };
    if let Some(error) = failed {
        return Err(error);
    }
    indexed?;
    let (packs, bytes) = (writer.stored_packs.load(Ordering::Relaxed), writer.stored_bytes.load(Ordering::Relaxed));
    done.map(|value| (value, Stored { packs, bytes }))
}

const NO_PANIC: &str = "nothing panics while it holds this";

impl<'a> PackWriter<'a> {
    fn new(repository: &'a Repository, guard: Option<&'a Guard>) -> Self {
        let free = Arc::new(Home::default());
        Self {
            repository,
            guard,
            data: Mutex::new(Builder::reusing(BlobKind::Data, &free)),
            trees: Mutex::new(Builder::new(BlobKind::Tree)),
            free,
            under_way: UnderWay::new(UPLOADS, PATIENCE),
            unindexed: Mutex::new(Unindexed::since(Instant::now())),
            error: Mutex::default(),
            stored_bytes: AtomicU64::new(0),
            stored_packs: AtomicU64::new(0),
        }
    }

    /// Hands in a sealed blob. Waits while the place is behind, and lets others wait with it: so no more packs are in memory than are
    /// counted above. [`Error::Cancelled`] after something could not be stored.
    pub fn push(&self, kind: BlobKind, id: Id, sealed: &[u8], raw_length: Option<u32>) -> Result<(), Error> {
        let mut builder = self.builder(kind);
        builder.push(id, sealed, raw_length);
        if builder.is_full() { self.send(&mut builder) } else { Ok(()) }
    }

    /// Bytes of packs that are stored so far.
    pub fn stored_bytes(&self) -> u64 {
        self.stored_bytes.load(Ordering::Relaxed)
    }

    fn builder(&self, kind: BlobKind) -> MutexGuard<'_, Builder> {
        match kind {
            BlobKind::Data => self.data.lock().expect(NO_PANIC),
            BlobKind::Tree => self.trees.lock().expect(NO_PANIC),
        }
    }

    /// The id of a blob, hashed beside a pack in less time than one after the other. `None` where no pack waits for that.
    pub fn hash_beside(&self, plain: &[u8]) -> Option<Id> {
        self.under_way.hash_beside(plain)
    }

    /// Sends a pack on its way, once there is room for it, and begins a new one in its place.
    fn send(&self, builder: &mut Builder) -> Result<(), Error> {
        let was_sent = self.under_way.push(|| {
            // Trees seldom fill a pack; what a pack of chunks has used would stay in memory for them.
            let next = match builder.kind() {
                BlobKind::Data => Builder::reusing(BlobKind::Data, &self.free),
                BlobKind::Tree => Builder::new(BlobKind::Tree),
            };
            std::mem::replace(builder, next).finish(self.repository.sealer())
        });
        if was_sent { Ok(()) } else { Err(Error::Cancelled) }
    }

    /// Sends what has begun to be a pack, too.
    fn flush(&self) -> Result<(), Error> {
        for kind in [BlobKind::Data, BlobKind::Tree] {
            let mut begun = self.builder(kind);
            if !begun.is_empty() {
                self.send(&mut begun)?;
            }
        }
        Ok(())
    }

    /// What each of the storing threads does, until no more can come.
    fn store_packs(&self) {
        let _stop = OnPanic(|| self.under_way.stop());
        while let Some(pack) = self.under_way.next() {
            if let Err(error) = self.store(pack) {
                self.error.lock().expect(NO_PANIC).get_or_insert(error);
                self.under_way.stop();
            }
            self.under_way.stored();
        }
    }

    fn store(&self, pack: Named) -> Result<(), Error> {
        let Named { id, pack: FinishedPack { bytes, blobs } } = pack;
        let count = bytes.len() as u64;
        self.repository.backend().save(Name::Of(Kind::Data, id), bytes)?;
        self.stored_bytes.fetch_add(count, Ordering::Relaxed);
        self.stored_packs.fetch_add(1, Ordering::Relaxed);
        self.unindexed.lock().expect(NO_PANIC).add(id, blobs);
        self.save_index(false)
    }

    /// Writes an index file of the stored packs when it is time, or at the end.
    fn save_index(&self, is_end: bool) -> Result<(), Error> {
        let mut unindexed = self.unindexed.lock().expect(NO_PANIC);
        let now = Instant::now();
        let packs = if is_end { unindexed.take(now) } else { unindexed.take_due(now) };
        drop(unindexed);
        let Some(packs) = packs else { return Ok(()) };
        let saved = match self.guard {
            Some(guard) if !guard.is_held() => Err(Error::Cancelled),
            _ => self.repository.save_index(&packs).map(drop),
        };
        if saved.is_err() {
            // The end of the run tries it once more.
            self.unindexed.lock().expect(NO_PANIC).put_back(packs);
        }
        saved
    }
}

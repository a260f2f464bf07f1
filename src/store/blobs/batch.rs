//! Syncs that uploads share.
//!
//! While few publish at once, each syncs its own file and its folder. Those that come while others are at it wait, and where four
//! and more small files have gathered, one of the threads syncs the whole file system in place of each file, gives all their names,
//! and syncs each folder once. The order is that of a single publish: no file has its name before its bytes are synced, and nobody
//! hears Ok before its folder is. A sync that fails fails everybody in the batch.
//!
//! `syncfs` is believed only where it tells of every write that failed since its descriptor was opened: on Linux from 5.8 on, on
//! file systems that are known to sync by it what `fsync` would. Elsewhere each file is synced by itself. And it is believed until it
//! fails once: it tells of a failed write once, whichever batch the file is in, while each file's own descriptor tells of its own.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::fault::Doing as _;
use super::root::{Root, sync};
use super::staging::StagingFile;
use super::{BlobError, Published, publish};
use crate::fault_point;

/// Publishes that go on side by side, each with its own syncs, before others wait for a batch.
const ALONE: usize = 3;
/// Files from which on a batch is worth one sync of all.
const FEWEST: usize = 4;
/// Files in one batch at most: their bytes and names are the answer time of the first.
const MOST: usize = 64;
/// A larger file is synced by itself, so that small ones do not wait for it.
const LARGEST_BYTES: u64 = 1 << 20;
/// A sync of all that takes so many times as long as a sync of one file syncs what others write to the file system, too.
const SLOW_FACTOR: u32 = 3;
/// After a slow sync of all there is none for this many times as long.
const REST_FACTOR: u32 = 20;
/// The share of the newest sync of one file in what is taken for usual.
const NEWEST_SHARE: u32 = 8;

/// Who publishes now, and who waits.
pub(super) struct Batches {
    is_trusted: bool,
    turns: Mutex<Turns>,
}

#[derive(Default)]
struct Turns {
    alone: usize,
    waiting: Vec<Waiting>,
    is_led: bool,
    apart_until: Option<Instant>,
    /// A sync of all has failed: what it would have told the files that wait, it has told already.
    has_failed: bool,
    /// How long the sync of one file takes, as far as is known.
    usual: Option<Duration>,
}

/// A staged file that waits for its name.
struct Waiting {
    staged: Box<StagingFile>,
    path: String,
    done: Published,
}

/// What an upload does about its syncs.
enum Turn {
    Alone(Waiting),
    Lead,
    /// Whoever leads sees to it.
    Wait,
}

impl Batches {
    pub(super) fn new(is_trusted: bool) -> Self {
        Self { is_trusted, turns: Mutex::default() }
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().expect("nothing panics while it holds the turns")
    }

    fn note_sync(&self, took: Duration) {
        let mut turns = self.turns();
        turns.usual = Some(turns.usual.map_or(took, |usual| usual - usual / NEWEST_SHARE + took / NEWEST_SHARE));
    }

    fn note_sync_of_all(&self, took: Duration) {
        let mut turns = self.turns();
        if turns.usual.is_some_and(|usual| took > usual * SLOW_FACTOR) {
            turns.apart_until = Some(Instant::now() + took * REST_FACTOR);
        }
    }

    fn turn(&self, upload: Waiting) -> Turn {
        let is_small = is_small(&upload.staged);
        let mut turns = self.turns();
        let is_apart = turns.apart_until.is_some_and(|until| Instant::now() < until);
        let is_quiet = !turns.is_led && turns.alone < ALONE;
        if is_quiet || is_apart || !is_small || !self.is_trusted || turns.has_failed {
            turns.alone += usize::from(is_small);
            return Turn::Alone(upload);
        }
        turns.waiting.push(upload);
        if std::mem::replace(&mut turns.is_led, true) { Turn::Wait } else { Turn::Lead }
    }
}

/// Publishes under `path`, alone or with others, and says so to `done`: on this thread or on another's.
pub(super) fn publish(root: &Arc<Root>, staged: Box<StagingFile>, path: String, done: Published) {
    match root.batches.turn(Waiting { staged, path, done }) {
        Turn::Alone(upload) => {
            let alone = is_small(&upload.staged).then(|| Alone(&root.batches));
            let outcome = publish_one(upload.staged, &upload.path);
            drop(alone);
            (upload.done)(outcome);
        }
        Turn::Lead => lead(root),
        Turn::Wait => {}
    }
}

fn publish_one(mut staged: Box<StagingFile>, path: &str) -> Result<(), BlobError> {
    let began = Instant::now();
    staged.sync()?;
    fault_point::pass("synced");
    if is_small(&staged) {
        staged.root.batches.note_sync(began.elapsed());
    }
    publish::publish(&mut staged, path)
}

fn is_small(staged: &StagingFile) -> bool {
    staged.written_bytes() <= LARGEST_BYTES
}

/// Publishes batch after batch until nobody waits.
fn lead(root: &Arc<Root>) {
    let _leading = Leading(&root.batches);
    loop {
        let (batch, has_failed) = {
            let mut turns = root.batches.turns();
            let count = turns.waiting.len().min(MOST);
            if count == 0 {
                turns.is_led = false;
                return;
            }
            (turns.waiting.drain(..count).collect::<Vec<_>>(), turns.has_failed)
        };
        if has_failed || batch.len() < FEWEST {
            for upload in batch {
                (upload.done)(publish_one(upload.staged, &upload.path));
            }
        } else {
            publish_together(root, batch);
        }
    }
}

fn publish_together(root: &Root, mut batch: Vec<Waiting>) {
    let began = root.durable.now();
    if let Err(error) = sync_all(root) {
        root.batches.turns().has_failed = true;
        return batch.into_iter().for_each(|upload| (upload.done)(Err(error.again())));
    }
    let mut folders = BTreeMap::new();
    let named: Vec<Result<(), BlobError>> =
        batch.iter_mut().map(|upload| give_name(root, &mut upload.staged, &upload.path, &mut folders)).collect();
    let synced: BTreeMap<&String, Result<(), BlobError>> = folders
        .iter()
        .map(|(folder, opened)| (folder, sync(opened, folder).and_then(|()| publish::make_reachable(root, folder, began))))
        .collect();
    let outcomes: Vec<Result<(), BlobError>> = batch
        .iter()
        .zip(named)
        .map(|(upload, named)| {
            named?;
            let (folder, _) = publish::split(&upload.path);
            synced[&folder.to_owned()].as_ref().map_err(BlobError::again).copied()
        })
        .collect();
    batch.into_iter().zip(outcomes).for_each(|(upload, outcome)| (upload.done)(outcome));
}

/// Moves the file into its folder, which stays open for its sync. A folder that holds a file of this batch cannot be removed, so
/// the descriptor of the first is that of all.
fn give_name(root: &Root, staged: &mut StagingFile, path: &str, folders: &mut BTreeMap<String, OwnedFd>) -> Result<(), BlobError> {
    let (folder, last) = publish::split(path);
    if let Some(opened) = folders.get(folder) {
        publish::rename_new(&root.staging, &staged.name, opened, last).doing(|| format!("publishing {path}"))?;
        staged.moved = true;
        return Ok(());
    }
    let opened = publish::give_name(root, staged, folder, last)?;
    folders.insert(folder.to_owned(), opened);
    Ok(())
}

/// Syncs everything on the file system, by the descriptor that has been open since the start: it hears of whatever failed since.
fn sync_all(root: &Root) -> Result<(), BlobError> {
    fail::fail_point!("staging-sync", |_| Ok(()));
    let began = Instant::now();
    let outcome = rustix::fs::syncfs(&root.folder).writing(|| "syncing the file system of a batch of uploads".to_owned());
    root.batches.note_sync_of_all(began.elapsed());
    outcome
}

/// Counts a publish as one by itself while it lives.
struct Alone<'a>(&'a Batches);

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.0.turns().alone -= 1;
    }
}

/// Gives the lead back after a panic. Those who wait hear nothing, which they take for a failure.
struct Leading<'a>(&'a Batches);

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut turns = self.0.turns();
            turns.is_led = false;
            turns.waiting.clear();
        }
    }
}

/// Whether `syncfs` of this kernel tells of every write that failed: since Linux 5.8.
pub(super) fn tells_of_failed_writes() -> bool {
    release_tells(&rustix::system::uname().release().to_string_lossy())
}

fn release_tells(release: &str) -> bool {
    let mut numbers = release.split(|letter: char| !letter.is_ascii_digit()).map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (5, 8)
}

#[cfg(test)]
impl super::disk::DiskBlobs {
    /// Publishes under each key as a leader does for whom they wait.
    pub(super) fn publish_waiting(&self, bytes: &[u8], keys: &[super::BlobKey]) -> Vec<Result<(), BlobError>> {
        let (told, heard) = std::sync::mpsc::channel();
        let wait = |(place, key): (usize, &super::BlobKey)| {
            let mut staged = Box::new(StagingFile::create(self.root()).expect("a staging file"));
            staged.append(bytes).expect("room");
            let told = told.clone();
            let done = Box::new(move |outcome| told.send((place, outcome)).expect("the test listens"));
            Waiting { staged, path: key.to_path(), done }
        };
        let waiting = keys.iter().enumerate().map(wait).collect();
        {
            let mut turns = self.root().batches.turns();
            (turns.waiting, turns.is_led) = (waiting, true);
        }
        lead(self.root());
        let mut outcomes: Vec<_> = heard.try_iter().collect();
        outcomes.sort_by_key(|(place, _)| *place);
        outcomes.into_iter().map(|(_, outcome)| outcome).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::store::blobs::contract::key;
    use crate::store::blobs::disk::DiskBlobs;
    use crate::store::blobs::{BlobFault, Blobs as _};

    #[test]
    fn failed_writes_are_told_of_since_linux_5_8() {
        for (release, told) in
            [("5.7.19", false), ("5.8.0", true), ("6.1.0-18-amd64", true), ("4.19", false), ("5.10-rc1", true), ("", false)]
        {
            assert_eq!(release_tells(release), told, "{release}");
        }
    }

    #[test]
    fn everybody_in_a_batch_hears_of_a_name_that_was_taken_and_the_others_are_kept() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let blobs = DiskBlobs::open(&folder.path().join("blobs")).expect("it takes blobs");
        let keys = [key("/a"), key("/b/c"), key("/d"), key("/e")];
        let again = [&keys[..], &keys[1..2]].concat();
        let outcomes = blobs.publish_waiting(b"bytes", &again);
        assert!(outcomes[..4].iter().all(Result::is_ok), "{outcomes:?}");
        assert_eq!(outcomes[4].as_ref().expect_err("the name is taken").fault, BlobFault::Failed);
        assert!(keys.iter().all(|key| blobs.open(key).is_ok_and(|reader| reader.size_bytes() == 5)));
    }

    #[test]
    fn a_crowd_is_published_whoever_leads() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let blobs = DiskBlobs::open(&folder.path().join("blobs")).expect("it takes blobs");
        let keys: Vec<_> = (0..200).map(|number| key(&format!("/{}/{number}", number % 5))).collect();
        let (told, heard) = mpsc::channel();
        std::thread::scope(|scope| {
            for part in keys.chunks(10) {
                let (told, blobs) = (told.clone(), &blobs);
                scope.spawn(move || {
                    for key in part {
                        let mut staged = blobs.stage().expect("a staging file");
                        staged.write(b"bytes").expect("room");
                        let told = told.clone();
                        staged.publish_among(key, Box::new(move |outcome| told.send(outcome).expect("the test listens")));
                    }
                });
            }
        });
        drop(told);
        let outcomes: Vec<_> = heard.iter().collect();
        assert_eq!((outcomes.len(), outcomes.iter().filter(|outcome| outcome.is_ok()).count()), (200, 200));
        assert!(keys.iter().all(|key| blobs.open(key).is_ok()));
        let turns = blobs.root().batches.turns();
        assert_eq!((turns.alone, turns.waiting.len(), turns.is_led), (0, 0, false));
    }

    #[test]
    fn a_slow_sync_of_all_is_followed_by_a_rest() {
        let batches = Batches::new(true);
        batches.note_sync_of_all(Duration::from_secs(1));
        assert_eq!(batches.turns().apart_until, None, "nobody knows what is usual");
        batches.note_sync(Duration::from_millis(2));
        batches.note_sync_of_all(Duration::from_millis(6));
        assert_eq!(batches.turns().apart_until, None);
        batches.note_sync_of_all(Duration::from_millis(7));
        assert!(batches.turns().apart_until.is_some_and(|until| until > Instant::now()));
    }
}

//! A file that changes each time while it is read.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::{check, options, save};
use crate::vault::backup::{Report, backup};
use crate::vault::cancel::Cancel;
use crate::vault::progress::Progress;
use crate::vault::testing::{Vault, bytes};

/// Changes a file whenever a chunk is done, until it is told that something has failed.
struct Restless {
    path: PathBuf,
    changes: AtomicU64,
    is_told: AtomicBool,
}

impl Progress for Restless {
    fn did(&self, files: u64, _: u64) {
        if files == 0 && !self.is_told.load(Ordering::Relaxed) {
            let changes = self.changes.fetch_add(1, Ordering::Relaxed);
            let file = File::options().write(true).open(&self.path).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(changes)).unwrap();
        }
    }

    fn failed(&self) {
        self.is_told.store(true, Ordering::Relaxed);
    }
}

/// With one worker: it reads the file, and saves what it has cut itself once enough chunks wait. So of a file that is longer than what
/// may wait, chunks are done in the midst of each reading.
fn with_one_worker<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let alone = || {
        let all = sched_getaffinity(None).unwrap();
        let mut one = CpuSet::new();
        one.set((0..CpuSet::MAX_CPU).find(|cpu| all.is_set(*cpu)).unwrap());
        sched_setaffinity(None, &one).unwrap();
        work()
    };
    std::thread::scope(|scope| scope.spawn(alone).join().unwrap())
}

/// A folder with `busy`, which changes while it is read, and `still`; what a backup of it says.
fn saved_while_it_changes(vault: &Vault, source: &Path) -> Report {
    fs::create_dir(source).unwrap();
    fs::write(source.join("busy"), bytes(1, 24 << 20)).unwrap();
    fs::write(source.join("still"), "still").unwrap();
    let restless = Restless { path: source.join("busy"), changes: AtomicU64::new(0), is_told: AtomicBool::new(false) };
    let sources = [source.to_owned()];
    with_one_worker(|| backup(&vault.repository, vault.index(), &sources, &options(None), &Cancel::default(), &restless)).unwrap()
}

#[test]
fn a_file_that_never_holds_still_is_saved_and_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let (vault, source) = (Vault::new(), dir.path().join("source"));
    let report = saved_while_it_changes(&vault, &source);
    let told: Vec<_> = report.failures.iter().map(|failure| (failure.path.clone(), failure.errno)).collect();
    assert_eq!(told, [(source.join("busy"), None)]);
    assert!(report.failures[0].why.contains("changed while it was read"));
    assert_eq!(report.count.files_new, 2, "it is in the snapshot all the same");
    check(&vault);
}

/// Whatever its times are when it was read at last: they are not those of the bytes that were kept.
#[test]
fn a_file_that_changed_while_it_was_read_is_read_again_by_the_next_run() {
    let dir = tempfile::tempdir().unwrap();
    let (vault, source) = (Vault::new(), dir.path().join("source"));
    let first = saved_while_it_changes(&vault, &source);
    assert_eq!(first.failures.len(), 1, "it changed while it was read");
    let again = save(&vault, &source, Some(&first));
    assert_eq!((again.count.files_changed, again.count.files_unmodified), (1, 1));
    assert_eq!(save(&vault, &source, Some(&again)).count.files_unmodified, 2, "and then it is as it was");
}

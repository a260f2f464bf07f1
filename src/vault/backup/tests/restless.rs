//! Files that change while a backup is at them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::{check, options, restored, save};
use crate::vault::backup::{Options, Report, backup};
use crate::vault::cancel::Cancel;
use crate::vault::progress::{Counters, Progress};
use crate::vault::source::select::{Select, Verdict};
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

/// Writes a file anew between two of its names, when the first one is done with.
struct Rewrite<'a> {
    file: PathBuf,
    progress: &'a Counters,
}

impl Select for Rewrite<'_> {
    fn by_path(&self, path: &Path) -> Verdict {
        if path == self.file {
            while self.progress.seen().files_done == 0 {
                std::thread::yield_now();
            }
            fs::write(&self.file, "new bytes").unwrap();
        }
        Verdict::Take
    }
}

/// The system gives the number of a file that is gone to the next one, which may have two names, too.
#[test]
fn a_name_whose_inode_has_changed_since_its_other_name_was_met_is_read_for_itself() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("a"), "old").unwrap();
    fs::hard_link(source.join("a"), source.join("z")).unwrap();
    let (vault, progress) = (Vault::new(), Counters::default());
    let rewrite = Rewrite { file: source.join("z"), progress: &progress };
    let options = Options { select: &rewrite, ..options(None) };
    let sources = std::slice::from_ref(&source);
    let report = backup(&vault.repository, vault.index(), sources, &options, &Cancel::default(), &progress).unwrap();
    let found = restored(&vault, &report, &source, &dir.path().join("restored"));
    assert_eq!(fs::read(found.join("a")).unwrap(), b"old");
    assert_eq!(fs::read(found.join("z")).unwrap(), b"new bytes");
}

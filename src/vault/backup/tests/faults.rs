//! A place that fails, a cancel, and a process that ends: the repository stays whole, and the next run needs little.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use super::{check, options, restored, save, save_with};
use crate::vault::backend::{Backend, Kind, Listed, Name};
use crate::vault::backup::backup;
use crate::vault::cancel::Cancel;
use crate::vault::error::Error;
use crate::vault::keys::{Maker, Password};
use crate::vault::lock::{self, Clock, Guard};
use crate::vault::pack::BlobKind;
use crate::vault::progress::Counters;
use crate::vault::repository::Repository;
use crate::vault::source::select::{Select, Verdict};
use crate::vault::testing::{Place, Vault, bytes};

/// A tree that takes four packs.
fn source() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source");
    for folder in 0..4 {
        fs::create_dir_all(source.join(format!("{folder}"))).unwrap();
        for file in 0..14 {
            fs::write(source.join(format!("{folder}/{file}")), bytes(folder * 100 + file, 1 << 20)).unwrap();
        }
    }
    (dir, source)
}

#[test]
fn a_place_that_dies_at_any_write_leaves_a_clean_repository_and_no_snapshot() {
    let (dir, source) = source();
    let (whole, mut stored) = (Vault::new(), Vec::new());
    let before = whole.place.changes();
    save(&whole, &source, None);
    let writes = whole.place.changes() - before;
    assert!(writes >= 6, "packs of chunks, one of trees, an index and a snapshot: {writes}");
    for survived in 0..writes {
        for makes_the_last in [false, true] {
            let vault = Vault::new();
            vault.place.die_after(survived, makes_the_last);
            assert!(matches!(save_with(&vault, &source, &options(None)), Err(Error::Unavailable { .. })), "{survived}");
            vault.place.revive();
            check(&vault);
            let snapshots = vault.place.ids(Kind::Snapshot).len();
            assert_eq!(snapshots, usize::from(makes_the_last && survived == writes - 1), "{survived} {makes_the_last}");
            if survived % 3 == 0 {
                let again = save(&vault, &source, None);
                stored.push(again.bytes_stored);
                let found = restored(&vault, &again, &source, &dir.path().join(format!("{survived} {makes_the_last}")));
                assert!(fs::read(found.join("3/13")).unwrap() == bytes(313, 1 << 20));
            }
        }
    }
}

/// Raises the flag when so many packs are stored.
struct CancelAfter {
    place: Place,
    packs: AtomicUsize,
    cancel: Cancel,
}

impl Backend for CancelAfter {
    fn location(&self) -> String {
        self.place.location()
    }

    fn create(&self) -> Result<(), Error> {
        self.place.create()
    }

    fn list(&self, kind: Kind) -> Result<Vec<Listed>, Error> {
        self.place.list(kind)
    }

    fn size_bytes(&self, name: Name) -> Result<u64, Error> {
        self.place.size_bytes(name)
    }

    fn read(&self, name: Name, range: Option<Range<u64>>) -> Result<Bytes, Error> {
        self.place.read(name, range)
    }

    fn save(&self, name: Name, bytes: Bytes) -> Result<(), Error> {
        let saved = self.place.save(name, bytes);
        if matches!(name, Name::Of(Kind::Data, _)) && self.packs.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.cancel.raise();
        }
        saved
    }

    fn remove(&self, name: Name) -> Result<(), Error> {
        self.place.remove(name)
    }
}

#[test]
fn a_cancel_ends_it_without_a_snapshot_and_what_is_stored_serves_the_next_run() {
    let (_dir, source) = source();
    let all = save(&Vault::new(), &source, None).count.chunks_added;
    for packs in 1..=3 {
        let vault = Vault::new();
        let cancel = Cancel::default();
        let backend = CancelAfter { place: vault.place.clone(), packs: AtomicUsize::new(packs), cancel: cancel.clone() };
        let repository = Repository::open(Box::new(backend), &Password::new("secret")).unwrap();
        let sources = std::slice::from_ref(&source);
        let ended = backup(&repository, vault.index(), sources, &options(None), &cancel, &());
        assert!(matches!(ended, Err(Error::Cancelled)), "{packs}");
        assert!(vault.place.ids(Kind::Snapshot).is_empty());
        check(&vault);
        let known = vault.index().iter().filter(|place| place.blob.kind == BlobKind::Data).count() as u64;
        assert!(known >= packs as u64, "the index names what was stored: {known}");
        assert_eq!(save(&vault, &source, None).count.chunks_added + known, all, "{packs}");
        check(&vault);
    }
}

#[test]
fn a_flag_that_is_up_stops_it_before_anything_is_stored() {
    let (_dir, source) = source();
    let (vault, cancel) = (Vault::new(), Cancel::default());
    cancel.raise();
    let before = vault.place.changes();
    let ended = backup(&vault.repository, vault.index(), &[source], &options(None), &cancel, &());
    assert!(matches!(ended, Err(Error::Cancelled)));
    assert_eq!(vault.place.changes(), before);
}

#[test]
fn no_source_at_all_is_an_error_and_one_of_two_a_failure() {
    let (dir, source) = source();
    let vault = Vault::new();
    let gone = dir.path().join("gone");
    assert!(matches!(save_with(&vault, &gone, &options(None)), Err(Error::NotFound(_))));
    let both = [gone.clone(), source.join("0")];
    let report = backup(&vault.repository, vault.index(), &both, &options(None), &Cancel::default(), &()).unwrap();
    let told: Vec<_> = report.failures.iter().map(|failure| (failure.path.clone(), failure.errno)).collect();
    assert_eq!(told, [(gone, Some(2))]);
    assert_eq!(report.count.files_new, 14);
}

#[test]
fn what_a_watcher_sees_adds_up() {
    let (_dir, source) = source();
    let (vault, progress) = (Vault::new(), Counters::default());
    let first =
        backup(&vault.repository, vault.index(), std::slice::from_ref(&source), &options(None), &Cancel::default(), &progress).unwrap();
    let seen = progress.seen();
    assert_eq!((seen.files_total, seen.files_done, seen.bytes_total, seen.bytes_done), (56, 56, 56 << 20, 56 << 20));
    let progress = Counters::default();
    let parent = first.snapshot.map(|snapshot| (snapshot, first.tree));
    backup(&vault.repository, vault.index(), &[source], &options(parent), &Cancel::default(), &progress).unwrap();
    assert_eq!(progress.seen(), seen, "unchanged files count as done");
}

/// A machine that slept for an hour, once the walk has come so far; meanwhile somebody removed its lock.
struct Sleep {
    place: Place,
    minutes: AtomicI64,
}

impl Clock for Sleep {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(self.minutes.load(Ordering::Relaxed))
    }

    fn wait(&self, _: Duration) {}
}

/// The walk comes to something: then the machine sleeps.
struct SleepNow(Arc<Sleep>);

impl Select for SleepNow {
    fn by_path(&self, _: &Path) -> Verdict {
        if self.0.minutes.swap(60, Ordering::Relaxed) == 0 {
            self.0.place.ids(Kind::Lock).into_iter().for_each(|id| self.0.place.remove_file(Name::Of(Kind::Lock, id)));
        }
        Verdict::Take
    }
}

#[test]
fn a_backup_that_has_lost_its_lock_stores_no_snapshot() {
    let (_dir, source) = source();
    let vault = Vault::new();
    let clock = Arc::new(Sleep { place: vault.place.clone(), minutes: AtomicI64::new(0) });
    let mut terms = lock::Options::new(Maker::default());
    terms.clock = Arc::<Sleep>::clone(&clock);
    terms.terms.look_every = Duration::from_hours(1);
    let guard = Guard::take(&vault.repository, lock::Mode::Shared, &terms, &Cancel::default()).unwrap();
    let select = SleepNow(clock);
    let options = crate::vault::backup::Options { select: &select, guard: Some(&guard), ..options(None) };
    assert!(matches!(save_with(&vault, &source, &options), Err(Error::Cancelled)));
    assert!(vault.place.ids(Kind::Snapshot).is_empty());
}

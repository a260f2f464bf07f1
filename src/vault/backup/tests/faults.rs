//! A place that fails, a cancel, and a process that ends: the repository stays whole, and the next run needs little.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use super::{check, options, restored, save, save_with};
use crate::vault::backend::content::Content;
use crate::vault::backend::{self, Backend, Kind, Listed, Name};
use crate::vault::backup::backup;
use crate::vault::cancel::Cancel;
use crate::vault::error::Error;
use crate::vault::id::Id;
use crate::vault::keys::{Maker, Password};
use crate::vault::lock::{self, Clock, Guard};
use crate::vault::pack::BlobKind;
use crate::vault::progress::Counters;
use crate::vault::repository::Repository;
use crate::vault::source::select::{Select, Verdict};
use crate::vault::testing::{Before, Call, Place, Served, Vault, bytes};

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
    place: Box<dyn Backend>,
    packs: AtomicUsize,
    cancel: Cancel,
    stored: Arc<Mutex<Vec<Id>>>,
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

    fn read(&self, name: Name, range: Option<Range<u64>>) -> Result<Content, Error> {
        self.place.read(name, range)
    }

    fn save(&self, name: Name, bytes: Bytes) -> Result<(), Error> {
        self.place.save(name, bytes)?;
        if let Name::Of(Kind::Data, id) = name {
            self.stored.lock().unwrap().push(id);
            if self.packs.fetch_sub(1, Ordering::Relaxed) == 1 {
                self.cancel.raise();
            }
        }
        Ok(())
    }

    fn remove(&self, name: Name) -> Result<(), Error> {
        self.place.remove(name)
    }

    fn lists_at_once(&self) -> bool {
        self.place.lists_at_once()
    }
}

/// Insists that the index names exactly these packs, and that the next run stores what is in no other one. How many chunks there are.
#[track_caller]
fn expect_no_chunk_is_stored_twice(vault: &Vault, source: &Path, mut stored: Vec<Id>) -> u64 {
    assert!(vault.place.ids(Kind::Snapshot).is_empty() && vault.place.ids(Kind::Lock).is_empty());
    check(vault);
    let index = vault.index();
    let mut named: Vec<Id> = index.iter().map(|place| place.pack).collect();
    named.sort();
    named.dedup();
    stored.sort();
    assert_eq!(named, stored, "the index names what was stored");
    let known = index.iter().filter(|place| place.blob.kind == BlobKind::Data).count() as u64;
    let added = save(vault, source, None).count.chunks_added;
    check(vault);
    known + added
}

#[test]
fn a_cancel_ends_it_without_a_snapshot_and_what_is_stored_serves_the_next_run() {
    let (_dir, source) = source();
    let all = save(&Vault::new(), &source, None).count.chunks_added;
    for (packs, is_served) in [(1, false), (2, false), (3, false), (1, true), (2, true), (3, true)] {
        let (vault, cancel, stored) = (Vault::new(), Cancel::default(), Arc::default());
        let served = Served::start(Box::new(vault.place.clone()));
        let reached = backend::options::Options { cancel: cancel.clone(), ..backend::options::Options::default() };
        let place: Box<dyn Backend> = match is_served {
            false => Box::new(vault.place.clone()),
            true => backend::open_for_work(&served.location(), &reached).unwrap(),
        };
        let backend = CancelAfter { place, packs: AtomicUsize::new(packs), cancel: cancel.clone(), stored: Arc::clone(&stored) };
        let repository = Arc::new(Repository::open(Box::new(backend), &Password::new("secret")).unwrap());
        let mut terms = lock::Options::new(Maker::default());
        terms.terms.settle = Duration::ZERO;
        let guard = Guard::take(&repository, lock::Mode::Shared, &terms, &cancel).unwrap();
        let options = crate::vault::backup::Options { guard: Some(&guard), ..options(None) };
        let ended = backup(&repository, vault.index(), std::slice::from_ref(&source), &options, &cancel, &());
        assert!(matches!(ended, Err(Error::Cancelled)), "{packs}");
        drop(guard);
        let stored: Vec<Id> = stored.lock().unwrap().clone();
        assert!(stored.len() >= packs && !(is_served && stored.len() > packs + 1), "{packs} {stored:?}");
        assert_eq!(expect_no_chunk_is_stored_twice(&vault, &source, stored), all, "{packs}");
    }
}

#[test]
fn where_the_place_is_full_what_is_stored_serves_the_next_run() {
    let (_dir, source) = source();
    let all = save(&Vault::new(), &source, None).count.chunks_added;
    let vault = Vault::new();
    let mut packs = 0;
    let backend = Before::new(Box::new(vault.place.clone()), move |call| {
        let is_pack = matches!(call, Call::Save(Name::Of(Kind::Data, _)));
        packs += usize::from(is_pack);
        if is_pack && packs > 2 { Err(Error::Full("the quota is used up".to_owned())) } else { Ok(()) }
    });
    let repository = Repository::open(Box::new(backend), &Password::new("secret")).unwrap();
    let ended = backup(&repository, vault.index(), std::slice::from_ref(&source), &options(None), &Cancel::default(), &());
    assert!(matches!(ended, Err(Error::Full(_))));
    let stored = vault.place.ids(Kind::Data);
    assert_eq!(stored.len(), 2);
    assert_eq!(expect_no_chunk_is_stored_twice(&vault, &source, stored), all);
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
fn a_backup_that_has_lost_its_lock_stores_neither_snapshot_nor_index() {
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
    // A prune may have removed them already, and later runs believe what an index says.
    assert!(vault.place.ids(Kind::Index).is_empty(), "packs of nobody's are named by no index");
}

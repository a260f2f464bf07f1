//! What a prune promises, in memory; what restic says of it is beside.

mod crashes;
mod judged;
mod rebuilding;
mod repacking;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::vault::check;
use crate::vault::keys::Maker;
use crate::vault::lock::{Clock, Guard, Mode};
use crate::vault::pack::BlobKind;
use crate::vault::progress::Counters;
use crate::vault::snapshots::Snapshots;
use crate::vault::testing::{Contents, Vault, bytes, file, folder};

/// Locks settle at once here.
struct NoWait;

impl Clock for NoWait {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }

    fn wait(&self, _: Duration) {}
}

fn locked(vault: &Vault) -> Guard {
    let options = crate::vault::lock::Options { clock: Arc::new(NoWait), ..crate::vault::lock::Options::new(Maker::default()) };
    Guard::take(&vault.repository, Mode::Exclusive, &options, &Cancel::default()).unwrap()
}

fn pruned(vault: &Vault, options: &Options) -> Result<Plan, Error> {
    prune(&vault.repository, &locked(vault), options, &Cancel::default(), &())
}

fn everything() -> Options {
    Options { max_unused: Limit::Bytes(0), ..Options::default() }
}

#[track_caller]
fn expect_clean(vault: &Vault) -> check::Report {
    let report = check::run(&vault.repository, check::Read::All, &Cancel::default(), &()).unwrap();
    assert!(report.is_clean(), "{:?}", report.problems);
    report
}

/// Snapshots of which the middle one is forgotten: packs that are used, partly used and not used, trees of each kind, an orphan, a blob
/// that lies twice, and a pack that two index files name.
fn planted() -> (Vault, Contents) {
    let vault = Vault::new();
    let contents: Vec<Vec<u8>> = (0..12).map(|seed| bytes(seed, 2_000)).collect();
    let chunks: Vec<Id> = contents.chunks(4).flat_map(|four| vault.chunks(&four.iter().map(Vec::as_slice).collect::<Vec<_>>())).collect();
    let shared = vault.tree(&[file("a", &chunks[..3])]);
    let lone = vault.tree(&[file("b", &chunks[3..9])]);
    let first = vault.tree(&[folder("shared", shared)]);
    let second = vault.tree(&[folder("lone", lone), folder("shared", shared)]);
    let third = vault.tree(&[file("c", &chunks[9..11]), folder("shared", shared)]);
    vault.snapshot(first, "2024-01-01T00:00:00Z");
    let forgotten = vault.snapshot(second, "2024-01-02T00:00:00Z");
    vault.snapshot(third, "2024-01-03T00:00:00Z");
    vault.chunks(&[&contents[0], &bytes(77, 500)]);
    vault.pack(BlobKind::Data, &[b"an orphan"]);
    let again = vault.repository.read_index(vault.place.ids(Kind::Index)[0]).unwrap();
    vault.repository.save_index(&again).unwrap();
    let ids = HashSet::from([forgotten]);
    assert_eq!(forget(&vault.repository, &locked(&vault), &ids, &Cancel::default()).unwrap().removed, [forgotten]);
    let contents = vault.contents();
    assert_eq!(contents.len(), 3);
    (vault, contents)
}

#[test]
fn what_is_used_stays_and_all_else_goes() {
    let (vault, contents) = planted();
    let done = pruned(&vault, &everything()).unwrap();
    assert_eq!(vault.contents(), contents);
    let report = expect_clean(&vault);
    assert_eq!((report.orphans.len(), report.repeated_packs.len()), (0, 0));
    // Three chunks and the pack's neighbours, two more chunks, and three trees.
    assert_eq!((done.used.count, vault.index().len()), (8, 8));
    assert_eq!((done.orphans.count, done.left_unused.count, done.lost_packs), (1, 0, 0));
    assert_eq!(done.unused, done.removed_blobs);
    let packs: u64 = vault.place.ids(Kind::Data).len() as u64;
    assert!(packs <= done.packs.count - done.remove.count - done.repack.count + 2, "repacked blobs are put together");
    assert!(vault.place.ids(Kind::Lock).is_empty());
    let before = vault.place.changes();
    assert!(pruned(&vault, &everything()).unwrap().is_empty(), "a second prune finds nothing to do");
    assert_eq!(vault.place.changes(), before + 2, "but its lock, it changes nothing");
}

#[test]
fn a_plan_changes_nothing_and_says_what_a_prune_then_does() {
    let (vault, _) = planted();
    let before = vault.place.files();
    let planned = plan(&vault.repository, &everything(), &Cancel::default(), &()).unwrap();
    assert_eq!(vault.place.files(), before);
    let done = pruned(&vault, &everything()).unwrap();
    let sums = |plan: &Plan| [plan.used, plan.unused, plan.packs, plan.orphans, plan.remove, plan.repack, plan.removed_blobs];
    assert_eq!(sums(&planned), sums(&done));
}

#[test]
fn the_progress_is_told_of_trees_and_of_what_is_repacked() {
    let (vault, _) = planted();
    let counters = Counters::default();
    let trees = vault.index().iter().filter(|place| place.blob.kind == BlobKind::Tree).count() as u64;
    let plan = prune(&vault.repository, &locked(&vault), &everything(), &Cancel::default(), &counters).unwrap();
    let seen = counters.seen();
    assert!(plan.repack.count > 0);
    assert_eq!((seen.files_total, seen.files_done), (trees + plan.repack.count, trees + plan.repack.count));
    assert!(seen.bytes_total > plan.repack.bytes && seen.bytes_total == seen.bytes_done, "{seen:?}");
}

#[test]
fn a_plan_can_take_snapshots_as_gone() {
    let (vault, _) = planted();
    let all: HashSet<Id> = vault.place.ids(Kind::Snapshot).into_iter().collect();
    let planned = plan(&vault.repository, &Options { without: all, ..everything() }, &Cancel::default(), &()).unwrap();
    assert_eq!((planned.used.count, planned.repack.count), (0, 0));
    assert_eq!(planned.remove.count + planned.orphans.count, vault.place.ids(Kind::Data).len() as u64);
}

#[test]
fn with_no_snapshot_everything_goes() {
    let (vault, _) = planted();
    let all: HashSet<Id> = vault.place.ids(Kind::Snapshot).into_iter().collect();
    forget(&vault.repository, &locked(&vault), &all, &Cancel::default()).unwrap();
    pruned(&vault, &Options::default()).unwrap();
    assert_eq!((vault.place.ids(Kind::Data).len(), vault.place.ids(Kind::Index).len()), (0, 0));
    expect_clean(&vault);
}

/// Nothing but a lock that came and went.
#[track_caller]
fn expect_refused(vault: &Vault, what: &str) {
    let before = vault.place.files();
    let Err(Error::Damaged { what: named, why }) = pruned(vault, &everything()) else { panic!("{what}: it was not refused") };
    assert!(format!("{named}: {why}").contains(what), "{named}: {why}");
    assert_eq!(vault.place.files(), before, "nothing is changed");
}

#[test]
fn where_anything_that_tells_what_is_used_is_damaged_nothing_is_changed() {
    for (kind, what) in [(Kind::Snapshot, "snapshot"), (Kind::Index, "index")] {
        let (vault, _) = planted();
        let id = vault.place.ids(kind)[0];
        vault.place.change(Name::Of(kind, id), |bytes| bytes[30] ^= 1);
        expect_refused(&vault, &format!("{what}{}{id}", if kind == Kind::Index { "/" } else { " " }));
    }
    let (vault, _) = planted();
    let needed = Snapshots::load(&vault.repository, &Cancel::default()).unwrap().found[0].snapshot.tree;
    let pack = vault.index().find(BlobKind::Tree, needed).unwrap().pack;
    vault.place.change(Name::Of(Kind::Data, pack), |bytes| bytes[20] ^= 1);
    expect_refused(&vault, "tree");
}

#[test]
fn where_something_used_is_missing_nothing_is_changed() {
    let index_names = |vault: &Vault, pack: Id| {
        let names = |id: &Id| vault.repository.read_index(*id).unwrap().iter().any(|(other, _)| *other == pack);
        vault.place.ids(Kind::Index).into_iter().filter(names).collect::<Vec<_>>()
    };
    let used = Id::of(&bytes(9, 2_000));
    let (vault, _) = planted();
    let pack = vault.index().find(BlobKind::Data, used).unwrap().pack;
    vault.place.change(Name::Of(Kind::Data, pack), |bytes| bytes.truncate(bytes.len() - 1));
    expect_refused(&vault, &pack.hex());
    vault.place.remove_file(Name::Of(Kind::Data, pack));
    expect_refused(&vault, &pack.hex());
    let (vault, _) = planted();
    for index in index_names(&vault, pack_of(&vault, used)) {
        vault.place.remove_file(Name::Of(Kind::Index, index));
    }
    expect_refused(&vault, "and no index names it");
    let (vault, _) = planted();
    vault.snapshot(Id::of(b"no tree"), "2024-01-04T00:00:00Z");
    expect_refused(&vault, "a snapshot needs it");
}

fn pack_of(vault: &Vault, chunk: Id) -> Id {
    vault.index().find(BlobKind::Data, chunk).unwrap().pack
}

#[test]
fn a_prune_that_has_lost_its_lock_removes_nothing() {
    let (vault, _) = planted();
    let guard = locked(&vault);
    let planned = plan(&vault.repository, &everything(), &Cancel::default(), &()).unwrap();
    let cancel = Cancel::default();
    let options = crate::vault::lock::Options { clock: Arc::new(NoWait), ..crate::vault::lock::Options::new(Maker::default()) };
    guard.release().unwrap();
    let lost = Guard::take(&vault.repository, Mode::Exclusive, &options, &cancel).unwrap();
    cancel.raise();
    let before: HashSet<Name> = vault.place.files().into_keys().collect();
    assert!(matches!(planned.carry_out(&vault.repository, &lost, &Cancel::default(), &()), Err(Error::Cancelled)));
    assert!(before.is_subset(&vault.place.files().into_keys().collect()));
}

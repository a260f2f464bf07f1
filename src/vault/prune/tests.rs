//! What a prune promises, in memory; what restic says of it is beside.

mod crashes;
mod judged;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::vault::check;
use crate::vault::keys::Maker;
use crate::vault::lock::{Clock, Guard, Mode};
use crate::vault::pack::BlobKind;
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
    prune(&vault.repository, &locked(vault), options, &Cancel::default())
}

fn everything() -> Options {
    Options { max_unused: Limit::Bytes(0), ..Options::default() }
}

#[track_caller]
fn expect_clean(vault: &Vault) -> check::Report {
    let report = check::run(&vault.repository, check::Read::All, &Cancel::default()).unwrap();
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
    let planned = plan(&vault.repository, &everything(), &Cancel::default()).unwrap();
    assert_eq!(vault.place.files(), before);
    let done = pruned(&vault, &everything()).unwrap();
    let sums = |plan: &Plan| [plan.used, plan.unused, plan.packs, plan.orphans, plan.remove, plan.repack, plan.removed_blobs];
    assert_eq!(sums(&planned), sums(&done));
}

#[test]
fn a_plan_can_take_snapshots_as_gone() {
    let (vault, _) = planted();
    let all: HashSet<Id> = vault.place.ids(Kind::Snapshot).into_iter().collect();
    let planned = plan(&vault.repository, &Options { without: all, ..everything() }, &Cancel::default()).unwrap();
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
fn a_damaged_blob_is_never_repacked_and_its_pack_stays() {
    let (vault, _) = planted();
    let place = vault.index().find(BlobKind::Data, Id::of(&bytes(9, 2_000))).unwrap();
    vault.place.change(Name::Of(Kind::Data, place.pack), |bytes| bytes[place.blob.offset as usize + 50] ^= 1);
    let Err(Error::Damaged { what, .. }) = pruned(&vault, &everything()) else { panic!("it was repacked") };
    assert_eq!(what, format!("chunk {} in pack {}", place.blob.id.short(), place.pack.short()));
    assert!(vault.place.ids(Kind::Data).contains(&place.pack));
    assert!(vault.index().places(BlobKind::Data, place.blob.id).any(|other| other.pack == place.pack));
}

#[test]
fn a_damaged_blob_is_repacked_from_its_other_copy() {
    let (vault, contents) = planted();
    // In a pack that is used as a whole but for this: so that it is the damaged copy that is chosen, the other one has more waste.
    let content = bytes(9, 2_000);
    vault.chunks(&[&content, &bytes(500, 90_000)]);
    let copies: Vec<_> = vault.index().places(BlobKind::Data, Id::of(&content)).collect();
    assert_eq!(copies.len(), 2);
    for damaged in copies {
        let files = vault.place.files();
        vault.place.change(Name::Of(Kind::Data, damaged.pack), |bytes| bytes[damaged.blob.offset as usize + 50] ^= 1);
        pruned(&vault, &everything()).unwrap();
        assert_eq!(vault.contents(), contents);
        expect_clean(&vault);
        vault.place.set_files(files);
    }
}

#[test]
fn a_lost_pack_that_nobody_needs_is_forgotten_by_the_index() {
    let (vault, contents) = planted();
    let unused = pack_of(&vault, Id::of(&bytes(77, 500)));
    vault.place.remove_file(Name::Of(Kind::Data, unused));
    assert_eq!(pruned(&vault, &everything()).unwrap().lost_packs, 1);
    assert!(!vault.index().packs().contains(&unused));
    assert_eq!(vault.contents(), contents);
    expect_clean(&vault);
}

#[test]
fn of_two_copies_the_one_in_a_pack_without_waste_is_kept() {
    let vault = Vault::new();
    let content = bytes(1, 1_000);
    let wasteful = vault.chunks(&[&content, &bytes(2, 50_000)]);
    let wasteful = pack_of(&vault, wasteful[0]);
    let chunk = vault.chunks(&[&content]);
    vault.snapshot(vault.tree(&[file("f", &chunk)]), "2024-01-01T00:00:00Z");
    let done = pruned(&vault, &Options::default()).unwrap();
    assert_eq!((done.remove.count, done.repack.count), (1, 0));
    assert!(!vault.place.ids(Kind::Data).contains(&wasteful));
    expect_clean(&vault);
}

#[test]
fn limits_keep_packs_from_being_repacked() {
    // Packs above what counts as small: half of each is used.
    let vault = Vault::new();
    let contents: Vec<Vec<u8>> = (0..4).map(|seed| bytes(seed, 2_500_000)).collect();
    let chunks: Vec<Id> = contents.chunks(2).flat_map(|two| vault.chunks(&[&two[0], &two[1]])).collect();
    vault.snapshot(vault.tree(&[file("f", &[chunks[0], chunks[2]])]), "2024-01-01T00:00:00Z");
    let repacks = |options: Options| plan(&vault.repository, &options, &Cancel::default()).unwrap().repack.count;
    let limited = |max_unused| Options { max_unused, ..Options::default() };
    assert_eq!(repacks(Options::default()), 2);
    assert_eq!(repacks(limited(Limit::Unlimited)), 0);
    assert_eq!(repacks(limited(Limit::Bytes(2_600_000))), 1);
    assert_eq!(repacks(limited(Limit::Percent(40.0))), 1, "2.5 MB of 7.5 may be unused");
    assert_eq!(repacks(Options { max_repack_bytes: 5_100_000, ..everything() }), 1);
    assert_eq!(repacks(Options { max_repack_bytes: 0, ..everything() }), 0);
}

#[test]
fn small_packs_are_put_together_where_there_are_enough() {
    let vault = Vault::new();
    let mut chunks = Vec::new();
    for number in 0..9 {
        chunks.extend(vault.chunks(&[&bytes(number, 100)]));
    }
    let snapshot = vault.snapshot(vault.tree(&[file("f", &chunks)]), "2024-01-01T00:00:00Z");
    assert!(pruned(&vault, &Options::default()).unwrap().is_empty());
    chunks.extend(vault.chunks(&[&bytes(10, 100)]));
    vault.snapshot(vault.tree(&[file("f", &chunks)]), "2024-01-02T00:00:00Z");
    forget(&vault.repository, &locked(&vault), &HashSet::from([snapshot]), &Cancel::default()).unwrap();
    let contents = vault.contents();
    assert_eq!(pruned(&vault, &Options::default()).unwrap().repack.count, 10);
    assert_eq!((vault.place.ids(Kind::Data).len(), vault.place.ids(Kind::Index).len()), (2, 2));
    assert_eq!(vault.contents(), contents);
    assert!(pruned(&vault, &Options::default()).unwrap().is_empty());
}

#[test]
fn chunks_are_compressed_where_that_is_asked_for() {
    let vault = Vault::new();
    let chunk = vault.chunks(&[&b"again ".repeat(1_000)]);
    vault.snapshot(vault.tree(&[file("f", &chunk)]), "2024-01-01T00:00:00Z");
    let contents = vault.contents();
    assert!(pruned(&vault, &everything()).unwrap().is_empty());
    let compressing = Options { repack_uncompressed: true, ..everything() };
    pruned(&vault, &compressing).unwrap();
    let blob = vault.index().find(BlobKind::Data, chunk[0]).unwrap().blob;
    assert!(blob.raw_length == Some(6_000) && blob.length < 200);
    assert_eq!(vault.contents(), contents);
    assert!(pruned(&vault, &compressing).unwrap().is_empty());
}

#[test]
fn the_index_is_rebuilt_from_the_packs() {
    let (vault, contents) = planted();
    let rebuild = |reads_all| rebuild_index(&vault.repository, &locked(&vault), reads_all, &Cancel::default()).unwrap();
    let packs = vault.place.ids(Kind::Data).len() as u64;
    let files = vault.place.ids(Kind::Index);
    vault.place.change(Name::Of(Kind::Index, files[0]), |bytes| bytes[20] ^= 1);
    vault.place.remove_file(Name::Of(Kind::Index, files[1]));
    let rebuilt = rebuild(false);
    assert_eq!((rebuilt.packs, rebuilt.damaged_files.as_slice(), rebuilt.lost.len()), (packs, &files[..1], 0));
    assert!((2..packs).contains(&rebuilt.headers_read), "{}", rebuilt.headers_read);
    assert_eq!(vault.contents(), contents);
    assert!(expect_clean(&vault).orphans.is_empty());
    vault.place.ids(Kind::Index).into_iter().for_each(|id| vault.place.remove_file(Name::Of(Kind::Index, id)));
    assert_eq!(rebuild(false).headers_read, packs);
    assert_eq!(rebuild(false).headers_read, 0);
    assert_eq!(rebuild(true).headers_read, packs);
    assert_eq!(vault.contents(), contents);
}

#[test]
fn packs_that_are_gone_or_unreadable_are_told_by_a_rebuild() {
    let (vault, _) = planted();
    let packs = vault.index().packs().to_vec();
    vault.place.remove_file(Name::Of(Kind::Data, packs[0]));
    vault.place.change(Name::Of(Kind::Data, packs[1]), |bytes| bytes.push(0));
    let rebuilt = rebuild_index(&vault.repository, &locked(&vault), false, &Cancel::default()).unwrap();
    assert_eq!(rebuilt.lost, [packs[0]]);
    assert_eq!(rebuilt.unreadable.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [packs[1]]);
    assert!(!vault.index().packs().contains(&packs[0]) && !vault.index().packs().contains(&packs[1]));
}

#[test]
fn a_header_that_is_longer_than_most_is_read_whole() {
    let vault = Vault::new();
    let contents: Vec<Vec<u8>> = (0..3_000).map(|seed| bytes(seed, 10)).collect();
    let (id, blobs) = vault.pack(BlobKind::Data, &contents.iter().map(Vec::as_slice).collect::<Vec<_>>());
    rebuild_index(&vault.repository, &locked(&vault), false, &Cancel::default()).unwrap();
    assert_eq!(vault.repository.read_index(vault.place.ids(Kind::Index)[0]).unwrap(), [(id, blobs)]);
}

#[test]
fn a_prune_that_has_lost_its_lock_removes_nothing() {
    let (vault, _) = planted();
    let guard = locked(&vault);
    let planned = plan(&vault.repository, &everything(), &Cancel::default()).unwrap();
    let cancel = Cancel::default();
    let options = crate::vault::lock::Options { clock: Arc::new(NoWait), ..crate::vault::lock::Options::new(Maker::default()) };
    guard.release().unwrap();
    let lost = Guard::take(&vault.repository, Mode::Exclusive, &options, &cancel).unwrap();
    cancel.raise();
    let before: HashSet<Name> = vault.place.files().into_keys().collect();
    assert!(matches!(planned.carry_out(&vault.repository, &lost, &Cancel::default()), Err(Error::Cancelled)));
    assert!(before.is_subset(&vault.place.files().into_keys().collect()));
}

//! A whole repository is clean, and damage of every kind is found, as far as stock restic finds it and further.

mod damage;

use super::*;
use crate::vault::backend::{Kind, Name};
use crate::vault::crypto::OVERHEAD_BYTES;
use crate::vault::progress::{Counters, Seen};
use crate::vault::testing::{Vault, bytes, file, folder};

fn check(vault: &Vault, read: Read) -> Report {
    run(&vault.repository, read, &Cancel::default(), &()).unwrap()
}

/// Two snapshots that share a folder; the packs of the chunks.
fn planted() -> (Vault, [Id; 2], [Id; 3]) {
    let vault = Vault::new();
    let contents = [bytes(1, 900), bytes(2, 900), bytes(3, 900)];
    let chunks = contents.each_ref().map(|content| vault.chunks(&[content])[0]);
    let shared = vault.tree(&[file("a", &chunks[..1]), file("ab", &chunks[..2])]);
    let one = vault.tree(&[folder("shared", shared)]);
    let two = vault.tree(&[file("c", &chunks[2..]), folder("shared", shared)]);
    let snapshots = [vault.snapshot(one, "2024-01-01T00:00:00Z"), vault.snapshot(two, "2024-01-02T00:00:00Z")];
    let packs = chunks.map(|chunk| vault.index().find(BlobKind::Data, chunk).unwrap().pack);
    (vault, snapshots, packs)
}

fn paths(report: &Report) -> Vec<(Id, &str)> {
    let mut paths: Vec<_> = report.touched_files.iter().map(|file| (file.snapshot, file.path.as_str())).collect();
    paths.sort();
    paths
}

fn sorted(mut paths: Vec<(Id, &str)>) -> Vec<(Id, &str)> {
    paths.sort();
    paths
}

#[test]
fn a_whole_repository_is_clean_and_every_tree_and_pack_is_read_once() {
    let (vault, _, _) = planted();
    let report = check(&vault, Read::All);
    assert!(report.is_clean(), "{:?}", report.problems);
    assert_eq!((report.snapshots, report.trees, report.packs, report.packs_read), (2, 3, 6, 6));
    assert!(report.hints().is_empty() && report.touched_snapshots.is_empty());
    assert_eq!(check(&vault, Read::Nothing).packs_read, 0);
    let empty = Vault::new();
    assert!(check(&empty, Read::All).is_clean());
}

#[test]
fn the_progress_is_told_what_is_to_be_read_and_that_it_was() {
    let (vault, _, _) = planted();
    // Of a snapshot that was forgotten: nothing reads it, and a bar that waited for it would never end.
    vault.tree(&[file("forgotten", &vault.chunks(&[b"forgotten"]))]);
    let index = vault.index();
    let trees: Vec<u64> = index.iter().filter(|place| place.blob.kind == BlobKind::Tree).map(|place| place.blob.length.into()).collect();
    let packs: u64 = PackTable::new(&index).packs.iter().map(|pack| pack.size_bytes).sum();
    for (read, files, bytes) in [(Read::Nothing, 4, 0), (Read::All, 4 + 8, packs)] {
        let counters = Counters::default();
        run(&vault.repository, read, &Cancel::default(), &counters).unwrap();
        let bytes = bytes + trees.iter().sum::<u64>();
        let expected = Seen { files_total: files, files_done: files, bytes_total: bytes, bytes_done: bytes, failures: 0 };
        assert_eq!(counters.seen(), expected);
    }
}

#[test]
fn a_lost_pack_is_told_with_the_snapshots_and_files_that_it_costs() {
    let (vault, snapshots, packs) = planted();
    vault.place.remove_file(Name::Of(Kind::Data, packs[1]));
    let report = check(&vault, Read::Nothing);
    assert_eq!(report.problems, [Problem { what: What::Pack(packs[1]), why: "it is not there".to_owned() }]);
    assert_eq!(report.touched_snapshots, snapshots);
    assert_eq!(paths(&report), sorted(vec![(snapshots[0], "/shared/ab"), (snapshots[1], "/shared/ab")]));
    assert!(report.touched_files.iter().all(|file| file.pack == Some(packs[1])));
    assert_eq!(report.hints(), [Hint::RebuildIndex, Hint::BackUpAgain, Hint::ForgetSnapshots]);
    vault.place.remove_file(Name::Of(Kind::Data, packs[2]));
    assert_eq!(check(&vault, Read::Nothing).touched_files.len(), 3);
}

#[test]
fn a_bad_byte_in_a_chunk_is_found_by_reading_and_costs_only_the_files_of_that_chunk() {
    let (vault, snapshots, packs) = planted();
    vault.place.change(Name::Of(Kind::Data, packs[2]), |bytes| bytes[500] ^= 1);
    assert!(check(&vault, Read::Nothing).is_clean(), "nobody can know it without reading");
    let report = check(&vault, Read::All);
    assert_eq!(report.problems.len(), 1);
    assert_eq!(report.problems[0].what, What::Pack(packs[2]));
    assert_eq!(paths(&report), [(snapshots[1], "/c")]);
}

#[test]
fn a_bad_byte_in_a_header_costs_no_file() {
    let (vault, _, packs) = planted();
    vault.place.change(Name::Of(Kind::Data, packs[0]), |bytes| {
        let end = bytes.len() - 10;
        bytes[end] ^= 1;
    });
    let report = check(&vault, Read::All);
    assert_eq!(report.problems.len(), 1);
    assert!(report.touched_snapshots.is_empty() && report.touched_files.is_empty());
}

#[test]
fn a_second_copy_that_is_whole_saves_the_files() {
    let (vault, _, packs) = planted();
    vault.chunks(&[&bytes(2, 900), b"beside it"]);
    vault.place.remove_file(Name::Of(Kind::Data, packs[1]));
    let report = check(&vault, Read::All);
    assert_eq!(report.problems.len(), 1);
    assert!(report.touched_snapshots.is_empty());
}

#[test]
fn a_lost_tree_is_told_as_its_folder() {
    let (vault, snapshots, _) = planted();
    let tree = vault.repository.read_tree(&vault.index(), {
        let found = crate::vault::snapshots::Snapshots::load(&vault.repository, &Cancel::default()).unwrap();
        found.found[0].snapshot.tree
    });
    let crate::vault::tree::Content::Folder { tree: Some(shared) } = tree.unwrap().nodes[0].content else { panic!("no folder") };
    let pack = vault.index().find(BlobKind::Tree, shared).unwrap().pack;
    vault.place.change(Name::Of(Kind::Data, pack), |bytes| bytes[OVERHEAD_BYTES] ^= 1);
    let report = check(&vault, Read::Nothing);
    assert_eq!(report.problems.iter().map(|problem| problem.what).collect::<Vec<_>>(), [What::Tree(shared)]);
    assert_eq!(paths(&report), sorted(vec![(snapshots[0], "/shared"), (snapshots[1], "/shared")]));
}

#[test]
fn what_no_index_names_is_told_where_it_is_needed() {
    let (vault, snapshots, packs) = planted();
    let index_of = |pack: Id| {
        let names = |id: &Id| vault.repository.read_index(*id).unwrap().iter().any(|(other, _)| *other == pack);
        vault.place.ids(Kind::Index).into_iter().find(names).unwrap()
    };
    vault.place.remove_file(Name::Of(Kind::Index, index_of(packs[2])));
    let report = check(&vault, Read::All);
    assert_eq!(report.orphans, [packs[2]]);
    assert_eq!(paths(&report), [(snapshots[1], "/c")]);
    assert_eq!(report.touched_files[0].pack, None);
    for index in vault.place.ids(Kind::Index) {
        vault.place.remove_file(Name::Of(Kind::Index, index));
    }
    let report = check(&vault, Read::All);
    assert_eq!(paths(&report), sorted(vec![(snapshots[0], "/"), (snapshots[1], "/")]));
}

#[test]
fn what_is_there_for_nothing_is_told_and_is_no_damage() {
    let (vault, _, packs) = planted();
    let (orphan, _) = vault.pack(BlobKind::Data, &[b"nobody's"]);
    let twice = vault.repository.read_index(vault.place.ids(Kind::Index)[0]).unwrap();
    vault.repository.save_index(&[twice[0].clone(), vault.pack(BlobKind::Data, &[b"unused"])]).unwrap();
    vault.place.put(Name::Of(Kind::Lock, Id::of(b"lock")), &b"garbage"[..]);
    let report = check(&vault, Read::All);
    assert!(report.is_clean(), "{:?}", report.problems);
    assert_eq!((report.orphans, report.repeated_packs), (vec![orphan], vec![twice[0].0]));
    assert_eq!(report.unreadable_locks, [Id::of(b"lock")]);
    assert_eq!(packs.len(), 3);
}

#[test]
fn a_pack_whose_header_says_something_else_than_the_index_is_damaged() {
    let (vault, _, _) = planted();
    // The header of a pack with two blobs; the index has them the other way round, which no blob's MAC or size betrays.
    let (id, mut blobs) = vault.pack(BlobKind::Data, &[&bytes(7, 100), &bytes(8, 100)]);
    let first = blobs[0].id;
    blobs[0].id = blobs[1].id;
    blobs[1].id = first;
    vault.repository.save_index(&[(id, blobs)]).unwrap();
    assert!(check(&vault, Read::Nothing).is_clean());
    let report = check(&vault, Read::All);
    assert_eq!(report.problems.len(), 1);
    assert!(report.problems[0].why.starts_with("the index says something else"), "{:?}", report.problems);
}

#[test]
fn a_pack_under_another_name_is_damaged() {
    let vault = Vault::new();
    let (id, blobs) = vault.pack(BlobKind::Data, &[b"whole"]);
    let (bytes, other) = (vault.place.files()[&Name::Of(Kind::Data, id)].clone(), Id::of(b"another name"));
    vault.place.remove_file(Name::Of(Kind::Data, id));
    vault.place.put(Name::Of(Kind::Data, other), bytes);
    vault.repository.save_index(&[(other, blobs)]).unwrap();
    let problem = Problem { what: What::Pack(other), why: "its SHA-256 is not its name".to_owned() };
    assert_eq!(check(&vault, Read::All).problems, [problem]);
}

#[test]
fn a_damaged_key_is_told() {
    let (vault, _, _) = planted();
    let key = vault.repository.key();
    vault.place.change(Name::Of(Kind::Key, key), |bytes| bytes[100] ^= 1);
    let report = check(&vault, Read::Nothing);
    assert_eq!(report.problems.iter().map(|problem| problem.what).collect::<Vec<_>>(), [What::Key(key)]);
    assert_eq!(report.hints(), [Hint::RemoveKeys]);
}

#[test]
fn paths_are_told_up_to_a_bound() {
    let vault = Vault::new();
    let chunk = vault.chunks(&[b"only one"]);
    let nodes: Vec<_> = (0..300).map(|number| file(&format!("{number:04}"), &chunk)).collect();
    let tree = vault.tree(&nodes);
    for second in 0..20 {
        vault.snapshot(tree, &format!("2024-01-01T00:00:{second:02}Z"));
    }
    let pack = vault.index().find(BlobKind::Data, chunk[0]).unwrap().pack;
    vault.place.remove_file(Name::Of(Kind::Data, pack));
    let report = check(&vault, Read::Nothing);
    assert_eq!((report.touched_files.len(), report.has_more_files, report.touched_snapshots.len()), (1_000, true, 20));
}

#[test]
fn a_check_that_is_cancelled_ends() {
    let (vault, _, _) = planted();
    let cancel = Cancel::default();
    cancel.raise();
    assert!(matches!(run(&vault.repository, Read::All, &cancel, &()), Err(Error::Cancelled)));
}

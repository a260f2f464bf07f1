//! Which packs are repacked, and what becomes of their blobs, damaged ones among them.

use super::*;

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
    let repacks = |options: Options| plan(&vault.repository, &options, &Cancel::default(), &()).unwrap().repack.count;
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

//! The index, made again from the packs.

use super::*;

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

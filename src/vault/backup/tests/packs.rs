//! Where in packs a backup puts what it stores.

use std::fs;

use super::{check, save};
use crate::vault::backend::Kind;
use crate::vault::id::Id;
use crate::vault::pack::BlobKind;
use crate::vault::testing::{Vault, bytes};

#[test]
fn chunks_and_trees_lie_apart_and_small_files_about_in_the_order_of_the_walk() {
    const FOLDERS: u64 = 20;
    const FILES: u64 = 100;
    let dir = tempfile::tempdir().unwrap();
    for folder in 0..FOLDERS {
        let folder_path = dir.path().join(format!("{folder:02}"));
        fs::create_dir(&folder_path).unwrap();
        for file in 0..FILES {
            fs::write(folder_path.join(format!("{file:02}")), bytes(folder * FILES + file, 1_000)).unwrap();
        }
    }
    let vault = Vault::new();
    save(&vault, dir.path(), None);
    check(&vault);
    let index = vault.index();
    assert_eq!(vault.place.ids(Kind::Data).len(), 2);
    for pack in index.packs() {
        let mut kinds: Vec<BlobKind> = index.iter().filter(|place| place.pack == *pack).map(|place| place.blob.kind).collect();
        kinds.dedup();
        assert_eq!(kinds.len(), 1, "a pack is of chunks or of trees");
    }

    let offset = |file| index.find(BlobKind::Data, Id::of(&bytes(file, 1_000))).expect("it is stored").blob.offset;
    let mut as_they_lie: Vec<u64> = (0..FOLDERS * FILES).collect();
    as_they_lie.sort_unstable_by_key(|file| offset(*file));
    let mut away: Vec<u64> = as_they_lie.iter().zip(0..).map(|(file, place)| file.abs_diff(place)).collect();
    away.sort_unstable();
    // Workers overtake one another. One that waits long for a processor moves its own file alone, and all others by one place.
    let median = away[away.len() / 2];
    assert!(median <= 16, "half of the files lie further from where they should than {median}");
}

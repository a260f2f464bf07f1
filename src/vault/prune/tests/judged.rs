//! After a prune of ours stock restic finds a clean repository, and restores the same.

use super::*;
use crate::vault::testing::Restic;

/// Backs up a tree that changes from day to day.
fn days(restic: &Restic) {
    for day in 0..4_u64 {
        restic.write("always", bytes(1, 2_000_000));
        restic.write(&format!("day {day}/own"), bytes(100 + day, 700_000));
        restic.write("changes/text", format!("day {day} ").repeat(20_000));
        restic.write("changes/some", [bytes(2, 1_500_000), bytes(200 + day, 800_000)].concat());
        if day > 1 {
            std::fs::remove_dir_all(restic.tree().join(format!("day {}", day - 2))).unwrap();
        }
        restic.backup();
    }
}

fn restored(restic: &Restic, vault: &Vault) -> Vec<Vec<(std::path::PathBuf, Vec<u8>)>> {
    vault.place.ids(Kind::Snapshot).iter().map(|id| restic.restored(&id.hex())).collect()
}

fn two_oldest(vault: &Vault) -> HashSet<Id> {
    let all = Snapshots::load(&vault.repository, &Cancel::default()).unwrap();
    all.found.iter().take(2).map(|stored| stored.id).collect()
}

fn restic_agrees(version: u32, options: &Options) {
    let Some(restic) = Restic::init(version) else { return };
    days(&restic);
    let vault = Vault::load(&restic.repository(), Restic::PASSWORD);
    expect_clean(&vault);
    let goes = two_oldest(&vault);
    forget(&vault.repository, &locked(&vault), &goes, &Cancel::default()).unwrap();
    vault.place.dump(&restic.repository());
    let before = restored(&restic, &vault);
    assert_eq!(before.len(), 2);
    let done = pruned(&vault, options).unwrap();
    assert!(done.removed_blobs.count > 0 && done.repack.count > 0);
    vault.place.dump(&restic.repository());
    let (is_content, says) = restic.check();
    assert!(is_content && !says.contains("additional files"), "{says}");
    assert_eq!(restored(&restic, &vault), before);
    expect_clean(&vault);
    // And the other way round: restic goes on with it, and so do we with that.
    restic.backup();
    restic.ok(&["prune", "--max-unused", "0"]);
    assert!(restic.check().0);
    let after = Vault::load(&restic.repository(), Restic::PASSWORD);
    expect_clean(&after);
    assert_eq!(after.contents().keys().map(|(snapshot, _)| *snapshot).collect::<HashSet<_>>().len(), 3);
}

#[test]
fn restic_finds_a_pruned_repository_of_format_2_clean_and_restores_the_same() {
    restic_agrees(2, &everything());
}

#[test]
fn restic_finds_a_pruned_repository_of_format_1_clean_and_restores_the_same() {
    restic_agrees(1, &everything());
}

#[test]
fn restic_finds_a_recompressed_repository_clean() {
    let Some(restic) = Restic::init(2) else { return };
    restic.write("text", "as it was written ".repeat(100_000));
    restic.ok(&["backup", "--compression", "off", &restic.tree().display().to_string()]);
    let vault = Vault::load(&restic.repository(), Restic::PASSWORD);
    let before = restored(&restic, &vault);
    pruned(&vault, &Options { repack_uncompressed: true, ..everything() }).unwrap();
    assert!(vault.index().iter().all(|place| place.blob.raw_length.is_some()));
    vault.place.dump(&restic.repository());
    assert!(restic.check().0);
    assert_eq!(restored(&restic, &vault), before);
    assert!(pruned(&vault, &everything()).unwrap().is_empty());
}

#[test]
fn restic_finds_a_rebuilt_index_clean() {
    let Some(restic) = Restic::init(2) else { return };
    days(&restic);
    let vault = Vault::load(&restic.repository(), Restic::PASSWORD);
    let before = restored(&restic, &vault);
    vault.place.ids(Kind::Index).into_iter().for_each(|id| vault.place.remove_file(Name::Of(Kind::Index, id)));
    rebuild_index(&vault.repository, &locked(&vault), false, &Cancel::default()).unwrap();
    vault.place.dump(&restic.repository());
    assert!(restic.check().0);
    assert_eq!(restored(&restic, &vault), before);
}

/// Killed at every step, and each time restic is asked. Slow: one restic a step.
#[test]
fn restic_finds_a_prune_that_was_killed_at_any_step_clean() {
    let Some(restic) = Restic::init(2) else { return };
    days(&restic);
    let vault = Vault::load(&restic.repository(), Restic::PASSWORD);
    let goes = two_oldest(&vault);
    forget(&vault.repository, &locked(&vault), &goes, &Cancel::default()).unwrap();
    let contents = vault.contents();
    let whole = vault.place.files();
    for changes in 0.. {
        let guard = locked(&vault);
        vault.place.die_after(changes, false);
        let result = prune(&vault.repository, &guard, &everything(), &Cancel::default(), &());
        vault.place.revive();
        drop(guard);
        vault.place.dump(&restic.repository());
        let (is_content, says) = restic.check();
        assert!(is_content, "killed after {changes} changes: {says}");
        assert_eq!(vault.contents(), contents);
        if result.is_ok() {
            assert!(changes >= 8, "{changes} changes");
            break;
        }
        vault.place.set_files(whole.clone());
    }
}

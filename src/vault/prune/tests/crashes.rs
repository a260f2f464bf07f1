//! Killed after every single change, with the last one made or not: nothing is lost, and the next prune finishes the work.

use super::*;

/// Does the work again and again, each time letting it live for one change more, until it comes through. What it leaves must be as
/// whole as what it began with.
fn at_every_step(vault: &Vault, contents: &Contents, work: impl Fn(&Guard) -> Result<(), Error>) -> usize {
    let whole = vault.place.files();
    for makes_the_last in [false, true] {
        for changes in 0.. {
            assert!(changes < 200, "it ends");
            let guard = locked(vault);
            vault.place.die_after(changes, makes_the_last);
            let result = work(&guard);
            vault.place.revive();
            drop(guard);
            expect_clean(vault);
            assert_eq!(&vault.contents(), contents, "killed after {changes} changes");
            if result.is_ok() {
                if makes_the_last {
                    return changes;
                }
                break;
            }
            pruned(vault, &everything()).unwrap();
            let report = expect_clean(vault);
            assert_eq!(&vault.contents(), contents, "killed after {changes} changes, then pruned");
            assert_eq!((report.orphans.len(), report.repeated_packs.len(), vault.index().len()), (0, 0, 8));
            assert!(pruned(vault, &everything()).unwrap().is_empty());
            vault.place.set_files(whole.clone());
        }
        vault.place.set_files(whole.clone());
    }
    unreachable!("it returns when it has come through");
}

#[test]
fn a_prune_may_be_killed_at_any_step() {
    let (vault, contents) = planted();
    let steps = at_every_step(&vault, &contents, |guard| prune(&vault.repository, guard, &everything(), &Cancel::default(), &()).map(drop));
    // Two new packs, their index and the one that replaces the old, and all that goes.
    assert!(steps >= 15, "{steps}");
}

#[test]
fn a_rebuild_of_the_index_may_be_killed_at_any_step() {
    let (vault, contents) = planted();
    let steps = at_every_step(&vault, &contents, |guard| rebuild_index(&vault.repository, guard, true, &Cancel::default()).map(drop));
    assert!(steps >= 5, "{steps}");
}

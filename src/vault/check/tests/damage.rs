//! Each kind of file × each harm, judged by stock restic.

use super::*;
use crate::vault::keys::Password;
use crate::vault::testing::{Place, Restic};

#[derive(Clone, Copy, PartialEq, Debug)]
enum Harm {
    FlipBit,
    Truncate,
    Empty,
    Extend,
    Delete,
    Swap,
    Garbage,
    Zero,
}

const HARMS: [Harm; 8] = [Harm::FlipBit, Harm::Truncate, Harm::Empty, Harm::Extend, Harm::Delete, Harm::Swap, Harm::Garbage, Harm::Zero];

fn harm(place: &Place, name: Name, other: Option<Name>, harm: Harm) {
    let length = place.files()[&name].len();
    match harm {
        Harm::FlipBit => place.change(name, |bytes| bytes[length / 2] ^= 0x10),
        Harm::Truncate => place.change(name, |bytes| bytes.truncate(length - 7)),
        Harm::Empty => place.change(name, Vec::clear),
        Harm::Extend => place.change(name, |bytes| bytes.extend([0; 7])),
        Harm::Delete => place.remove_file(name),
        Harm::Garbage => place.put(name, bytes(99, length)),
        Harm::Zero => place.put(name, vec![0; length]),
        Harm::Swap => {
            let other = other.expect("there are two");
            let (one, two) = (place.files()[&name].clone(), place.files()[&other].clone());
            place.put(name, two);
            place.put(other, one);
        }
    }
}

/// A repository with several files of each kind, every one of which is needed.
fn made_by_restic(version: u32) -> Option<Restic> {
    let restic = Restic::init(version)?;
    for seed in 0..2 {
        for number in 0..3 {
            restic.write(&format!("{seed}/{number}"), bytes(seed * 10 + number, 300_000));
        }
        restic.backup();
    }
    let second = restic.scratch("second password");
    std::fs::write(&second, "battery staple").unwrap();
    restic.ok(&["key", "add", "--new-password-file", &second.display().to_string()]);
    Some(restic)
}

/// Whether we find it.
fn is_found(repository: &Repository) -> bool {
    let report = run(repository, Read::All, &Cancel::default(), &()).unwrap();
    assert!(report.is_clean() || !report.hints().is_empty(), "damage comes with a hint: {:?}", report.problems);
    !report.is_clean()
}

/// That nothing opens any more counts as found.
fn is_found_when_opened(place: &Place) -> bool {
    Repository::open(Box::new(place.clone()), &Password::new(Restic::PASSWORD)).map_or(true, |repository| is_found(&repository))
}

fn every_harm_is_found(version: u32, kinds: &[Option<Kind>]) {
    let Some(restic) = made_by_restic(version) else { return };
    let Vault { place, repository } = Vault::load(&restic.repository(), Restic::PASSWORD);
    let whole = place.files();
    assert!(!is_found(&repository), "a whole repository is clean");
    assert!(restic.check().0);
    for kind in kinds {
        let mut names: Vec<Name> = match kind {
            None => vec![Name::Config],
            Some(kind) => place.ids(*kind).into_iter().map(|id| Name::Of(*kind, id)).collect(),
        };
        // Without the key that its password opens nobody opens it: that one is not the first.
        names.sort_by_key(|name| *name == Name::Of(Kind::Key, repository.key()));
        for what in HARMS {
            if what == Harm::Swap && names.len() < 2 {
                continue;
            }
            harm(&place, names[0], names.get(1).copied(), what);
            let matters_to_opening = matches!(kind, None | Some(Kind::Key));
            let found = if matters_to_opening { is_found_when_opened(&place) } else { is_found(&repository) };
            // Snapshots and keys may go: nothing says how many there were.
            let may_go = what == Harm::Delete && matches!(kind, Some(Kind::Snapshot | Kind::Key));
            assert_eq!(found, !may_go, "{what:?} of {}", names[0]);
            if !found {
                place.dump(&restic.repository());
                let (is_content, says) = restic.check();
                assert!(is_content, "{what:?} of {}: restic finds it and we do not: {says}", names[0]);
            }
            place.set_files(whole.clone());
        }
    }
}

#[test]
fn every_harm_to_every_kind_of_file_is_found_in_format_2() {
    every_harm_is_found(2, &[Some(Kind::Data), Some(Kind::Index), Some(Kind::Snapshot), Some(Kind::Key), None]);
}

#[test]
fn every_harm_to_packs_and_indexes_is_found_in_format_1() {
    every_harm_is_found(1, &[Some(Kind::Data), Some(Kind::Index)]);
}

/// Not only the first file of its kind: each of them, with the harm that is hardest to see.
#[test]
fn a_flipped_bit_in_any_file_is_found() {
    let Some(restic) = made_by_restic(2) else { return };
    let vault = Vault::load(&restic.repository(), Restic::PASSWORD);
    let whole = vault.place.files();
    for name in whole.keys().filter(|name| matches!(name, Name::Of(Kind::Data | Kind::Index | Kind::Snapshot | Kind::Key, _))) {
        for part in 1..8 {
            vault.place.change(*name, |bytes| {
                let at = bytes.len() * part / 8;
                bytes[at] ^= 1;
            });
            let report = run(&vault.repository, Read::All, &Cancel::default(), &()).unwrap();
            assert!(!report.is_clean(), "{name} at {part}/8");
            vault.place.set_files(whole.clone());
        }
    }
}

//! What every place must do, as functions that any `Backend` can be given to. Each needs a place of its own for its names, or one
//! where nothing was stored yet.

use bytes::Bytes;

use super::{Backend, Error, Id, Kind, Name};

pub const KINDS: [Kind; 5] = [Kind::Data, Kind::Key, Kind::Lock, Kind::Snapshot, Kind::Index];

/// All of it, on an empty place.
pub fn holds(place: &dyn Backend) {
    a_place_that_is_new_has_nothing(place);
    what_is_saved_is_listed_read_and_removed(place);
    a_range_is_exact(place);
    the_same_file_again_is_fine(place);
    a_config_is_never_replaced(place);
    a_pack_comes_back_byte_for_byte(place);
    many_threads_do_not_disturb_each_other(place);
}

/// Bytes that no two numbers have in common.
pub fn bytes(number: u64, length: usize) -> Bytes {
    let blocks = (0..length.div_ceil(32) as u64).map(|block| Id::of(&[number.to_le_bytes(), block.to_le_bytes()].concat()).0);
    Bytes::from(blocks.flatten().take(length).collect::<Vec<u8>>())
}

fn save(place: &dyn Backend, kind: Kind, bytes: &Bytes) -> Name {
    let name = Name::Of(kind, Id::of(bytes));
    place.save(name, bytes.clone()).unwrap_or_else(|error| panic!("{name} is saved: {error:?}"));
    name
}

#[track_caller]
fn expect_missing<T: std::fmt::Debug>(outcome: Result<T, Error>) {
    assert!(matches!(outcome, Err(Error::NotFound(_))), "{outcome:?}");
}

fn a_place_that_is_new_has_nothing(place: &dyn Backend) {
    for _ in 0..2 {
        place.create().expect("a place is made ready, and again");
    }
    expect_missing(place.read(Name::Config, None));
    expect_missing(place.size_bytes(Name::Config));
    for kind in KINDS {
        let name = Name::Of(kind, Id::of(b"never"));
        assert_eq!(place.list(kind).expect("an empty list"), [], "{kind:?}");
        expect_missing(place.read(name, None));
        expect_missing(place.read(name, Some(0..1)));
        expect_missing(place.size_bytes(name));
        place.remove(name).expect("what is not there is removed");
    }
}

fn what_is_saved_is_listed_read_and_removed(place: &dyn Backend) {
    for kind in KINDS {
        let mut names = Vec::new();
        for number in 0..3 {
            let bytes = bytes(number, 100 + usize::try_from(number).expect("a small number"));
            let name = save(place, kind, &bytes);
            assert_eq!(place.read(name, None).expect("it is read"), bytes);
            assert_eq!(place.size_bytes(name).expect("it is there"), bytes.len() as u64);
            names.push((name, bytes.len() as u64));
        }
        let listed = place.list(kind).expect("a list");
        let mut found: Vec<_> = listed.iter().map(|listed| (Name::Of(kind, listed.id), listed.size_bytes)).collect();
        found.sort_by_key(|&(_, size_bytes)| size_bytes);
        assert_eq!(found, names, "{kind:?}");
        for (name, _) in names {
            place.remove(name).expect("it is removed");
            expect_missing(place.read(name, None));
            place.remove(name).expect("it is removed again");
        }
        assert_eq!(place.list(kind).expect("a list"), [], "{kind:?}");
    }
}

fn a_range_is_exact(place: &dyn Backend) {
    let bytes = bytes(7, 1_000_000);
    let name = save(place, Kind::Data, &bytes);
    for range in [0..1, 0..1_000_000, 999_999..1_000_000, 1000..300_000, 5..5, 0..0, 1_000_000..1_000_000] {
        let read = place.read(name, Some(range.clone())).unwrap_or_else(|error| panic!("{range:?}: {error:?}"));
        let slice = usize::try_from(range.start).expect("small")..usize::try_from(range.end).expect("small");
        assert_eq!(read, bytes.slice(slice), "{range:?}");
    }
    for range in [0..1_000_001, 999_999..1_000_001, 1_000_000..1_000_001, 2_000_000..2_000_001] {
        let outcome = place.read(name, Some(range.clone()));
        assert!(matches!(outcome, Err(Error::Damaged { .. })), "{range:?}: {outcome:?}");
    }
    place.remove(name).expect("it is removed");
}

fn the_same_file_again_is_fine(place: &dyn Backend) {
    let bytes = bytes(8, 5_000);
    let name = save(place, Kind::Snapshot, &bytes);
    place.save(name, bytes.clone()).expect("the same again");
    assert_eq!(place.list(Kind::Snapshot).expect("a list").len(), 1);
    place.remove(name).expect("it is removed");
    place.save(name, bytes.clone()).expect("the same after it was removed");
    assert_eq!(place.read(name, None).expect("it is read"), bytes);
    place.remove(name).expect("it is removed");
}

fn a_config_is_never_replaced(place: &dyn Backend) {
    let config = bytes(9, 155);
    place.save(Name::Config, config.clone()).expect("the first config");
    place.save(Name::Config, config.clone()).expect("the same again");
    for other in [bytes(10, 155), bytes(10, 1)] {
        let outcome = place.save(Name::Config, other);
        assert!(matches!(outcome, Err(Error::Refused(_))), "{outcome:?}");
    }
    place.create().expect("a place that is in use is ready");
    assert_eq!(place.read(Name::Config, None).expect("the config"), config);
    assert_eq!(place.size_bytes(Name::Config).expect("the config"), 155);
}

fn a_pack_comes_back_byte_for_byte(place: &dyn Backend) {
    let pack = bytes(11, 16 << 20);
    let name = save(place, Kind::Data, &pack);
    assert!(place.read(name, None).expect("it is read") == pack);
    assert!(place.read(name, Some(1..(16 << 20) - 1)).expect("it is read") == pack.slice(1..(16 << 20) - 1));
    place.remove(name).expect("it is removed");
}

fn many_threads_do_not_disturb_each_other(place: &dyn Backend) {
    in_threads(place, |thread| thread);
    assert_eq!(emptied(place), 8);
}

/// What not every foreign server does: several that save the same file at once never show a part of it.
pub fn holds_for_twins(place: &dyn Backend) {
    in_threads(place, |thread| thread / 2);
    assert_eq!(emptied(place), 4);
}

/// Saves and reads a file in each thread, of those that `number` tells apart.
fn in_threads(place: &dyn Backend, number: impl Fn(u64) -> u64) {
    std::thread::scope(|scope| {
        for bytes in (0..8).map(|thread| bytes(100 + number(thread), 300_000)) {
            scope.spawn(move || {
                for _ in 0..4 {
                    let name = save(place, Kind::Index, &bytes);
                    assert!(place.read(name, None).expect("it is read") == bytes);
                    let part = place.read(name, Some(100..200_000)).expect("a range is read");
                    assert!(part == bytes.slice(100..200_000));
                }
            });
        }
    });
}

/// Removes all indexes; how many there were.
fn emptied(place: &dyn Backend) -> usize {
    let listed = place.list(Kind::Index).expect("a list");
    for file in &listed {
        place.remove(Name::Of(Kind::Index, file.id)).expect("it is removed");
    }
    listed.len()
}

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use rustix::fs::{Advice, fadvise};

use super::Local;
use crate::vault::backend::content::ROOM_FROM_BYTES;
use crate::vault::backend::{Backend as _, Kind, Name, contract};
use crate::vault::error::Error;
use crate::vault::id::Id;
use crate::vault::past_cache::Reader;
use crate::vault::testing::cold_file;

fn empty() -> (tempfile::TempDir, Local) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let place = Local::new(&folder.path().join("deep/repository"));
    (folder, place)
}

fn put(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
    fs::write(path, bytes).expect("a file is written");
}

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().expect("it is there").permissions().mode() & 0o7777
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn a_folder_keeps_the_contract_also_where_each_file_must_have_a_name() {
    for nameless in [true, false] {
        let (_home, place) = empty();
        place.nameless.store(nameless, Ordering::Relaxed);
        contract::holds(&place);
        contract::holds_for_twins(&place);
        assert_eq!(files(&place.folder), [place.folder.join("config")], "no temporary file is left");
        assert!(nameless || !place.nameless.load(Ordering::Relaxed));
    }
}

#[test]
fn a_repository_is_laid_out_as_restic_does_it() {
    let (_home, place) = empty();
    place.create().expect("a repository's folders");
    let config = Bytes::from_static(b"config");
    place.save(Name::Config, config).expect("a config");
    let id = Id::of(b"pack");
    place.save(Name::Of(Kind::Data, id), Bytes::from_static(b"pack")).expect("a pack");
    let pack = place.folder.join(format!("data/{}/{id}", &id.hex()[..2]));
    assert_eq!(fs::read(&pack).expect("the pack"), b"pack");
    assert_eq!((mode(&pack), mode(&place.folder.join("config"))), (0o400, 0o400));
    for folder in ["", "keys", "locks", "snapshots", "index", "data", "data/00", "data/7f", "data/ff"] {
        assert_eq!(mode(&place.folder.join(folder)), 0o700, "{folder}");
    }
    assert_eq!(fs::read_dir(place.folder.join("data")).expect("data").count(), 256);
}

#[test]
fn what_the_group_may_read_stays_so() {
    let (_home, place) = empty();
    let config = place.folder.join("config");
    put(&config, b"config");
    fs::set_permissions(&config, fs::Permissions::from_mode(0o440)).expect("a mode");
    let place = Local::new(&place.folder);
    let id = Id::of(b"pack");
    place.save(Name::Of(Kind::Data, id), Bytes::from_static(b"pack")).expect("a pack");
    let pack = place.path(Name::Of(Kind::Data, id));
    assert_eq!((mode(&pack), mode(pack.parent().expect("a folder"))), (0o440, 0o770));
}

#[test]
fn a_missing_folder_is_made_for_the_first_file_in_it() {
    let (_home, place) = empty();
    let name = Name::Of(Kind::Data, Id::of(b"pack"));
    place.save(name, Bytes::from_static(b"pack")).expect("a pack");
    assert_eq!(place.read(name, None).expect("the pack"), "pack");
}

#[test]
fn a_damaged_file_is_replaced_by_what_its_name_says() {
    let (_home, place) = empty();
    let name = Name::Of(Kind::Data, Id::of(b"pack"));
    for damaged in [&b"pock"[..], b"pac", b""] {
        put(&place.path(name), damaged);
        place.save(name, Bytes::from_static(b"pack")).expect("a pack over a damaged one");
        assert_eq!(place.read(name, None).expect("the pack"), "pack");
        assert_eq!(files(&place.folder).len(), 1, "no temporary file is left");
        place.remove(name).expect("it is removed");
    }
}

#[test]
fn bytes_that_are_not_the_names_replace_nothing() {
    let (_home, place) = empty();
    let name = Name::Of(Kind::Index, Id::of(b"index"));
    place.save(name, Bytes::from_static(b"index")).expect("an index");
    let outcome = place.save(name, Bytes::from_static(b"other"));
    assert!(matches!(outcome, Err(Error::Refused(_))), "{outcome:?}");
    assert_eq!(place.read(name, None).expect("the index"), "index");
}

#[test]
fn of_several_configs_at_once_one_is_kept_and_the_others_hear_so() {
    for round in 0..20 {
        let (_home, place) = empty();
        place.nameless.store(round % 2 == 0, Ordering::Relaxed);
        place.create().expect("folders");
        let outcomes: Vec<_> = std::thread::scope(|scope| {
            let begun =
                [b"a", b"b", b"c", b"d"].map(|config| (config, scope.spawn(|| place.save(Name::Config, Bytes::from_static(config)))));
            begun.map(|(config, thread)| (config, thread.join().expect("no panic"))).into()
        });
        let kept = place.read(Name::Config, None).expect("one config");
        for (config, outcome) in outcomes {
            assert_eq!(outcome.is_ok(), kept == config[..], "{outcome:?}");
        }
    }
}

#[test]
fn any_part_of_a_pack_is_read_as_it_lies_there_from_the_disk_and_from_the_cache() {
    let (_folder, place) = empty();
    let (_, pack) = cold_file((3 << 20) + 5);
    let name = Name::Of(Kind::Data, Id::of(&pack));
    place.save(name, Bytes::from(pack.clone())).expect("room for a pack");
    const LEAST: u64 = ROOM_FROM_BYTES as u64;
    let end = pack.len() as u64;
    for start in [0, 1, 4095, 4096, 4097, (1 << 20) + 17] {
        for length in [0, 1, LEAST - 1, LEAST, LEAST + 1, 2 << 20, end - start] {
            let range = start..(start + length).min(end);
            for from in ["the disk", "the cache"] {
                if from == "the disk" {
                    fadvise(File::open(place.path(name)).expect("the pack"), 0, None, Advice::DontNeed).expect("the cache lets go of it");
                } else {
                    fs::read(place.path(name)).expect("the pack");
                }
                let read = place.read(name, Some(range.clone())).expect("the part");
                assert!(read == pack[range.start as usize..range.end as usize], "{range:?} from {from}");
            }
        }
    }
    for (start, length) in [(end - 1, 2), (0, end + 1), (end, 1 << 20)] {
        let error = place.read(name, Some(start..start + length)).expect_err("more than there is");
        assert!(matches!(error, Error::Damaged { .. }), "{error}");
    }
}

#[test]
fn what_is_read_of_a_pack_takes_no_place_in_the_cache_where_the_file_system_lets_it() {
    let (_folder, place) = empty();
    let (_, pack) = cold_file(4 << 20);
    let name = Name::Of(Kind::Data, Id::of(&pack));
    place.save(name, Bytes::from(pack)).expect("room for a pack");
    let stored = File::open(place.path(name)).expect("the pack");
    fadvise(&stored, 0, None, Advice::DontNeed).expect("the cache lets go of it");
    // A look brings in what it looks at, so each place is looked at once.
    let cached = |places: [u64; 2]| places.into_iter().filter(|at| Reader::new(&stored).is_cached(1, *at)).count();
    if cached([(1 << 20) + 8192, (3 << 20) - 8192]) > 0 {
        eprintln!("NOT TESTED: this file system keeps its files in the cache");
        return;
    }
    place.read(name, Some((1 << 20) + 5..3 << 20)).expect("the part");
    assert_eq!(cached([(1 << 20) + 65536, 2 << 20]), 0);
}

#[test]
fn strange_names_are_not_listed() {
    let (_home, place) = empty();
    place.create().expect("folders");
    let id = Id::of(b"pack");
    place.save(Name::Of(Kind::Data, id), Bytes::from_static(b"pack")).expect("a pack");
    let beside = place.path(Name::Of(Kind::Data, id));
    put(&beside.with_file_name(format!("{id}-tmp-123456")), b"half");
    put(&beside.with_file_name(id.hex().to_uppercase()), b"upper");
    put(&place.folder.join("data/README"), b"text");
    put(&place.folder.join("data/xy").join(Id::of(b"x").hex()), b"x");
    fs::create_dir(beside.with_file_name(Id::of(b"folder").hex())).expect("a folder");
    symlink("nowhere", beside.with_file_name(Id::of(b"link").hex())).expect("a link");
    let listed = place.list(Kind::Data).expect("a list");
    assert_eq!(listed.iter().map(|file| file.id).collect::<Vec<_>>(), [id]);
}

#[test]
fn packs_are_listed_folder_by_folder() {
    let (_home, place) = empty();
    for number in 0..60 {
        let bytes = contract::bytes(number, 10);
        place.save(Name::Of(Kind::Data, Id::of(&bytes)), bytes).expect("a pack");
    }
    let first: Vec<u8> = place.list(Kind::Data).expect("a list").iter().map(|file| file.id.0[0]).collect();
    assert_eq!(first.len(), 60);
    assert!(first.is_sorted(), "{first:?}");
}

#[test]
fn keys_are_listed_in_the_order_in_which_they_were_written() {
    let (_home, place) = empty();
    let ids: Vec<Id> = (0..10_u8).map(|number| Id::of(&[number])).collect();
    for (&id, number) in ids.iter().zip(0..10_u8) {
        place.save(Name::Of(Kind::Key, id), Bytes::copy_from_slice(&[number])).expect("a key");
        let file = fs::File::open(place.path(Name::Of(Kind::Key, id))).expect("the key");
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + u64::from(number))).expect("a time");
    }
    assert_eq!(place.list(Kind::Key).expect("a list").iter().map(|file| file.id).collect::<Vec<_>>(), ids);
}

#[test]
fn what_is_no_file_is_an_error_and_nobody_waits() {
    let (_home, place) = empty();
    let name = Name::Of(Kind::Key, Id::of(b"key"));
    let path = place.path(name);
    fs::create_dir_all(&path).expect("a folder in place of a file");
    for _ in 0..2 {
        for outcome in [place.read(name, None).map(drop), place.size_bytes(name).map(drop), place.save(name, Bytes::from_static(b"key"))] {
            assert!(matches!(outcome, Err(Error::Refused(_))), "{outcome:?}");
        }
        if path.is_dir() {
            assert!(matches!(place.remove(name), Err(Error::Refused(_))));
            fs::remove_dir(&path).expect("it was empty");
            rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("a FIFO");
        }
    }
}

#[test]
fn a_file_in_place_of_a_folder_is_an_error() {
    let (_home, place) = empty();
    put(&place.folder.join("keys"), b"");
    let name = Name::Of(Kind::Key, Id::of(b"key"));
    assert!(matches!(place.save(name, Bytes::from_static(b"key")), Err(Error::Refused(_))));
    assert!(matches!(place.list(Kind::Key), Err(Error::Refused(_))));
    assert!(place.create().is_err());
}

//! What every kind of blobs promises, as tests run against each.

use std::sync::{Arc, Barrier};

use super::disk::DiskBlobs;
use super::memory::MemoryBlobs;
use super::{BlobFault, BlobKey, Blobs, Found};
use crate::model::digest::Sha256Digest;
use crate::model::file_name::FileName;
use crate::model::instant::Instant;
use crate::model::stored_file::BlobId;

/// Blobs, and the way something foreign gets among them.
struct Rig {
    blobs: Arc<dyn Blobs>,
    plant: Box<dyn Fn(&str)>,
    /// Goes when the test ends.
    _folder: Option<tempfile::TempDir>,
}

fn disk() -> Rig {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path().join("blobs");
    let blobs = Arc::new(DiskBlobs::open(&root).expect("the temporary folder takes blobs"));
    let plant = move |path: &str| {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("a foreign folder");
        std::fs::write(path, b"").expect("a foreign file");
    };
    Rig { blobs, plant: Box::new(plant), _folder: Some(folder) }
}

fn memory() -> Rig {
    let blobs = Arc::new(MemoryBlobs::default());
    let planted = Arc::clone(&blobs);
    Rig { blobs, plant: Box::new(move |path| planted.plant(path)), _folder: None }
}

/// Makes a test for each kind of blobs out of each promise.
macro_rules! promises {
    ($($promise:ident)*) => {
        mod on_disk { $(#[test] fn $promise() { super::$promise(super::disk()) })* }
        mod in_memory { $(#[test] fn $promise() { super::$promise(super::memory()) })* }
    };
}

promises! {
    published_bytes_are_read_back_whole
    a_key_is_given_once
    staged_bytes_are_unseen_and_go_with_their_handle
    every_key_comes_back_from_a_walk
    a_walk_stops_when_it_is_told_to
    foreign_things_are_reported_and_left_alone
    removing_is_final_and_may_be_repeated
    an_open_blob_outlives_its_removal
    publishing_and_removing_side_by_side_loses_nothing
    clearing_spares_what_is_being_written
    copies_are_replaced_listed_and_removed
    a_copy_has_a_plain_name
    there_is_room
}

/// A key of the test's account with an id of its own.
pub(super) fn key(name: &str) -> BlobKey {
    BlobKey {
        account: "Y21R3P".parse().expect("six letters"),
        name: FileName::parse(name.as_bytes()).expect(name),
        kept_from: Instant::from_seconds(1_795_176_000),
        sha256: Sha256Digest::of(name.as_bytes()),
        id: BlobId::random(),
    }
}

pub(super) fn publish(blobs: &dyn Blobs, key: &BlobKey, bytes: &[u8]) {
    let mut staged = blobs.stage().expect("a staging file");
    for part in bytes.chunks(7) {
        staged.write(part).expect("room");
    }
    staged.publish(key).expect("published");
}

pub(super) fn read(blobs: &dyn Blobs, key: &BlobKey) -> Vec<u8> {
    let mut reader = blobs.open(key).expect("the blob is there");
    let mut bytes = vec![0; usize::try_from(reader.size_bytes()).expect("it fits")];
    assert_eq!(reader.read_at(&mut bytes, 0).expect("readable"), bytes.len());
    bytes
}

pub(super) fn walk(blobs: &dyn Blobs) -> Vec<Found> {
    let mut all = Vec::new();
    blobs
        .walk(&mut |found| {
            all.push(found);
            true
        })
        .expect("the walk ends well");
    all
}

fn is_absent(blobs: &dyn Blobs, key: &BlobKey) -> bool {
    blobs.open(key).err().map(|error| error.fault) == Some(BlobFault::NotFound)
}

fn published_bytes_are_read_back_whole(rig: Rig) {
    let (empty, short) = (key("/empty"), key("/a/short"));
    publish(&*rig.blobs, &empty, b"");
    publish(&*rig.blobs, &short, b"0123456789");
    assert_eq!(read(&*rig.blobs, &empty), b"");
    let mut reader = rig.blobs.open(&short).expect("there");
    let mut buffer = [0; 6];
    for (offset, expected) in [(0, &b"012345"[..]), (4, b"456789"), (7, b"789"), (10, b""), (1 << 40, b"")] {
        let count = reader.read_at(&mut buffer, offset).expect("readable");
        assert_eq!(&buffer[..count], expected, "{offset}");
        reader.forget_cache(offset, 3);
    }
}

fn a_key_is_given_once(rig: Rig) {
    let key = key("/a");
    publish(&*rig.blobs, &key, b"first");
    let mut second = rig.blobs.stage().expect("a staging file");
    second.write(b"second").expect("room");
    assert_eq!(second.publish(&key).expect_err("taken").fault, BlobFault::Failed);
    assert_eq!(read(&*rig.blobs, &key), b"first");
    assert_eq!(rig.blobs.clear_staging().expect("cleared"), 0, "the loser's staging file went with its handle");
}

fn staged_bytes_are_unseen_and_go_with_their_handle(rig: Rig) {
    let mut staged = rig.blobs.stage().expect("a staging file");
    staged.write(b"half of it").expect("room");
    assert_eq!(walk(&*rig.blobs), []);
    drop(staged);
    assert_eq!(walk(&*rig.blobs), []);
    assert_eq!(rig.blobs.clear_staging().expect("cleared"), 0);
}

fn every_key_comes_back_from_a_walk(rig: Rig) {
    let long = format!("/{}/x", "%".repeat(300));
    let widest = format!("/{}", "\u{85}".repeat(383));
    let deep = "/d".repeat(32);
    // Where a long segment is cut, what follows must not become a way up or a hidden name.
    let cuts: Vec<String> = (117..122).flat_map(|at| [".", "..", ".x"].map(|end| format!("/{}{end}/b", "x".repeat(at)))).collect();
    let plain = ["/a", "/a/b", "/a/b/c", "/.hidden", "/..x/...", "/a@b", "/é", "/e\u{301}", "/A", "/ ", &long, &widest, &deep];
    let names: Vec<&str> = plain.into_iter().chain(cuts.iter().map(String::as_str)).collect();
    let mut expected: Vec<Found> = names.iter().map(|name| Found::Blob { key: key(name), size_bytes: name.len() as u64 }).collect();
    for (found, name) in expected.iter().zip(names) {
        let Found::Blob { key, .. } = found else { panic!("only blobs were published") };
        publish(&*rig.blobs, key, name.as_bytes());
    }
    let by_text = |found: &Found| format!("{found:?}");
    let mut found = walk(&*rig.blobs);
    found.sort_by_key(by_text);
    expected.sort_by_key(by_text);
    assert_eq!(found, expected);
}

fn a_walk_stops_when_it_is_told_to(rig: Rig) {
    for name in ["/a", "/b/c", "/d"] {
        publish(&*rig.blobs, &key(name), b"");
    }
    let mut count = 0;
    let visit = &mut |_| {
        count += 1;
        count < 2
    };
    rig.blobs.walk(visit).expect("stopping is no error");
    assert_eq!(count, 2);
}

fn foreign_things_are_reported_and_left_alone(rig: Rig) {
    let good = key("/a");
    publish(&*rig.blobs, &good, b"good");
    let mut foreign = vec![
        "notes.txt".to_owned(),
        "Y21R3P/a".to_owned(),
        "Y21R3P/b/.part".to_owned(),
        format!("{}.part", good.to_path()),
        good.to_path().replace("/a@", "/%61@"),
    ];
    foreign.sort_unstable();
    for path in &foreign {
        (rig.plant)(path);
    }
    let paths = |found: Vec<Found>| -> Vec<String> {
        let foreign = found.into_iter().filter_map(|found| if let Found::Foreign { path } = found { Some(path) } else { None });
        let mut paths: Vec<String> = foreign.collect();
        paths.sort_unstable();
        paths
    };
    assert_eq!(paths(walk(&*rig.blobs)), foreign);
    rig.blobs.remove(&good).expect("removed");
    rig.blobs.clear_staging().expect("cleared");
    assert_eq!(paths(walk(&*rig.blobs)), foreign);
}

fn removing_is_final_and_may_be_repeated(rig: Rig) {
    let (gone, kept) = (key("/a/b/gone"), key("/a/kept"));
    publish(&*rig.blobs, &gone, b"gone");
    publish(&*rig.blobs, &kept, b"kept");
    for _ in 0..2 {
        rig.blobs.remove(&gone).expect("removed");
        assert!(is_absent(&*rig.blobs, &gone));
    }
    assert_eq!(read(&*rig.blobs, &kept), b"kept");
    rig.blobs.remove(&key("/never/was")).expect("absent bytes are removed already");
    publish(&*rig.blobs, &gone, b"again");
    assert_eq!(read(&*rig.blobs, &gone), b"again");
}

fn an_open_blob_outlives_its_removal(rig: Rig) {
    let key = key("/a");
    publish(&*rig.blobs, &key, b"bytes");
    let mut reader = rig.blobs.open(&key).expect("there");
    rig.blobs.remove(&key).expect("removed");
    let mut bytes = [0; 5];
    assert_eq!(reader.read_at(&mut bytes, 0).expect("readable"), 5);
    assert_eq!(&bytes, b"bytes");
}

/// 64 threads make and empty the same folders, so that nearly every publish meets a removal.
fn publishing_and_removing_side_by_side_loses_nothing(rig: Rig) {
    let barrier = Barrier::new(64);
    let work = |thread: usize| {
        let mut kept = Vec::new();
        barrier.wait();
        for round in 0..20 {
            let key = key(&format!("/deep/er/{round}/{thread}"));
            publish(&*rig.blobs, &key, b"bytes");
            if thread == 0 && round % 5 == 0 {
                kept.push(key);
            } else {
                rig.blobs.remove(&key).expect("removed");
            }
        }
        kept
    };
    let mut kept: Vec<BlobKey> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..64).map(|thread| scope.spawn(move || work(thread))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no thread fails")).collect()
    });
    let found = walk(&*rig.blobs).into_iter().map(|found| match found {
        Found::Blob { key, .. } => key,
        Found::Foreign { path } | Found::Unreadable { path, .. } => panic!("{path} is foreign"),
    });
    let mut found: Vec<BlobKey> = found.collect();
    found.sort_by_key(BlobKey::to_path);
    kept.sort_by_key(BlobKey::to_path);
    assert_eq!(found, kept);
}

fn clearing_spares_what_is_being_written(rig: Rig) {
    let key = key("/a");
    let mut living = rig.blobs.stage().expect("a staging file");
    living.write(b"first, ").expect("room");
    assert_eq!(rig.blobs.clear_staging().expect("cleared"), 0);
    living.write(b"second").expect("room");
    living.publish(&key).expect("published");
    assert_eq!(rig.blobs.clear_staging().expect("cleared"), 0);
    assert_eq!(read(&*rig.blobs, &key), b"first, second");
}

fn copies_are_replaced_listed_and_removed(rig: Rig) {
    let blobs = &*rig.blobs;
    assert_eq!(blobs.list_control().expect("listed"), Vec::<String>::new());
    blobs.put_control("b", b"old").expect("stored");
    blobs.put_control("b", b"new").expect("stored");
    blobs.put_control("a", b"").expect("stored");
    assert_eq!(blobs.list_control().expect("listed"), ["a", "b"]);
    assert_eq!(blobs.get_control("b").expect("there"), b"new");
    for _ in 0..2 {
        blobs.remove_control("b").expect("removed");
    }
    assert_eq!(blobs.get_control("b").expect_err("gone").fault, BlobFault::NotFound);
    assert_eq!(blobs.list_control().expect("listed"), ["a"]);
    assert_eq!(walk(blobs), [], "copies are no blobs");
}

fn a_copy_has_a_plain_name(rig: Rig) {
    let long = "x".repeat(230);
    for bad in ["", ".", "..", ".hidden", "a/b", "../a", "/a", "a\0", &long] {
        assert_eq!(rig.blobs.put_control(bad, b"").expect_err(bad).fault, BlobFault::Failed);
        assert_eq!(rig.blobs.get_control(bad).expect_err(bad).fault, BlobFault::Failed);
        assert_eq!(rig.blobs.remove_control(bad).expect_err(bad).fault, BlobFault::Failed);
    }
    assert_eq!(rig.blobs.list_control().expect("listed"), Vec::<String>::new());
}

fn there_is_room(rig: Rig) {
    let space = rig.blobs.space().expect("the file system answers");
    assert!(space.free_bytes > 0 && space.free_files > 0);
}

//! Each kind of harm to a pack costs the files that need it, and no others.

use super::stored::{Stored, node};
use super::{lines, listing, restored};
use crate::vault::backend::{Backend as _, Kind, Name};
use crate::vault::id::Id;
use crate::vault::index::Index;
use crate::vault::pack::{BlobKind, PackedBlob};
use crate::vault::tree::Content;

/// Files `a` to `c` with chunks side by side in one pack, `d` in a pack of its own, and `e` with chunks of both.
fn five_files() -> (Stored, Id, Id) {
    let mut stored = Stored::new();
    let chunks: Vec<Vec<u8>> = (0..3_u8).map(|n| vec![n + 1; 1000]).collect();
    let parts: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
    let pack = stored.pack(BlobKind::Data, &parts);
    let file = |name: &[u8], chunks: &[&[u8]]| {
        let size_bytes = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        node(name, Content::File { size_bytes, chunks: chunks.iter().map(|chunk| Id::of(chunk)).collect() })
    };
    let d = stored.file(b"d", b"own");
    let e = file(b"e", &[b"own", parts[2]]);
    let tree = stored.tree(vec![file(b"a", &[parts[0]]), file(b"b", &[parts[1]]), file(b"c", &[parts[2]]), d, e]);
    (stored, pack, tree)
}

#[test]
fn each_harm_to_a_pack_costs_only_the_files_that_need_it() {
    type Harm = fn(&mut Vec<u8>);
    let harms: [(Harm, &[&str]); 8] = [
        (|_| {}, &["a", "b", "c", "d", "e"]),
        (|bytes| bytes[500] ^= 1, &["b", "c", "d", "e"]),
        (|bytes| bytes[1032 + 500] ^= 1, &["a", "c", "d", "e"]),
        (|bytes| bytes.truncate(1032 * 2 + 20), &["a", "b", "d"]),
        (|bytes| bytes[1032..2064].fill(0), &["a", "c", "d", "e"]),
        (|bytes| bytes.copy_within(1032..2064, 0), &["b", "c", "d", "e"]),
        (|bytes| bytes.copy_within(0..1032, 1032), &["a", "c", "d", "e"]),
        (Vec::clear, &["d"]),
    ];
    for (number, (harm, expected)) in harms.into_iter().enumerate() {
        let (stored, pack, tree) = five_files();
        stored.harm(pack, harm);
        let target = tempfile::tempdir().unwrap();
        let report = restored(&stored, tree, target.path());
        assert_eq!(listing(target.path()), expected, "harm {number}");
        assert_eq!((report.failures.len(), report.files as usize), (5 - expected.len(), expected.len()), "harm {number}");
        for failure in &report.failures {
            let lost = failure.path.file_name().unwrap().to_str().unwrap();
            assert!(!expected.contains(&lost) && failure.why.contains(&pack.short()), "{failure:?}");
        }
        if expected.contains(&"e") {
            assert_eq!(std::fs::read(target.path().join("e")).unwrap(), [b"own".as_slice(), &[3; 1000]].concat());
        }
    }
}

#[test]
fn a_chunk_whose_bytes_the_index_gives_to_another_one_too_costs_nothing() {
    let mut stored = Stored::new();
    let pack = stored.pack(BlobKind::Data, &[&[1; 1000], &[2; 1000]]);
    let blob = |bytes: &[u8], offset| PackedBlob { kind: BlobKind::Data, id: Id::of(bytes), offset, length: 1032, raw_length: None };
    stored.index = Index::default();
    stored.index.add(pack, &[blob(&[1; 1000], 0), blob(b"false", 500), blob(&[2; 1000], 1032)]);
    let file = |name: &[u8], bytes: &[u8]| node(name, Content::File { size_bytes: 1000, chunks: vec![Id::of(bytes)] });
    let tree = stored.tree(vec![file(b"false", b"false"), file(b"one", &[1; 1000]), file(b"two", &[2; 1000])]);
    let target = tempfile::tempdir().unwrap();
    let report = restored(&stored, tree, target.path());
    assert_eq!((listing(target.path()), report.failures.len()), (vec!["one".to_owned(), "two".to_owned()], 1));
}

#[test]
fn a_pack_that_is_gone_costs_its_files() {
    let (stored, pack, tree) = five_files();
    stored.memory.remove(Name::Of(Kind::Data, pack)).unwrap();
    let target = tempfile::tempdir().unwrap();
    let report = restored(&stored, tree, target.path());
    assert_eq!(listing(target.path()), ["d"]);
    assert_eq!((report.failures.len(), report.ended_by.is_none()), (4, true), "{:?}", lines(&report));
}

#[test]
fn a_chunk_that_another_pack_has_whole_costs_nothing() {
    let (mut stored, pack, tree) = five_files();
    stored.pack(BlobKind::Data, &[b"other", &[2; 1000]]);
    stored.harm(pack, |bytes| bytes[1032 + 500] ^= 1);
    let target = tempfile::tempdir().unwrap();
    let report = restored(&stored, tree, target.path());
    assert!(report.is_complete(), "{:?}", lines(&report));
    assert_eq!(std::fs::read(target.path().join("b")).unwrap(), [2; 1000]);
}

#[test]
fn chunks_and_trees_that_are_nowhere_cost_what_needs_them() {
    let mut stored = Stored::new();
    let lost = node(b"lost", Content::File { size_bytes: 3, chunks: vec![Id::of(b"???")] });
    let gone = node(b"gone", Content::Folder { tree: Some(Id::of(b"tree")) });
    let unread = node(b"unread", Content::Folder { tree: None });
    let good = stored.file(b"good", b"good");
    let tree = stored.tree(vec![gone, good, lost, unread]);
    let target = tempfile::tempdir().unwrap();
    let report = restored(&stored, tree, target.path());
    assert_eq!(listing(target.path()), ["gone", "good", "unread"]);
    let paths: Vec<_> = report.failures.iter().map(|failure| failure.path.to_str().unwrap()).collect();
    assert_eq!(paths, ["/gone", "/lost", "/unread"]);
}

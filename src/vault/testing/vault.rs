//! A repository in memory that a test fills blob by blob.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Place;
use crate::vault::cancel::Cancel;
use crate::vault::compression::compress;
use crate::vault::config::Version;
use crate::vault::id::Id;
use crate::vault::index::Index;
use crate::vault::index::file::IndexedPack;
use crate::vault::keys::{Maker, Password};
use crate::vault::pack::{BlobKind, Builder};
use crate::vault::repository::Repository;
use crate::vault::snapshot::Snapshot;
use crate::vault::snapshots::Snapshots;
use crate::vault::tree::{Content, Metadata, Node, Tree};

pub(in crate::vault) struct Vault {
    pub(in crate::vault) place: Place,
    pub(in crate::vault) repository: Arc<Repository>,
}

/// Every file of every snapshot, by the snapshot's id and its path.
pub(in crate::vault) type Contents = BTreeMap<(Id, String), Vec<u8>>;

impl Vault {
    pub(in crate::vault) fn new() -> Self {
        let place = Place::default();
        let repository = Repository::init(Box::new(place.clone()), &Password::new("secret"), Version::Two, Maker::default()).unwrap();
        Self { place, repository: Arc::new(repository) }
    }

    /// What a folder holds, in memory.
    pub(in crate::vault) fn load(folder: &std::path::Path, password: &str) -> Self {
        let place = Place::load(folder);
        let repository = Repository::open(Box::new(place.clone()), &Password::new(password)).unwrap();
        Self { place, repository: Arc::new(repository) }
    }

    /// Stores a pack of these blobs, not its index.
    pub(in crate::vault) fn pack(&self, kind: BlobKind, blobs: &[&[u8]]) -> IndexedPack {
        let mut builder = Builder::new(kind);
        for plain in blobs {
            let compressed = compress(plain);
            let raw_length = (self.repository.can_compress() && kind == BlobKind::Tree).then_some(plain.len() as u32);
            let content: &[u8] = if raw_length.is_some() { &compressed } else { plain };
            builder.push(Id::of(plain), &self.repository.sealer().seal(content), raw_length);
        }
        let pack = builder.finish(self.repository.sealer());
        let id = Id::of(&pack.bytes);
        self.place.put(crate::vault::backend::Name::Of(crate::vault::backend::Kind::Data, id), pack.bytes);
        (id, pack.blobs)
    }

    /// Stores chunks in one pack, with its index; their ids.
    pub(in crate::vault) fn chunks(&self, blobs: &[&[u8]]) -> Vec<Id> {
        let pack = self.pack(BlobKind::Data, blobs);
        self.repository.save_index(&[pack]).unwrap();
        blobs.iter().map(|plain| Id::of(plain)).collect()
    }

    /// Stores a tree in a pack of its own, with its index.
    pub(in crate::vault) fn tree(&self, nodes: &[Node]) -> Id {
        let bytes = Tree { nodes: nodes.to_vec() }.to_bytes();
        let pack = self.pack(BlobKind::Tree, &[&bytes]);
        self.repository.save_index(&[pack]).unwrap();
        Id::of(&bytes)
    }

    pub(in crate::vault) fn snapshot(&self, tree: Id, time: &str) -> Id {
        let text = format!(r#"{{"time":"{time}","tree":"{tree}","hostname":"db1","paths":["/"]}}"#);
        let snapshot = Snapshot::parse(text.as_bytes(), &tree).unwrap();
        self.repository.save_file(crate::vault::backend::Kind::Snapshot, &snapshot.to_bytes()).unwrap()
    }

    pub(in crate::vault) fn index(&self) -> Index {
        let loaded = self.repository.load_index(&Cancel::default()).unwrap();
        assert!(loaded.failed.is_empty(), "{:?}", loaded.failed);
        loaded.index
    }

    /// All that can be restored. Fails where a snapshot cannot.
    pub(in crate::vault) fn contents(&self) -> Contents {
        let index = self.index();
        let snapshots = Snapshots::load(&self.repository, &Cancel::default()).unwrap();
        assert!(snapshots.failed.is_empty(), "{:?}", snapshots.failed);
        let mut contents = Contents::new();
        for stored in &snapshots.found {
            self.read_below(&index, stored.id, stored.snapshot.tree, "", &mut contents);
        }
        contents
    }

    fn read_below(&self, index: &Index, snapshot: Id, tree: Id, path: &str, contents: &mut Contents) {
        for node in self.repository.read_tree(index, tree).unwrap().nodes {
            let path = format!("{path}/{}", String::from_utf8_lossy(&node.name));
            match node.content {
                Content::Folder { tree } => self.read_below(index, snapshot, tree.unwrap(), &path, contents),
                Content::File { chunks, .. } => {
                    let read = |chunk: &Id| self.repository.read_blob(index, BlobKind::Data, *chunk).unwrap();
                    contents.insert((snapshot, path), chunks.iter().flat_map(read).collect());
                }
                _ => {}
            }
        }
    }
}

pub(in crate::vault) fn file(name: &str, chunks: &[Id]) -> Node {
    node(name, Content::File { size_bytes: 1, chunks: chunks.to_vec() })
}

pub(in crate::vault) fn folder(name: &str, tree: Id) -> Node {
    node(name, Content::Folder { tree: Some(tree) })
}

fn node(name: &str, content: Content) -> Node {
    Node { name: name.as_bytes().to_vec(), content, metadata: Metadata::default() }
}

/// Bytes that do not compress; the same for the same seed.
pub(in crate::vault) fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(|_| next()).collect()
}

//! A repository whose trees are made by hand.

use super::memory::Memory;
use crate::vault::backend::{Backend as _, Kind, Name};
use crate::vault::cancel::Cancel;
use crate::vault::config::Version;
use crate::vault::id::Id;
use crate::vault::index::Index;
use crate::vault::keys::{Maker, Password};
use crate::vault::pack::{BlobKind, Builder};
use crate::vault::repository::Repository;
use crate::vault::restore::Source;
use crate::vault::tree::{Content, Metadata, Node, Time, Tree};

pub(super) struct Stored {
    pub memory: Memory,
    pub repository: Repository,
    pub index: Index,
}

impl Stored {
    pub(super) fn new() -> Self {
        let memory = Memory::default();
        let repository = Repository::init(Box::new(memory.clone()), &Password::new("p"), Version::Two, Maker::default()).unwrap();
        Self { memory, repository, index: Index::default() }
    }

    /// What another program wrote, with the tree of its only snapshot.
    pub(super) fn open(memory: Memory) -> (Self, Id) {
        let repository = Repository::open(Box::new(memory.clone()), &Password::new("p")).unwrap();
        let loaded = repository.load_index(&Cancel::default()).unwrap();
        assert!(loaded.failed.is_empty());
        let snapshot = memory.list(Kind::Snapshot).unwrap()[0].id;
        let text = repository.read_file(Kind::Snapshot, snapshot).unwrap();
        let tree = crate::vault::snapshot::Snapshot::parse(&text, &snapshot).unwrap().tree;
        (Self { memory, repository, index: loaded.index }, tree)
    }

    pub(super) fn source(&self) -> Source<'_> {
        Source { repository: &self.repository, index: &self.index }
    }

    /// Stores blobs of one kind as one pack; its id.
    pub(super) fn pack(&mut self, kind: BlobKind, blobs: &[&[u8]]) -> Id {
        let sealer = self.repository.sealer();
        let mut builder = Builder::new(kind);
        for blob in blobs {
            builder.push(Id::of(blob), &sealer.seal(blob), None);
        }
        let finished = builder.finish(sealer);
        let pack = Id::of(&finished.bytes);
        self.memory.save(Name::Of(Kind::Data, pack), finished.bytes).unwrap();
        self.index.add(pack, &finished.blobs);
        pack
    }

    /// Stores a chunk in a pack of its own.
    pub(super) fn chunk(&mut self, bytes: &[u8]) -> Id {
        self.pack(BlobKind::Data, &[bytes]);
        Id::of(bytes)
    }

    pub(super) fn tree(&mut self, nodes: Vec<Node>) -> Id {
        let bytes = Tree { nodes }.to_bytes();
        self.pack(BlobKind::Tree, &[&bytes]);
        Id::of(&bytes)
    }

    /// A file of one chunk, which is stored.
    pub(super) fn file(&mut self, name: &[u8], bytes: &[u8]) -> Node {
        let chunks = vec![self.chunk(bytes)];
        node(name, Content::File { size_bytes: bytes.len() as u64, chunks })
    }

    /// Changes a pack as it is stored.
    pub(super) fn harm(&self, pack: Id, harm: impl FnOnce(&mut Vec<u8>)) {
        let name = Name::Of(Kind::Data, pack);
        let mut bytes = self.memory.read(name, None).unwrap().to_vec();
        harm(&mut bytes);
        self.memory.save(name, bytes.into()).unwrap();
    }
}

pub(super) fn node(name: &[u8], content: Content) -> Node {
    let modified = Time { seconds: 1_000_000_000, nanos: 123_456_789 };
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let mode = if matches!(content, Content::Folder { .. }) { 0o755 } else { 0o644 };
    let metadata = Metadata { mode, modified, accessed: modified, uid, gid, links: 1, ..Metadata::default() };
    Node { name: name.to_vec(), content, metadata }
}

pub(super) fn folder(name: &[u8], tree: Id) -> Node {
    node(name, Content::Folder { tree: Some(tree) })
}

pub(super) fn symlink(name: &[u8], target: &[u8]) -> Node {
    node(name, Content::Symlink { target: target.to_vec() })
}

/// One more name for what has this inode number.
pub(super) fn linked(mut node: Node, inode: u64) -> Node {
    (node.metadata.inode, node.metadata.device_id, node.metadata.links) = (inode, 1, 2);
    node
}

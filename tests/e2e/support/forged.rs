//! Repositories that no honest program would make: trees and chunks by hand, sealed with the right key.

use std::path::{Path, PathBuf};

use strongroom::vault::backend::location::Location;
use strongroom::vault::backend::options::Options;
use strongroom::vault::backend::{Kind, Name, open};
use strongroom::vault::config::Version;
use strongroom::vault::crypto::Sealer;
use strongroom::vault::id::Id;
use strongroom::vault::keys::{KeyFile, Maker, Password};
use strongroom::vault::pack::BlobKind;
use strongroom::vault::repository::Repository;
use strongroom::vault::snapshot::Snapshot;
use strongroom::vault::tree::{Content, Metadata, Node, Time, Tree};
use strongroom::vault::writer::write_packs;

/// What is to be stored.
pub struct Forged {
    blobs: Vec<(BlobKind, Vec<u8>)>,
}

impl Forged {
    pub const fn new() -> Self {
        Self { blobs: Vec::new() }
    }

    pub fn chunk(&mut self, bytes: &[u8]) -> Id {
        self.blob(BlobKind::Data, bytes.to_vec())
    }

    /// Its nodes stay in the order that they have here.
    pub fn tree(&mut self, nodes: Vec<Node>) -> Id {
        self.blob(BlobKind::Tree, Tree { nodes }.to_bytes())
    }

    /// Any text for a tree.
    pub fn blob(&mut self, kind: BlobKind, bytes: Vec<u8>) -> Id {
        let id = Id::of(&bytes);
        self.blobs.push((kind, bytes));
        id
    }

    /// A file of one chunk.
    pub fn file(&mut self, name: &[u8], bytes: &[u8]) -> Node {
        let chunks = vec![self.chunk(bytes)];
        node(name, Content::File { size_bytes: bytes.len() as u64, chunks })
    }

    /// A folder with these in it.
    pub fn folder(&mut self, name: &[u8], nodes: Vec<Node>) -> Node {
        let tree = self.tree(nodes);
        node(name, Content::Folder { tree: Some(tree) })
    }

    /// Makes a repository with one snapshot of this tree.
    pub fn store(&self, at: PathBuf, password: &str, root: Id) {
        let location = Location::parse(&at).expect("a folder");
        let place = || open(&location, &Options::default()).expect("a place");
        let password = Password::new(password);
        let repository = Repository::init(place(), &password, Version::Two, Maker::default()).expect("a repository");
        let key = place().read(Name::Of(Kind::Key, repository.key()), None).expect("the key");
        let master = KeyFile::parse(&key, &repository.key()).and_then(|key| key.open(&password)).expect("it opens");
        let sealer = Sealer::new(&master);
        let stored = write_packs(&repository, None, |writer| {
            self.blobs.iter().try_for_each(|(kind, bytes)| writer.push(*kind, Id::of(bytes), &sealer.seal(bytes), None))
        });
        stored.expect("they are stored");
        let text = format!(r#"{{"time":"2026-11-26T12:00:00Z","tree":"{root}","hostname":"evil","paths":["/"]}}"#);
        let snapshot = Snapshot::parse(text.as_bytes(), &root).expect("a snapshot");
        repository.save_file(Kind::Snapshot, &snapshot.to_bytes()).expect("it is stored");
    }
}

pub fn node(name: &[u8], content: Content) -> Node {
    let modified = Time { seconds: 1_000_000_000, nanos: 123_456_789 };
    let mode = if matches!(content, Content::Folder { .. }) { 0o755 } else { 0o644 };
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let metadata = Metadata { mode, modified, accessed: modified, uid, gid, links: 1, ..Metadata::default() };
    Node { name: name.to_vec(), content, metadata }
}

pub fn symlink(name: &[u8], target: impl AsRef<Path>) -> Node {
    use std::os::unix::ffi::OsStrExt as _;
    node(name, Content::Symlink { target: target.as_ref().as_os_str().as_bytes().to_vec() })
}

/// One more name for what has this inode number.
pub fn linked(mut node: Node, inode: u64) -> Node {
    (node.metadata.inode, node.metadata.device_id, node.metadata.links) = (inode, 1, 2);
    node
}

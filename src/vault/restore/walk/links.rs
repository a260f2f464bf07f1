//! Further names of files, symlinks, devices and FIFOs: entries with the same device and inode number in one backup.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::vault::id::Id;
use crate::vault::restore::records::Records;
use crate::vault::tree::{Content, Metadata, Node};

/// Names that are given once the files are whole.
#[derive(Default)]
pub(in crate::vault::restore) struct Links {
    /// The first name of each file.
    firsts: HashMap<FileKey, Name>,
    /// The further names, and with the same number what they are names of.
    pub names: Records,
    pub targets: Vec<Name>,
    /// Folder and first name of each entry that is no file: those are made at once.
    specials: HashMap<FileKey, (u32, Vec<u8>)>,
}

/// A file, told from others also by what is in it: numbers of a file that was removed are used again.
#[derive(PartialEq, Eq, Hash)]
struct FileKey {
    device: u64,
    inode: u64,
    content: u64,
}

/// A name in a folder.
#[derive(Clone, Copy)]
pub(in crate::vault::restore) enum Name {
    /// Of a file that is filled.
    Filled(u32),
    /// Of a file that is there and stays; the number is that of a record in `names`.
    Kept(u32),
}

impl Links {
    /// What this is a further name of; nothing for the first name of a file, which has to be told by [`Self::is_first`].
    pub(super) fn first(&self, node: &Node, chunks: &[Id]) -> Option<Name> {
        self.firsts.get(&FileKey::of(node, chunks)?).copied()
    }

    pub(super) fn is_first(&mut self, node: &Node, chunks: &[Id], name: Name) {
        if let Some(key) = FileKey::of(node, chunks) {
            self.firsts.insert(key, name);
        }
    }

    /// Where the first name is of what this is a further name of; it is no file.
    pub(super) fn first_special(&self, node: &Node) -> Option<(u32, &[u8])> {
        let (folder, name) = self.specials.get(&FileKey::of(node, &[])?)?;
        Some((*folder, name))
    }

    pub(super) fn is_first_special(&mut self, node: &Node, folder: u32) {
        if let Some(key) = FileKey::of(node, &[]) {
            self.specials.insert(key, (folder, node.name.clone()));
        }
    }

    pub(super) fn kept(&mut self, folder: u32, name: &[u8], metadata: &Metadata) -> Name {
        // It has no target of its own.
        self.push(folder, name, metadata, None)
    }

    pub(super) fn add(&mut self, folder: u32, name: &[u8], metadata: &Metadata, first: Name) {
        self.push(folder, name, metadata, Some(first));
    }

    fn push(&mut self, folder: u32, name: &[u8], metadata: &Metadata, target: Option<Name>) -> Name {
        let number = self.names.push(folder, name, metadata);
        self.targets.push(target.unwrap_or(Name::Kept(number)));
        Name::Kept(number)
    }
}

impl FileKey {
    fn of(node: &Node, chunks: &[Id]) -> Option<Self> {
        let Metadata { device_id: device, inode, links, .. } = node.metadata;
        (links > 1).then(|| {
            let mut hasher = DefaultHasher::new();
            (chunks, node.size_bytes()).hash(&mut hasher);
            match &node.content {
                Content::Symlink { target } => target.hash(&mut hasher),
                Content::BlockDevice { device } => ("block", device).hash(&mut hasher),
                Content::CharDevice { device } => ("character", device).hash(&mut hasher),
                _ => {}
            }
            Self { device, inode, content: hasher.finish() }
        })
    }
}

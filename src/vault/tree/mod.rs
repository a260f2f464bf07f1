//! A folder as a backup keeps it: its entries in the order of their names (as bytes), each with metadata and, for a file, the ids of its
//! chunks, for a folder the id of its own tree. The text form is restic's (`doc/design.rst`, "Trees and Data"); what belongs to another
//! system than Linux (`generic_attributes`) is not kept.

mod json;
mod mode;
mod quote;
#[cfg(test)]
mod tests;

use super::error::Error;
use super::id::Id;

/// The entries of one folder.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tree {
    /// In the order of their names, none twice.
    pub nodes: Vec<Node>,
}

/// One entry of a folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node {
    /// One path segment, any bytes but `/` and NUL. A tree that somebody made may hold others: who writes files checks it.
    pub name: Vec<u8>,
    pub content: Content,
    pub metadata: Metadata,
}

/// What an entry is, and what is in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Content {
    File {
        size_bytes: u64,
        chunks: Vec<Id>,
    },
    /// Without a tree where it could not be read.
    Folder {
        tree: Option<Id>,
    },
    Symlink {
        target: Vec<u8>,
    },
    /// A device and its `st_rdev`.
    BlockDevice {
        device: u64,
    },
    CharDevice {
        device: u64,
    },
    Fifo,
    Socket,
    /// A kind that this version does not know, by its name.
    Other(String),
}

/// What is kept beside the bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Metadata {
    /// The twelve lowest bits of `st_mode`: permissions, setuid, setgid, sticky.
    pub mode: u32,
    pub modified: Time,
    pub accessed: Time,
    pub changed: Time,
    pub uid: u32,
    pub gid: u32,
    /// Empty where the number has no name.
    pub user: String,
    pub group: String,
    pub inode: u64,
    /// `st_dev`, and only where there is more than one link: with `inode` it says which names are the same file.
    pub device_id: u64,
    pub links: u64,
    /// In the order of their names. ACLs are among them, as `system.posix_acl_access` and `…_default`.
    pub xattrs: Vec<Xattr>,
}

/// An extended attribute.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Xattr {
    pub name: Vec<u8>,
    pub value: Vec<u8>,
}

/// Seconds since 1970 and nanoseconds (0 to 999,999,999) after them. Years before 0 or after 9999 are written as the nearest that the
/// format has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Time {
    pub seconds: i64,
    pub nanos: u32,
}

impl Tree {
    /// The text whose SHA-256 is the tree's id. The same entries give the same text.
    pub fn to_bytes(&self) -> Vec<u8> {
        json::to_bytes(self)
    }

    /// [`Error::Damaged`] where it is not the text of a tree; `id` is for that error alone.
    pub fn parse(bytes: &[u8], id: &Id) -> Result<Self, Error> {
        json::parse(bytes).map_err(|error| Error::damaged(format!("tree {}", id.short()), error.to_string()))
    }

    /// The entry of this name.
    pub fn find(&self, name: &[u8]) -> Option<&Node> {
        let found = self.nodes.binary_search_by(|node| node.name.as_slice().cmp(name)).ok();
        // A foreign tree may have another order.
        found.map(|at| &self.nodes[at]).or_else(|| self.nodes.iter().find(|node| node.name == name))
    }
}

impl Node {
    pub const fn is_folder(&self) -> bool {
        matches!(self.content, Content::Folder { .. })
    }

    /// Makes it a file of these bytes and chunks.
    pub fn set_file(&mut self, size_bytes: u64, chunks: Vec<Id>) {
        self.content = Content::File { size_bytes, chunks };
    }

    /// The bytes of a file, 0 of everything else.
    pub const fn size_bytes(&self) -> u64 {
        match &self.content {
            Content::File { size_bytes, .. } => *size_bytes,
            _ => 0,
        }
    }
}

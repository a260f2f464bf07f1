//! What tells that a file has changed: while it was read, or since the last backup.

use rustix::fs::Stat;

use super::metadata::time;
use crate::vault::tree::{Content, Node, Time};

/// A file at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    pub size_bytes: u64,
    pub modified: Time,
    pub changed: Time,
    pub inode: u64,
}

/// What may differ in a file that counts as unchanged all the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ignored {
    /// The time at which the inode changed: for file systems that do not keep it well. Changed modes and owners set it, too.
    pub ctime: bool,
    /// The inode's number: for file systems that give new ones at every mount.
    pub inode: bool,
}

impl Stamp {
    pub fn of(stat: &Stat) -> Self {
        Self {
            size_bytes: u64::try_from(stat.st_size).unwrap_or_default(),
            modified: time(stat.st_mtime, stat.st_mtime_nsec),
            changed: time(stat.st_ctime, stat.st_ctime_nsec),
            inode: stat.st_ino,
        }
    }

    /// The stamp under which a backup keeps a file; `None` for every other kind.
    pub const fn of_node(node: &Node) -> Option<Self> {
        let Content::File { size_bytes, .. } = node.content else { return None };
        let metadata = &node.metadata;
        Some(Self { size_bytes, modified: metadata.modified, changed: metadata.changed, inode: metadata.inode })
    }

    /// Whether the contents that an earlier backup has of the file are what a reader would find now.
    pub fn is_unchanged_since(&self, earlier: &Node, ignored: Ignored) -> bool {
        Self::of_node(earlier).is_some_and(|earlier| {
            self.size_bytes == earlier.size_bytes
                && self.modified == earlier.modified
                && (ignored.ctime || self.changed == earlier.changed)
                && (ignored.inode || self.inode == earlier.inode)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::tree::Metadata;

    #[test]
    fn a_file_is_unchanged_when_size_times_and_inode_are() {
        let at = |seconds| Time { seconds, nanos: 0 };
        let metadata = Metadata { modified: at(1), changed: at(2), inode: 3, ..Metadata::default() };
        let node = Node { name: b"f".to_vec(), content: Content::File { size_bytes: 4, chunks: Vec::new() }, metadata };
        let stamp = Stamp::of_node(&node).expect("it is a file");
        let plain = Ignored::default();
        assert!(stamp.is_unchanged_since(&node, plain));
        assert!(!Stamp { size_bytes: 5, ..stamp }.is_unchanged_since(&node, Ignored { ctime: true, inode: true }));
        assert!(!Stamp { modified: at(9), ..stamp }.is_unchanged_since(&node, Ignored { ctime: true, inode: true }));
        let (changed, moved) = (Stamp { changed: at(9), ..stamp }, Stamp { inode: 9, ..stamp });
        for (stamp, ignored) in [(changed, Ignored { ctime: true, inode: false }), (moved, Ignored { ctime: false, inode: true })] {
            assert!(!stamp.is_unchanged_since(&node, plain) && stamp.is_unchanged_since(&node, ignored));
            assert!(!stamp.is_unchanged_since(&node, Ignored { ctime: !ignored.ctime, inode: !ignored.inode }));
        }
        assert!(!stamp.is_unchanged_since(&Node { content: Content::Fifo, ..node }, plain), "another kind is a change");
    }
}

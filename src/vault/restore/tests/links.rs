//! Several names of what is no file.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::stored::{Stored, folder, linked, node, symlink};
use super::{lines, restored};
use crate::vault::tree::{Content, Node};

fn renamed(node: &Node, name: &[u8]) -> Node {
    Node { name: name.to_vec(), ..node.clone() }
}

fn inode(path: &Path) -> (u64, u64) {
    let metadata = path.symlink_metadata().unwrap();
    (metadata.ino(), metadata.nlink())
}

#[test]
fn symlinks_and_fifos_with_several_names_come_back_as_one_each() {
    let (target, mut stored) = (tempfile::tempdir().unwrap(), Stored::new());
    let (leads, fifo) = (linked(symlink(b"a", b"nowhere"), 5), linked(node(b"fifo", Content::Fifo), 6));
    // The number was given to another one while the backup ran.
    let other = linked(symlink(b"other", b"elsewhere"), 5);
    let below = stored.tree(vec![renamed(&leads, b"b"), renamed(&fifo, b"pipe")]);
    let tree = stored.tree(vec![leads, fifo, folder(b"folder", below), other]);
    let at = |name: &str| target.path().join(name);
    // The second time over what is there.
    for _ in 0..2 {
        let report = restored(&stored, tree, target.path());
        assert!(report.is_complete(), "{:?}", lines(&report));
        assert_eq!(report.others, 5);
        for (one, further) in [("a", "folder/b"), ("fifo", "folder/pipe")] {
            assert_eq!(inode(&at(one)), inode(&at(further)), "{one}");
            assert_eq!(inode(&at(one)).1, 2);
        }
        assert_eq!(
            (std::fs::read_link(at("folder/b")).unwrap(), std::fs::read_link(at("other")).unwrap()),
            ("nowhere".into(), "elsewhere".into())
        );
        assert_eq!(inode(&at("other")).1, 1);
    }
}

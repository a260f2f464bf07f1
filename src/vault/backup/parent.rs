//! The snapshot before: what a file was then. Whatever of it cannot be read is as if it were not there; then files are read again.

use std::sync::Mutex;

use crate::vault::id::Id;
use crate::vault::index::Index;
use crate::vault::pack::BlobKind;
use crate::vault::repository::Repository;
use crate::vault::tree::{Content, Node, Tree};
use crate::vault::tree_reader::TreeReader;

/// The parent's folders on the way to where the walk is.
pub(super) struct Parent<'a> {
    reader: TreeReader<'a>,
    index: &'a Mutex<Index>,
    /// The innermost last.
    folders: Vec<Option<(Id, Tree)>>,
}

impl<'a> Parent<'a> {
    /// `root` is the parent's tree; `None` where there is no parent.
    pub(super) fn new(repository: &'a Repository, index: &'a Mutex<Index>, root: Option<Id>) -> Self {
        let mut parent = Self { reader: TreeReader::new(repository), index, folders: Vec::new() };
        let root = root.and_then(|id| parent.read(id));
        parent.folders.push(root);
        parent
    }

    pub(super) fn enter(&mut self, name: &[u8]) {
        let tree = self.find(name).and_then(|node| match node.content {
            Content::Folder { tree } => tree,
            _ => None,
        });
        let folder = tree.and_then(|id| self.read(id));
        self.folders.push(folder);
    }

    /// The tree that the folder had which ends now.
    pub(super) fn leave(&mut self) -> Option<Id> {
        self.folders.pop().flatten().map(|(id, _)| id)
    }

    /// What was in this folder under this name.
    pub(super) fn find(&self, name: &[u8]) -> Option<&Node> {
        self.folders.last()?.as_ref()?.1.find(name)
    }

    fn read(&mut self, id: Id) -> Option<(Id, Tree)> {
        let place = self.index.lock().expect("nothing panics while it holds the index").find(BlobKind::Tree, id)?;
        Some((id, self.reader.read(&place).ok()?))
    }
}

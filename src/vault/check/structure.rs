//! Whether all that snapshots need is in the index, and every tree can be read.

use super::Check;
use super::findings::Findings;
use super::report::What;
use crate::vault::error::Error;
use crate::vault::id::Id;
use crate::vault::pack::BlobKind;
use crate::vault::reachable::visit_trees;
use crate::vault::tree::{Content, Node, Tree};

impl Check<'_> {
    /// Reads every tree of every snapshot once.
    pub(super) fn read_trees(&self) -> Result<(), Error> {
        let roots = self.snapshots.iter().map(|stored| stored.snapshot.tree);
        visit_trees(self.repository, &self.index, roots, self.cancel, self.progress, |id, tree| {
            match tree {
                Ok(tree) => self.check_tree(id, tree),
                Err(Error::Damaged { what, why }) => {
                    self.findings.problem(What::Tree(id), format!("{what}: {why}"));
                    self.mark_bad(self.index.numbers(BlobKind::Tree, id));
                }
                Err(_) if self.index.find(BlobKind::Tree, id).is_none() => {
                    self.findings.problem(What::Tree(id), "no index names it");
                }
                Err(error) => {
                    self.findings.problem(What::Tree(id), error);
                    self.mark_bad(self.index.numbers(BlobKind::Tree, id));
                }
            }
            Ok(())
        })
    }

    fn check_tree(&self, id: Id, tree: &Tree) {
        Findings::count(&self.findings.trees, 1);
        for node in &tree.nodes {
            if let Some(why) = self.wrong_with(node) {
                self.findings.problem(What::Tree(id), format!("{:?}: {why}", String::from_utf8_lossy(&node.name)));
            }
        }
    }

    fn wrong_with(&self, node: &Node) -> Option<String> {
        match &node.content {
            _ if node.name.is_empty() => Some("it has no name".to_owned()),
            Content::File { chunks, .. } => {
                let missing = chunks.iter().find(|chunk| self.index.find(BlobKind::Data, **chunk).is_none());
                missing.map(|chunk| format!("no index names its chunk {chunk}"))
            }
            Content::Folder { tree: None } => Some("it is a folder without a tree".to_owned()),
            Content::Other(kind) => Some(format!("it is of the kind {kind:?}, which is none")),
            _ => None,
        }
    }
}

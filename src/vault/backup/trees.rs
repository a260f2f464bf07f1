//! From the entries of a walk, in its order, to trees.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use super::job::Pending;
use super::report::Count;
use super::saver::Saver;
use crate::vault::error::Error;
use crate::vault::failure::Failure;
use crate::vault::id::Id;
use crate::vault::pack::BlobKind;
use crate::vault::tree::{Content, Node, Tree};

/// One entry on its way into a tree.
pub(super) enum Entry {
    /// A folder begins.
    Enter,
    /// A folder ends. In the parent snapshot it had this tree.
    Leave { node: Node, before: Option<Id> },
    /// Whole as it is.
    Ready(Node),
    /// A file that is being read. Where another name of it was met before, `further` is the path of this one.
    File { name: Vec<u8>, pending: Arc<Pending>, was_there: bool, further: Option<PathBuf> },
}

/// Takes batches of entries until no more come. The root's tree. What a file has failed with is told by whoever read it, and here for
/// each further name.
pub(super) fn make_trees(entries: Receiver<Vec<Entry>>, saver: &Saver<'_>, fail: &dyn Fn(Failure)) -> Result<(Id, Count), Error> {
    let mut count = Count::default();
    // The innermost folder last.
    let mut folders = vec![Tree::default()];
    for entry in entries.into_iter().flatten() {
        let node = match entry {
            Entry::Enter => {
                folders.push(Tree::default());
                continue;
            }
            Entry::Ready(node) => {
                count_ready(&node, &mut count);
                node
            }
            Entry::File { name, pending, was_there, further } => {
                let node = pending.wait();
                if let Some(path) = further {
                    pending.failures().into_iter().for_each(|failure| fail(Failure { path: path.clone(), ..failure }));
                }
                let Some(node) = node else { continue };
                *if was_there { &mut count.files_changed } else { &mut count.files_new } += 1;
                count.bytes += node.size_bytes();
                Node { name, ..node }
            }
            Entry::Leave { mut node, before } => {
                let tree = save(&folders.pop().expect("a folder that ends has begun"), saver)?;
                *match before {
                    None => &mut count.folders_new,
                    Some(before) if before == tree => &mut count.folders_unmodified,
                    Some(_) => &mut count.folders_changed,
                } += 1;
                node.content = Content::Folder { tree: Some(tree) };
                node
            }
        };
        folders.last_mut().expect("the root never ends").nodes.push(node);
    }
    let root = save(&folders.pop().expect("the root never ends"), saver)?;
    Ok((root, count))
}

fn count_ready(node: &Node, count: &mut Count) {
    if let Content::File { size_bytes, .. } = node.content {
        count.files_unmodified += 1;
        count.bytes += size_bytes;
    } else {
        count.others += 1;
    }
}

fn save(tree: &Tree, saver: &Saver<'_>) -> Result<Id, Error> {
    saver.save(BlobKind::Tree, &tree.to_bytes())
}

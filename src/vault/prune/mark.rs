//! What snapshots use, and which copy of it is kept.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::vault::bits::Bits;
use crate::vault::cancel::Cancel;
use crate::vault::error::Error;
use crate::vault::id::Id;
use crate::vault::index::Index;
use crate::vault::pack::BlobKind;
use crate::vault::pack_table::{Pack, PackTable};
use crate::vault::progress::Progress;
use crate::vault::reachable::visit_trees;
use crate::vault::repository::Repository;
use crate::vault::tree::Content;

/// All entries of the index whose blob a tree below these roots names, roots among them. An error where a tree cannot be read, or the
/// index does not name a blob: it names what is missing.
pub(super) fn mark_used(
    repository: &Repository,
    index: &Index,
    roots: &[Id],
    cancel: &Cancel,
    progress: &dyn Progress,
) -> Result<Bits, Error> {
    let used = Bits::new(index.len());
    // The smallest of those that are missing: the same repository gives the same error.
    let missing: Mutex<Option<Id>> = Mutex::new(None);
    visit_trees(repository, index, roots.iter().copied(), cancel, progress, |id, tree| {
        let missing_tree = |error| match error {
            Error::NotFound(why) => Error::damaged(format!("tree {id}"), format!("a snapshot needs it: {why} is not there")),
            error => error,
        };
        let tree = tree.map_err(missing_tree)?;
        mark(index, &used, BlobKind::Tree, id);
        for node in &tree.nodes {
            let Content::File { chunks, .. } = &node.content else { continue };
            for chunk in chunks {
                if !mark(index, &used, BlobKind::Data, *chunk) {
                    let mut missing = missing.lock().expect("nothing panics while it holds an id");
                    *missing = Some(missing.map_or(*chunk, |other| other.min(*chunk)));
                }
            }
        }
        Ok(())
    })?;
    match missing.into_inner().expect("nothing panics while it holds an id") {
        None => Ok(used),
        Some(chunk) => Err(Error::damaged(format!("chunk {chunk}"), "a snapshot needs it, and no index names it")),
    }
}

/// Marks every copy of a blob; whether there is one.
fn mark(index: &Index, used: &Bits, kind: BlobKind, id: Id) -> bool {
    index.numbers(kind, id).fold(false, |_, number| {
        used.insert(number);
        true
    })
}

/// One copy of each blob that is used: in a pack that is there, and rather in one of which all is used, so that what an interrupted prune
/// has repacked is kept and its source goes. [`Error::Damaged`] where no copy of a blob is there.
pub(super) fn choose_copies(index: &Index, table: &PackTable, used: &Bits, sizes: &HashMap<Id, u64>) -> Result<Bits, Error> {
    let is_there = |pack: &Pack| sizes.get(&pack.id) == Some(&pack.size_bytes);
    let mut packs: Vec<&Pack> = table.packs.iter().filter(|pack| is_there(pack)).collect();
    packs.sort_by_cached_key(|pack| {
        let has_unused = pack.numbers().any(|number| !used.contains(number));
        (has_unused, std::cmp::Reverse(pack.size_bytes), pack.id)
    });
    let chosen = Bits::new(index.len());
    for number in packs.into_iter().flat_map(Pack::numbers).filter(|number| used.contains(*number)) {
        let blob = index.at(number).expect("the table holds entries that have a place").blob;
        if !index.numbers(blob.kind, blob.id).any(|copy| chosen.contains(copy)) {
            chosen.insert(number);
        }
    }
    for pack in table.packs.iter().filter(|pack| !is_there(pack)) {
        for number in pack.numbers().filter(|number| used.contains(*number)) {
            let blob = index.at(number).expect("the table holds entries that have a place").blob;
            if !index.numbers(blob.kind, blob.id).any(|copy| chosen.contains(copy)) {
                let why = if sizes.contains_key(&pack.id) { "it has another size than the index says" } else { "it is not there" };
                return Err(Error::damaged(format!("pack {}", pack.id), format!("{why}, and a snapshot needs blob {}", blob.id)));
            }
        }
    }
    Ok(chosen)
}

//! What a prune will do, and doing it.

use std::collections::{HashMap, HashSet};

use super::decide::{Fate, Options, decide};
use super::mark::{choose_copies, mark_used};
use super::remove_all;
use super::repack::repack;
use super::replace_index::replace;
use crate::vault::backend::Kind;
use crate::vault::bits::Bits;
use crate::vault::cancel::Cancel;
use crate::vault::error::Error;
use crate::vault::id::Id;
use crate::vault::index::Index;
use crate::vault::lock::Guard;
use crate::vault::pack_table::PackTable;
use crate::vault::progress::Progress;
use crate::vault::repository::Repository;
use crate::vault::snapshots::Snapshots;

/// So many, and their bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sum {
    pub count: u64,
    pub bytes: u64,
}

/// What a prune will do. Bytes of blobs are as they are stored.
pub struct Plan {
    /// Blobs that a snapshot uses, one copy of each.
    pub used: Sum,
    /// All others.
    pub unused: Sum,
    pub packs: Sum,
    /// Packs that no index names. They are removed.
    pub orphans: Sum,
    /// Packs of which nothing is used.
    pub remove: Sum,
    /// Packs whose used blobs go into new ones.
    pub repack: Sum,
    /// Blobs that go.
    pub removed_blobs: Sum,
    /// Blobs that nobody uses and that stay.
    pub left_unused: Sum,
    /// Packs that an index names and that are gone; nobody uses a blob of theirs.
    pub lost_packs: u64,
    work: Work,
    lists: Lists,
}

/// What it is done with.
pub(super) struct Work {
    pub(super) index: Index,
    pub(super) table: PackTable,
    /// The copies of blobs that are kept.
    pub(super) chosen: Bits,
    pub(super) repack_uncompressed: bool,
    index_files: Vec<Id>,
}

/// Packs, by what becomes of them.
#[derive(Default)]
struct Lists {
    orphans: Vec<Id>,
    /// Numbers of packs in the table.
    repack: Vec<usize>,
    remove: Vec<Id>,
    lost: Vec<Id>,
    /// Packs that several index files name: an interrupted prune leaves them.
    repeated: HashSet<Id>,
}

impl Sum {
    pub(super) fn add(&mut self, bytes: u64) {
        self.count += 1;
        self.bytes += bytes;
    }
}

/// What a prune would do now. Changes nothing and needs no lock; to be right it must not be overtaken by somebody who writes.
pub fn plan(repository: &Repository, options: &Options, cancel: &Cancel, progress: &dyn Progress) -> Result<Plan, Error> {
    let loaded = repository.load_index(cancel)?;
    if let Some((id, error)) = loaded.failed.into_iter().min_by_key(|(id, _)| *id) {
        // What it names would be taken for what nobody names.
        return Err(Error::damaged(format!("index/{id}"), format!("nothing is pruned before the index is rebuilt ({error})")));
    }
    let mut snapshots = Snapshots::load(repository, cancel)?;
    snapshots.failed.retain(|(id, _)| !options.without.contains(id));
    if let Some((id, error)) = snapshots.failed.into_iter().next() {
        return Err(Error::damaged(format!("snapshot {id}"), format!("nothing is pruned, as nobody knows what it needs ({error})")));
    }
    let kept = snapshots.found.iter().filter(|stored| !options.without.contains(&stored.id));
    let roots: Vec<Id> = kept.map(|stored| stored.snapshot.tree).collect();
    let index = loaded.index;
    let used = mark_used(repository, &index, &roots, cancel, progress)?;
    let listed = repository.backend().list(Kind::Data)?;
    let sizes: HashMap<Id, u64> = listed.into_iter().map(|listed| (listed.id, listed.size_bytes)).collect();
    let table = PackTable::new(&index);
    let chosen = choose_copies(&index, &table, &used, &sizes)?;
    drop(used);
    let fates = decide(&index, &table, &chosen, options, repository.can_compress());
    let (repack_uncompressed, index_files) = (options.repack_uncompressed, loaded.files);
    let mut plan = Plan::nothing(Work { index, table, chosen, repack_uncompressed, index_files });
    plan.lists.repeated = loaded.repeated;
    plan.take(&fates, &sizes);
    Ok(plan)
}

impl Plan {
    fn nothing(work: Work) -> Self {
        let none = Sum::default();
        let (used, unused, packs, orphans, remove, repack) = (none, none, none, none, none, none);
        Self {
            used,
            unused,
            packs,
            orphans,
            remove,
            repack,
            removed_blobs: none,
            left_unused: none,
            lost_packs: 0,
            work,
            lists: Lists::default(),
        }
    }

    fn take(&mut self, fates: &[Fate], sizes: &HashMap<Id, u64>) {
        let Work { index, table, chosen, .. } = &self.work;
        for ((pack, fate), at) in table.packs.iter().zip(fates).zip(0..) {
            for number in pack.numbers() {
                let bytes = u64::from(index.at(number).expect("the table holds entries that have a place").blob.length);
                if chosen.contains(number) {
                    self.used.add(bytes);
                } else {
                    self.unused.add(bytes);
                    if *fate == Fate::Keep { &mut self.left_unused } else { &mut self.removed_blobs }.add(bytes);
                }
            }
            let Some(size_bytes) = sizes.get(&pack.id) else {
                self.lost_packs += 1;
                self.lists.lost.push(pack.id);
                continue;
            };
            self.packs.add(*size_bytes);
            match fate {
                Fate::Keep => {}
                Fate::Repack => {
                    self.repack.add(*size_bytes);
                    self.lists.repack.push(at);
                }
                Fate::Remove => {
                    self.remove.add(*size_bytes);
                    self.lists.remove.push(pack.id);
                }
            }
        }
        for (id, bytes) in sizes.iter().filter(|(id, _)| table.find(**id).is_none()) {
            self.orphans.add(*bytes);
            self.lists.orphans.push(*id);
        }
        self.lists.orphans.sort();
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        let Lists { orphans, repack, remove, lost, repeated } = &self.lists;
        orphans.is_empty() && repack.is_empty() && remove.is_empty() && lost.is_empty() && repeated.is_empty()
    }

    /// Does it. In memory are beside the index what is being repacked, and the new packs' blobs.
    pub(super) fn carry_out(&self, repository: &Repository, guard: &Guard, cancel: &Cancel, progress: &dyn Progress) -> Result<(), Error> {
        let (work, lists) = (&self.work, &self.lists);
        // First, and before anything is written: the place may be full.
        progress.found(self.repack.count, self.repack.bytes);
        remove_all(repository, Kind::Data, &lists.orphans, guard, cancel)?;
        repack(repository, work, &lists.repack, cancel, progress)?;
        let repacked = lists.repack.iter().map(|at| work.table.packs[*at].id);
        let gone: Vec<Id> = repacked.chain(lists.remove.iter().copied()).collect();
        let unnamed: HashSet<Id> = gone.iter().chain(&lists.lost).copied().collect();
        if !(unnamed.is_empty() && lists.repeated.is_empty()) {
            replace(repository, &work.index_files, (&unnamed, &lists.repeated), guard, cancel)?;
        }
        remove_all(repository, Kind::Data, &gone, guard, cancel)
    }
}

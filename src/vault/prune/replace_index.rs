//! New index files for old ones.

use std::collections::HashSet;

use super::remove_all;
use super::repack::BLOBS_OF_INDEX;
use crate::vault::backend::Kind;
use crate::vault::cancel::Cancel;
use crate::vault::error::Error;
use crate::vault::id::Id;
use crate::vault::index::file::{IndexedPack, to_bytes};
use crate::vault::lock::Guard;
use crate::vault::repository::Repository;

/// An index file that names fewer blobs is put together with others, as long as something is replaced anyway.
const SMALL: usize = BLOBS_OF_INDEX / 10;

/// Index files under way.
pub(super) struct IndexWriter<'a> {
    repository: &'a Repository,
    packs: Vec<IndexedPack>,
    blobs: usize,
    /// What it has stored. An index of the same packs is another file each time, so none of these is an old one.
    pub(super) stored: Vec<Id>,
}

/// Replaces those of the index files that name one of `gone` or `repeated`, by files that name the rest, each pack once; all new ones are
/// stored before the first old one is removed.
pub(super) fn replace(
    repository: &Repository,
    files: &[Id],
    (gone, repeated): (&HashSet<Id>, &HashSet<Id>),
    guard: &Guard,
    cancel: &Cancel,
) -> Result<(), Error> {
    let mut writer = IndexWriter::new(repository);
    let mut old = Vec::new();
    // What several files say of a pack is written once.
    let mut seen = HashSet::new();
    for file in files {
        cancel.check()?;
        let mut packs = repository.read_index(*file)?;
        let blobs: usize = packs.iter().map(|(_, blobs)| blobs.len()).sum();
        if blobs >= SMALL && !packs.iter().any(|(pack, _)| gone.contains(pack) || repeated.contains(pack)) {
            continue;
        }
        packs.retain(|pack| !gone.contains(&pack.0) && seen.insert(Id::of(&to_bytes(std::slice::from_ref(pack)))));
        packs.into_iter().try_for_each(|pack| writer.add(pack))?;
        old.push(*file);
    }
    writer.finish()?;
    remove_all(repository, Kind::Index, &old, guard, cancel)
}

impl<'a> IndexWriter<'a> {
    pub(super) const fn new(repository: &'a Repository) -> Self {
        Self { repository, packs: Vec::new(), blobs: 0, stored: Vec::new() }
    }

    pub(super) fn add(&mut self, pack: IndexedPack) -> Result<(), Error> {
        self.blobs += pack.1.len();
        self.packs.push(pack);
        if self.blobs >= BLOBS_OF_INDEX { self.finish() } else { Ok(()) }
    }

    /// Stores what there is.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        if !self.packs.is_empty() {
            self.stored.push(self.repository.save_index(&self.packs)?);
            self.packs.clear();
            self.blobs = 0;
        }
        Ok(())
    }
}

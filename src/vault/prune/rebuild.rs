//! Making the index again from what is there.

use std::collections::HashMap;
use std::sync::Mutex;

use super::remove_all;
use super::replace_index::IndexWriter;
use crate::vault::backend::{Kind, Listed, Name};
use crate::vault::cancel::Cancel;
use crate::vault::error::Error;
use crate::vault::id::Id;
use crate::vault::lock::Guard;
use crate::vault::pack::{PackedBlob, parse_header};
use crate::vault::pack_table::PackTable;
use crate::vault::parallel::for_each;
use crate::vault::repository::Repository;

/// Headers that are read at once.
const READERS: usize = 8;
/// What is read of a pack's end at first: the header of most.
const FIRST_BYTES: u64 = 64 << 10;
/// No header is longer.
const MOST_BYTES: u64 = (16 << 20) + 4;

/// What the new index was made from.
#[derive(Debug, Default)]
pub struct Rebuilt {
    pub packs: u64,
    /// Packs whose header was read, as the old index did not name them, or said something that cannot be.
    pub headers_read: u64,
    /// Packs that were in the old index and are gone.
    pub lost: Vec<Id>,
    /// Packs whose header cannot be read. They stay, and are in the index only as far as the old one knew them and they are as long as
    /// it said.
    pub unreadable: Vec<(Id, Error)>,
    /// Old index files that could not be read. They are gone.
    pub damaged_files: Vec<Id>,
}

/// Replaces all index files by new ones that name what is there. Headers are read where the old index does not fit, or of all packs.
/// Old files are removed after all new ones are stored.
///
/// # Panics
/// Where the lock is a shared one.
pub fn rebuild_index(repository: &Repository, guard: &Guard, reads_all: bool, cancel: &Cancel) -> Result<Rebuilt, Error> {
    assert!(guard.is_exclusive(), "the index is rebuilt under an exclusive lock");
    let old_files = repository.backend().list(Kind::Index)?;
    let loaded = repository.load_index(cancel)?;
    let table = PackTable::new(&loaded.index);
    let listed = repository.backend().list(Kind::Data)?;
    let sizes: HashMap<Id, u64> = listed.iter().map(|listed| (listed.id, listed.size_bytes)).collect();
    let fits = |pack: &Listed| table.find(pack.id).is_some_and(|known| known.size_bytes == pack.size_bytes && known.len() > 0);
    let to_read: Vec<Listed> = listed.iter().copied().filter(|pack| reads_all || !fits(pack)).collect();

    let result = Mutex::new((Rebuilt::default(), HashMap::<Id, Vec<PackedBlob>>::new()));
    for_each(&to_read, READERS, |pack| {
        cancel.check()?;
        let read = read_header(repository, pack);
        let mut result = result.lock().expect("nothing panics while it holds a list");
        match read {
            Ok(blobs) => drop(result.1.insert(pack.id, blobs)),
            Err(error @ (Error::Damaged { .. } | Error::NotFound(_))) => result.0.unreadable.push((pack.id, error)),
            Err(error) => return Err(error),
        }
        Ok(())
    })?;
    let (mut rebuilt, mut read) = result.into_inner().expect("nothing panics while it holds a list");

    let mut writer = IndexWriter::new(repository);
    for pack in &listed {
        cancel.check()?;
        let known = table.find(pack.id).filter(|_| fits(pack)).map(|known| known.blobs(&loaded.index));
        let known = known.map(|blobs| blobs.into_iter().map(|(_, blob)| blob).collect());
        if let Some(blobs) = read.remove(&pack.id).or(known) {
            rebuilt.packs += 1;
            writer.add((pack.id, blobs))?;
        }
    }
    writer.finish()?;
    let old: Vec<Id> = old_files.into_iter().map(|listed| listed.id).collect();
    remove_all(repository, Kind::Index, &old, guard, cancel)?;

    rebuilt.headers_read = (to_read.len() - rebuilt.unreadable.len()) as u64;
    rebuilt.lost = table.packs.iter().map(|pack| pack.id).filter(|id| !sizes.contains_key(id)).collect();
    rebuilt.unreadable.sort_by_key(|(id, _)| *id);
    rebuilt.damaged_files = loaded.failed.into_iter().map(|(id, _)| id).collect();
    Ok(rebuilt)
}

fn read_header(repository: &Repository, pack: &Listed) -> Result<Vec<PackedBlob>, Error> {
    let name = Name::Of(Kind::Data, pack.id);
    let read_end = |bytes: u64| repository.backend().read(name, Some(pack.size_bytes.saturating_sub(bytes)..pack.size_bytes));
    let mut end = read_end(FIRST_BYTES)?;
    if let Some(last) = end.last_chunk::<4>() {
        let needed = u64::from(u32::from_le_bytes(*last)) + 4;
        if needed > end.len() as u64 && needed <= pack.size_bytes.min(MOST_BYTES) {
            end = read_end(needed)?;
        }
    }
    let damaged = |why| Error::damaged(format!("pack {}", pack.id), why);
    parse_header(&end, pack.size_bytes, repository.sealer()).map_err(damaged)
}

//! Putting what is used of packs into new ones.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::plan::Work;
use crate::vault::backend::{Kind, Name};
use crate::vault::cancel::Cancel;
use crate::vault::compression::{Compression, compress, compress_into};
use crate::vault::error::Error;
use crate::vault::id::Id;
use crate::vault::index::Place;
use crate::vault::index::file::IndexedPack;
use crate::vault::pack::{BlobKind, Builder, PackedBlob};
use crate::vault::pack_table::Pack;
use crate::vault::parallel::{Allowance, for_each};
use crate::vault::progress::Progress;
use crate::vault::repository::Repository;

/// Packs that are read at once, and their bytes.
const READERS: usize = 3;
const READ_BYTES: u64 = 48 << 20;
/// New packs are put into an index file when they hold so many blobs: what was done until then is not lost.
pub(super) const BLOBS_OF_INDEX: usize = 50_000;

/// New packs, while they are made.
struct Packer<'a> {
    repository: &'a Repository,
    open: Mutex<[Builder; 2]>,
    stored: Mutex<Vec<IndexedPack>>,
    copied: AtomicU64,
}

/// A blob of a pack, verified.
struct Copied<'a> {
    id: Id,
    kind: BlobKind,
    raw_length: Option<u32>,
    sealed: std::borrow::Cow<'a, [u8]>,
}

/// Stores the chosen blobs of these packs in new packs, and those in index files: all stored when this returns. Each blob is verified
/// first; a damaged one that has no good copy is [`Error::Damaged`] and ends it.
pub(super) fn repack(repository: &Repository, work: &Work, packs: &[usize], cancel: &Cancel, progress: &dyn Progress) -> Result<(), Error> {
    let open = Mutex::new([Builder::new(BlobKind::Data), Builder::new(BlobKind::Tree)]);
    let packer = Packer { repository, open, stored: Mutex::default(), copied: AtomicU64::new(0) };
    let allowance = Allowance::new(READ_BYTES);
    for_each(packs, READERS, |at| {
        cancel.check()?;
        let pack = &work.table.packs[*at];
        let _taken = allowance.take(pack.size_bytes);
        let bytes = repository.backend().read(Name::Of(Kind::Data, pack.id), None)?;
        let chosen = pack.blobs(&work.index).into_iter().filter(|(number, _)| work.chosen.contains(*number));
        let copies = chosen.map(|(_, blob)| copy(repository, work, Place { pack: pack.id, blob }, &bytes));
        packer.add(&copies.collect::<Result<Vec<_>, _>>()?)?;
        progress.did(1, pack.size_bytes);
        Ok(())
    })?;
    packer.finish()?;
    let expected = packs.iter().flat_map(|at| Pack::numbers(&work.table.packs[*at])).filter(|number| work.chosen.contains(*number)).count();
    // Nothing is removed on the word of a program that has miscounted.
    assert_eq!(packer.copied.into_inner(), expected as u64, "every chosen blob is copied once");
    Ok(())
}

/// A blob as it goes into the new pack: as it is, or compressed where it must be.
fn copy<'a>(repository: &Repository, work: &Work, place: Place, pack: &'a [u8]) -> Result<Copied<'a>, Error> {
    let PackedBlob { kind, id, offset, length, raw_length } = place.blob;
    let sealed = pack.get(offset as usize..offset as usize + length as usize);
    let sealed = sealed.ok_or_else(|| Error::damaged(format!("pack {}", place.pack), "it ends too early"))?;
    match repository.open_blob(&mut sealed.to_vec(), &place, &mut Vec::new()) {
        Ok(plain) => {
            let must_compress = repository.can_compress() && raw_length.is_none() && (kind == BlobKind::Tree || work.repack_uncompressed);
            if must_compress {
                return Ok(resealed(repository, (kind, id), plain));
            }
            Ok(Copied { id, kind, raw_length, sealed: sealed.into() })
        }
        Err(error) => match repository.read_blob(&work.index, kind, id) {
            Ok(plain) => Ok(resealed(repository, (kind, id), &plain)),
            Err(Error::Damaged { .. } | Error::NotFound(_)) => Err(error),
            Err(error) => Err(error),
        },
    }
}

/// A blob sealed anew, compressed where the repository can and it helps.
fn resealed(repository: &Repository, (kind, id): (BlobKind, Id), plain: &[u8]) -> Copied<'static> {
    let sealer = repository.sealer();
    if repository.can_compress() && !plain.is_empty() {
        let compressed = match (kind, Compression::Auto.level()) {
            (BlobKind::Data, Some(level)) => {
                let mut compressed = Vec::new();
                compress_into(plain, level, &mut compressed);
                compressed
            }
            _ => compress(plain),
        };
        // A tree that is stored plain would be repacked by every restic; a chunk that does not shrink would be, too, where that was
        // asked for.
        let raw_length = u32::try_from(plain.len()).expect("a blob is shorter than 4 GiB");
        return Copied { id, kind, raw_length: Some(raw_length), sealed: sealer.seal(&compressed).into() };
    }
    Copied { id, kind, raw_length: None, sealed: sealer.seal(plain).into() }
}

impl Packer<'_> {
    /// Takes blobs of one pack, which stay together.
    fn add(&self, copies: &[Copied<'_>]) -> Result<(), Error> {
        let mut full = Vec::new();
        {
            let mut open = self.open.lock().expect("nothing panics while it holds a pack");
            for copy in copies {
                let builder = &mut open[usize::from(copy.kind == BlobKind::Tree)];
                builder.push(copy.id, &copy.sealed, copy.raw_length);
                if builder.is_full() {
                    full.push(std::mem::replace(builder, Builder::new(copy.kind)));
                }
            }
        }
        self.copied.fetch_add(copies.len() as u64, Ordering::Relaxed);
        full.into_iter().try_for_each(|builder| self.store(builder))
    }

    fn store(&self, builder: Builder) -> Result<(), Error> {
        let pack = builder.finish(self.repository.sealer());
        let id = Id::of(&pack.bytes);
        self.repository.backend().save(Name::Of(Kind::Data, id), pack.bytes)?;
        let mut stored = self.stored.lock().expect("nothing panics while it holds a list");
        stored.push((id, pack.blobs));
        let is_enough = stored.iter().map(|(_, blobs)| blobs.len()).sum::<usize>() >= BLOBS_OF_INDEX;
        let full = if is_enough { std::mem::take(&mut *stored) } else { Vec::new() };
        drop(stored);
        if is_enough { self.repository.save_index(&full).map(drop) } else { Ok(()) }
    }

    fn finish(&self) -> Result<(), Error> {
        let open = std::mem::replace(
            &mut *self.open.lock().expect("nothing panics while it holds a pack"),
            [Builder::new(BlobKind::Data), Builder::new(BlobKind::Tree)],
        );
        open.into_iter().filter(|builder| !builder.is_empty()).try_for_each(|builder| self.store(builder))?;
        let stored = std::mem::take(&mut *self.stored.lock().expect("nothing panics while it holds a list"));
        if stored.is_empty() { Ok(()) } else { self.repository.save_index(&stored).map(drop) }
    }
}

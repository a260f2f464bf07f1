//! Reading packs: their SHA-256, their header, and every blob.

use super::findings::Findings;
use super::report::What;
use super::{Check, Read};
use crate::vault::backend::{Kind, Name};
use crate::vault::error::Error;
use crate::vault::id::Id;
use crate::vault::index::Place;
use crate::vault::pack::{PackedBlob, parse_header};
use crate::vault::pack_table::Pack;
use crate::vault::parallel::{Allowance, for_each};

/// Packs that are read at once, and their bytes.
const READERS: usize = 4;
const READ_BYTES: u64 = 96 << 20;
/// Of one pack no more is told.
const MOST_REASONS: usize = 10;

impl Check<'_> {
    /// The packs that are to be read, which the progress is told.
    pub(super) fn chosen(&self, read: Read) -> Vec<&Pack> {
        let packs: Vec<&Pack> = self.table.packs.iter().collect();
        let chosen = match read {
            Read::Nothing => Vec::new(),
            Read::All => packs,
            Read::Some(subset) => subset.of(packs),
        };
        self.progress.found(chosen.len() as u64, chosen.iter().map(|pack| pack.size_bytes).sum());
        chosen
    }

    /// Reads packs, each once.
    pub(super) fn read_packs(&self, chosen: &[&Pack]) -> Result<(), Error> {
        let allowance = Allowance::new(READ_BYTES);
        for_each(chosen, READERS, |pack| {
            self.cancel.check()?;
            let _taken = allowance.take(pack.size_bytes);
            self.read_pack(pack)?;
            self.progress.did(1, pack.size_bytes);
            Ok(())
        })
    }

    fn read_pack(&self, pack: &Pack) -> Result<(), Error> {
        let bytes = match self.repository.backend().read(Name::Of(Kind::Data, pack.id), None) {
            Ok(bytes) => bytes,
            // Told when names were compared, but for one that went since.
            Err(Error::NotFound(_)) => {
                if self.mark_bad(pack.numbers()) {
                    self.findings.problem(What::Pack(pack.id), "it went while it was checked");
                }
                return Ok(());
            }
            Err(Error::Damaged { why, .. }) => {
                self.mark_bad(pack.numbers());
                self.findings.problem(What::Pack(pack.id), why);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        Findings::count(&self.findings.packs_read, 1);
        Findings::count(&self.findings.bytes_read, bytes.len() as u64);
        let blobs = pack.blobs(&self.index);
        let mut reasons = Vec::new();
        if Id::of(&bytes) != pack.id {
            reasons.push("its SHA-256 is not its name".to_owned());
        }
        match parse_header(&bytes, bytes.len() as u64, self.repository.sealer()) {
            Err(why) => reasons.push(why.to_owned()),
            Ok(header) if !is_same(&header, &blobs) => reasons.push("the index says something else of it than its header".to_owned()),
            Ok(_) => {}
        }
        let mut rooms = Rooms::default();
        for (number, blob) in blobs {
            if let Err(error) = self.open(&bytes, Place { pack: pack.id, blob }, &mut rooms) {
                self.bad.insert(number);
                reasons.push(error.to_string());
            }
        }
        if reasons.len() > MOST_REASONS {
            let more = reasons.len() - MOST_REASONS;
            reasons.truncate(MOST_REASONS);
            reasons.push(format!("and {more} more"));
        }
        if !reasons.is_empty() {
            self.findings.problem(What::Pack(pack.id), reasons.join("; "));
        }
        Ok(())
    }

    fn open(&self, pack: &[u8], place: Place, rooms: &mut Rooms) -> Result<(), Error> {
        let start = place.blob.offset as usize;
        let sealed = pack.get(start..start + place.blob.length as usize);
        let sealed = sealed.ok_or_else(|| Error::damaged(format!("blob {}", place.blob.id.short()), "it lies beyond the pack's end"))?;
        rooms.sealed.clear();
        rooms.sealed.extend_from_slice(sealed);
        self.repository.open_blob(&mut rooms.sealed, &place, &mut rooms.plain).map(drop)
    }
}

/// Memory for the blobs of a pack, one after the other.
#[derive(Default)]
struct Rooms {
    sealed: Vec<u8>,
    plain: Vec<u8>,
}

/// Whether header and index name the same blobs at the same places: both are in the order of their offsets.
fn is_same(header: &[PackedBlob], index: &[(u32, PackedBlob)]) -> bool {
    header.iter().eq(index.iter().map(|(_, blob)| blob))
}

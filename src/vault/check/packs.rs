//! Whether the packs that the index names are the ones that are there.

use std::collections::HashMap;

use super::Check;
use super::report::What;
use crate::vault::backend::Kind;
use crate::vault::error::Error;
use crate::vault::id::Id;
use crate::vault::pack_table::Pack;

impl Check<'_> {
    /// Compares names and sizes. What cannot be where the index says is bad from here on.
    pub(super) fn compare_packs(&self) -> Result<(), Error> {
        let listed = self.repository.backend().list(Kind::Data)?;
        let sizes: HashMap<Id, u64> = listed.into_iter().map(|listed| (listed.id, listed.size_bytes)).collect();
        for pack in &self.table.packs {
            self.cancel.check()?;
            match sizes.get(&pack.id) {
                None => self.findings.problem(What::Pack(pack.id), "it is not there"),
                Some(size) if *size != pack.size_bytes => {
                    let must = pack.size_bytes;
                    self.findings.problem(What::Pack(pack.id), format!("it has {size} bytes, by the index it must have {must}"));
                }
                Some(_) => {}
            }
            self.mark_beyond(pack, sizes.get(&pack.id).copied().unwrap_or_default());
        }
        let mut orphans: Vec<Id> = sizes.into_keys().filter(|id| self.table.find(*id).is_none()).collect();
        orphans.sort();
        let mixed = self.table.packs.iter().filter(|pack| pack.has_data && pack.has_trees).map(|pack| pack.id).collect();
        self.findings.note(|report| {
            report.packs = self.table.packs.len() as u64;
            report.mixed_packs = mixed;
            report.orphans = orphans;
        });
        Ok(())
    }

    fn mark_beyond(&self, pack: &Pack, size_bytes: u64) {
        if size_bytes >= pack.size_bytes {
            return;
        }
        for (number, blob) in pack.blobs(&self.index) {
            if u64::from(blob.offset) + u64::from(blob.length) > size_bytes {
                self.bad.insert(number);
            }
        }
    }
}

//! What a run that is killed leaves behind.

use crate::vault::error::Error;
use crate::vault::id::Id;
use crate::vault::pack::BlobKind;
use crate::vault::testing::Vault;
use crate::vault::writer::write_packs;

#[test]
fn whoever_is_killed_has_an_index_of_most_of_what_it_stored() {
    let vault = Vault::new();
    let id = |number: u32| Id::of(&number.to_le_bytes());
    // Seven packs of up to 10,000 blobs, an index meanwhile, and then nothing more: not the one that ends a run.
    vault.place.die_after(7 + 1, false);
    let outcome = write_packs(&vault.repository, None, |writer| {
        (0..65_000).try_for_each(|number: u32| {
            let sealed = vault.repository.sealer().seal(&number.to_le_bytes());
            writer.push(BlobKind::Data, id(number), &sealed, None)
        })
    });
    assert!(matches!(outcome, Err(Error::Unavailable { .. })), "{:?}", outcome.map(drop));
    vault.place.revive();
    let index = vault.index();
    let known = (0..65_000).filter(|number| index.has(BlobKind::Data, id(*number))).count();
    assert!((50_000..65_000).contains(&known), "{known}");
}

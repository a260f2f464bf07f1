//! Changing the passphrase. The new one is kept beside the old one first; then each generation gets a key that the new one opens, is opened
//! with it, and only then loses the key of the old one. The old one is dropped when the server has acknowledged that.
//!
//! After a cut some generations have the one, some the other; the request is answered again, and what was changed is passed over. The
//! highest generation, by which the old passphrase is judged, is changed last.

use super::encrypted;
use super::means::{Later, Means, opened, password};
use crate::agent::channel::Outcome;
use crate::agent::jobs::OwnVault;
use crate::agent::vaults::maker;
use crate::model::access::Secret;
use crate::vault::backend::{Kind, Name};
use crate::vault::repository::Repository;
use crate::wire::channel::work::Request;

/// The old and the new passphrase.
struct Change<'a> {
    means: &'a dyn Means,
    old: Secret,
    new: Secret,
}

pub(super) fn change(means: &dyn Means, vault: &OwnVault, request: &Request) -> Result<Outcome, Later> {
    let keys = means.key_pair()?;
    let old = keys.decrypt_to_check(request.old_encrypted_password.as_deref().unwrap_or_default());
    let Ok(new) = keys.decrypt_to_set(&request.encrypted_password) else { return Ok(Outcome::Failed) };
    let generations = encrypted(vault);
    let Some(highest) = generations.last() else { return Ok(Outcome::Failed) };
    let change = Change { means, old, new };
    let kept = means.passphrases()?;
    if opened(means, highest.number, &change.old)?.is_none() && !change.was_made(&kept, request, highest.number)? {
        return Ok(Outcome::Failed);
    }
    change.keep_new(&kept)?;
    if change.old != change.new {
        generations.iter().try_for_each(|generation| change.make(generation.number))?;
    }
    Ok(Outcome::Succeeded)
}

impl Change<'_> {
    /// Whether this very change was made before the process ended: it was begun, as is kept here, and the new passphrase opens.
    fn was_made(&self, kept: &[Secret], request: &Request, highest: i64) -> Result<bool, Later> {
        let was_begun = kept.last() == Some(&self.new) && (kept.len() > 1 || request.is_taken);
        Ok(was_begun && opened(self.means, highest, &self.new)?.is_some())
    }

    /// From here on both are kept.
    fn keep_new(&self, kept: &[Secret]) -> Result<(), Later> {
        match kept {
            [.., last] if *last == self.new => return Ok(()),
            // The end of an earlier change was not noted: what stands beside the present one is what opens, and must not make way.
            [_, last] if *last == self.old => self.means.accept()?,
            _ => {}
        }
        Ok(self.means.propose(&self.new)?)
    }

    /// Changes one generation. One that the old passphrase does not open was changed before, or never had it.
    fn make(&self, generation: i64) -> Result<(), Later> {
        let Some(with_old) = self.opened(generation, &self.old)? else { return Ok(()) };
        if self.opened(generation, &self.new)?.is_none() {
            with_old.add_key(&password(&self.new), maker())?;
        }
        let with_new = self.opened(generation, &self.new)?.ok_or_else(|| Later::because("the new key does not open the vault"))?;
        self.remove_old(generation, &with_old, &with_new)
    }

    /// Removes every key that the old passphrase opens: a cut, or somebody else, may have left several.
    fn remove_old(&self, generation: i64, with_old: &Repository, with_new: &Repository) -> Result<(), Later> {
        let mut key = with_old.key();
        loop {
            with_new.backend().remove(Name::Of(Kind::Key, key))?;
            match self.opened(generation, &self.old)? {
                None => return Ok(()),
                Some(again) if again.key() == key => return Err(Later::because("the old key cannot be removed")),
                Some(again) => key = again.key(),
            }
        }
    }

    fn opened(&self, generation: i64, passphrase: &Secret) -> Result<Option<Repository>, Later> {
        Ok(opened(self.means, generation, passphrase)?)
    }
}

//! Whether a backup can begin.

use super::Stop;
use crate::agent::jobs::OwnVault;
use crate::vault::error::Error;
use crate::wire::channel::work::Generation;

/// The generation that is written to. One that was never made is missing: it is made at registration or encryption, never here.
pub(super) fn generation(vault: &OwnVault) -> Result<&Generation, Stop> {
    let highest = vault.generations.iter().max_by_key(|generation| generation.number);
    let missing = |why: &str| Stop::failed("VaultMissing", why);
    let highest = highest.ok_or_else(|| missing("The agent has no vault."))?;
    let is_ready = highest.is_ready.then_some(highest);
    is_ready.ok_or_else(|| missing("The vault's repository was not made yet."))
}

/// A better word for errors of opening; `None` where there is none.
pub(super) fn not_opened(generation: &Generation, error: &Error) -> Option<Stop> {
    let is_encrypted = "The vault is encrypted, and no passphrase that this machine has opens it.";
    let is_open = "The password that the server gives does not open the vault.";
    match error {
        Error::WrongPassword => Some(Stop::failed("MissingPassword", if generation.is_encrypted { is_encrypted } else { is_open })),
        Error::NoRepository(_) => {
            let note = format!("The repository of generation {} is gone from the server. No new one is made.", generation.number);
            Some(Stop::failed("VaultMissing", note))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generation_of(number: i64, is_ready: bool) -> Generation {
        Generation { number, is_encrypted: false, is_ready, password: None }
    }

    #[test]
    fn the_highest_generation_is_written_to_and_only_where_it_was_made() {
        let vault =
            |all: &[(i64, bool)]| OwnVault { generations: all.iter().map(|(number, ready)| generation_of(*number, *ready)).collect() };
        let number = |all: &[(i64, bool)]| {
            generation(&vault(all)).map(|found| found.number).map_err(|stop| match stop {
                Stop::Failed { reason, .. } => reason,
                Stop::Cut => "cut",
            })
        };
        assert_eq!(number(&[(2, true), (10, true), (1, false)]), Ok(10));
        assert_eq!(number(&[(1, true), (2, false)]), Err("VaultMissing"));
        assert_eq!(number(&[]), Err("VaultMissing"));
    }
}

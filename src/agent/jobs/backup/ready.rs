//! Whether a backup can begin.

use std::path::Path;

use super::Stop;
use crate::agent::jobs::OwnVault;
use crate::vault::error::Error;
use crate::wire::channel::work::Generation;

/// What has to be free where the cache is: a machine whose disk is full is not to be made worse.
const LEAST_FREE_BYTES: u64 = 100_000_000;

/// `OutOfDiskSpace` where less than 100 MB are free on the file system of the cache. Where that cannot be told, there is enough.
pub(super) fn check_room(cache: &Path) -> Result<(), Stop> {
    let Some(found) = cache.ancestors().find_map(|folder| rustix::fs::statvfs(folder).ok()) else { return Ok(()) };
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    if free >= LEAST_FREE_BYTES {
        return Ok(());
    }
    let note = format!("Only {} MB are free where {} is; a backup needs 100 MB.", free / 1_000_000, cache.display());
    Err(Stop::failed("OutOfDiskSpace", note))
}

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

    #[test]
    fn a_cache_that_is_not_there_yet_has_the_room_of_the_folder_above() {
        let dir = tempfile::tempdir().unwrap();
        let found = rustix::fs::statvfs(dir.path()).unwrap();
        let is_enough = found.f_bavail * found.f_frsize >= LEAST_FREE_BYTES;
        assert_eq!(check_room(&dir.path().join("state/cache")).is_ok(), is_enough);
    }

    #[test]
    fn a_full_file_system_is_no_place_for_a_cache() {
        // What the kernel makes up has no bytes free.
        let Err(Stop::Failed { reason, note }) = check_room(Path::new("/proc/nowhere/cache")) else { panic!("there is room in /proc") };
        assert_eq!((reason, note.contains("Only 0 MB")), ("OutOfDiskSpace", true), "{note}");
    }
}

//! Removing snapshots. What they alone used stays until the next prune.

use std::collections::HashSet;

use crate::vault::backend::{Kind, Name};
use crate::vault::cancel::Cancel;
use crate::vault::error::Error;
use crate::vault::id::Id;
use crate::vault::lock::Guard;
use crate::vault::repository::Repository;

/// What became of snapshots that were to be forgotten.
#[derive(Debug, Default)]
pub struct Forgotten {
    pub removed: Vec<Id>,
    /// Those that the place does not give up.
    pub refused: Vec<(Id, Error)>,
}

/// Removes the files of these snapshots; damaged ones, too. One that the place refuses to remove does not keep the others.
///
/// # Panics
/// Where the lock is a shared one.
pub fn forget(repository: &Repository, guard: &Guard, ids: &HashSet<Id>, cancel: &Cancel) -> Result<Forgotten, Error> {
    assert!(guard.is_exclusive(), "to forget takes an exclusive lock");
    let mut forgotten = Forgotten::default();
    let mut ids: Vec<Id> = ids.iter().copied().collect();
    ids.sort();
    for id in ids {
        cancel.check()?;
        guard.confirm()?;
        match repository.backend().remove(Name::Of(Kind::Snapshot, id)) {
            Ok(()) => forgotten.removed.push(id),
            Err(error @ Error::Refused(_)) => forgotten.refused.push((id, error)),
            Err(error) => return Err(error),
        }
    }
    Ok(forgotten)
}

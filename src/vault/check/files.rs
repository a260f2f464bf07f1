//! The small files: keys, locks, snapshots and the index.

use super::findings::Findings;
use super::report::What;
use crate::vault::backend::Kind;
use crate::vault::cancel::Cancel;
use crate::vault::error::Error;
use crate::vault::index::Index;
use crate::vault::keys::KeyFile;
use crate::vault::lock;
use crate::vault::repository::Repository;
use crate::vault::snapshots::{Snapshots, Stored};

/// Whether every key is one. Whether a password opens it nobody can tell.
pub(super) fn check_keys(repository: &Repository, findings: &Findings) -> Result<(), Error> {
    for listed in repository.backend().list(Kind::Key)? {
        match repository.read_raw(Kind::Key, listed.id).and_then(|bytes| KeyFile::parse(&bytes, &listed.id)) {
            // A key may go while others are read.
            Ok(_) | Err(Error::NotFound(_)) => {}
            Err(Error::Damaged { why, .. }) => findings.problem(What::Key(listed.id), why),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

pub(super) fn check_locks(repository: &Repository, findings: &Findings) -> Result<(), Error> {
    let unreadable = lock::list(repository)?.into_iter().filter(|found| found.lock.is_err()).map(|found| found.id);
    findings.note(|report| report.unreadable_locks.extend(unreadable));
    Ok(())
}

pub(super) fn load_snapshots(repository: &Repository, findings: &Findings, cancel: &Cancel) -> Result<Vec<Stored>, Error> {
    let snapshots = Snapshots::load(repository, cancel)?;
    findings.note(|report| report.snapshots = (snapshots.found.len() + snapshots.failed.len()) as u64);
    for (id, error) in snapshots.failed {
        match error {
            // Forgotten by somebody meanwhile.
            Error::NotFound(_) => {}
            Error::Damaged { why, .. } => findings.problem(What::Snapshot(id), why),
            error => return Err(error),
        }
    }
    Ok(snapshots.found)
}

/// The index of those files that can be read.
pub(super) fn load_index(repository: &Repository, findings: &Findings, cancel: &Cancel) -> Result<Index, Error> {
    let loaded = repository.load_index(cancel)?;
    for (id, error) in loaded.failed {
        findings.problem(What::Index(id), reason(error));
    }
    let mut repeated: Vec<_> = loaded.repeated.into_iter().collect();
    repeated.sort();
    findings.note(|report| report.repeated_packs = repeated);
    Ok(loaded.index)
}

fn reason(error: Error) -> String {
    match error {
        Error::Damaged { why, .. } => why,
        error => error.to_string(),
    }
}

//! Forgetting snapshots, removing what none needs any more, and making the index again.
//!
//! A prune marks what all snapshots use, and refuses to begin where a snapshot, tree or index file cannot be read, or something that is
//! used is not where the index says: then nothing is changed. It decides for each pack: keep it, repack what is used of it, or remove it.
//! Then, in this order: packs that no index names are removed; used blobs of repacked packs are verified and stored in new packs, and
//! those in new index files; index files that name packs which are to go are replaced; the old packs are removed. So whatever is killed
//! when, every snapshot has all it needs, and the next prune finishes the work.
//!
//! It works under an exclusive lock. A backup whose lock became stale, such as on a machine that slept, learns that before it stores its
//! snapshot or an index file (`lock::Guard::confirm`, `lock::Guard::is_held`); what it stored is removed as what no index or snapshot
//! names, and it stores it again.

mod decide;
mod forget;
mod mark;
mod plan;
mod rebuild;
mod repack;
mod replace_index;
#[cfg(test)]
mod tests;

pub use decide::{Limit, LimitError, Options};
pub use forget::{Forgotten, forget};
pub use plan::{Plan, Sum, plan};
pub use rebuild::{Rebuilt, rebuild_index};

use super::backend::{Kind, Name};
use super::cancel::Cancel;
use super::error::Error;
use super::id::Id;
use super::lock::Guard;
use super::parallel::for_each;
use super::progress::Progress;
use super::repository::Repository;

/// Files that are removed at once.
const REMOVERS: usize = 4;

/// Removes what no snapshot needs; what was done is what the plan says. [`Error::Damaged`] where something that is needed is not whole:
/// it is named, and its pack stays as it is.
///
/// # Panics
/// Where the lock is a shared one.
pub fn prune(repository: &Repository, guard: &Guard, options: &Options, cancel: &Cancel, progress: &dyn Progress) -> Result<Plan, Error> {
    assert!(guard.is_exclusive(), "a prune holds an exclusive lock");
    let plan = plan(repository, options, cancel, progress)?;
    plan.carry_out(repository, guard, cancel, progress)?;
    Ok(plan)
}

/// Removes files, some at once; each may be gone already.
fn remove_all(repository: &Repository, kind: Kind, ids: &[Id], guard: &Guard, cancel: &Cancel) -> Result<(), Error> {
    for_each(ids, REMOVERS, |id| {
        cancel.check()?;
        guard.confirm()?;
        repository.backend().remove(Name::Of(kind, *id))
    })
}

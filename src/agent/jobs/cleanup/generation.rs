//! One generation: looked at as a whole, then the snapshots go, then what they alone used.

use std::collections::HashSet;
use std::sync::Arc;

use super::outcome::Outcome;
use super::{Cleanup, is_halt};
use crate::vault::error::Error;
use crate::vault::id::Id;
use crate::vault::lock::{Guard, Mode};
use crate::vault::prune::{Options, forget, plan, prune};
use crate::vault::repository::Repository;
use crate::wire::channel::work::Generation;

impl Cleanup<'_> {
    /// Cleans one generation. After an error nothing is lost; before [`Error::Damaged`] nothing was forgotten.
    pub(super) fn clean(&self, generation: &Generation, named: HashSet<Id>, outcome: &mut Outcome) -> Result<(), Error> {
        let repository = (self.open)(generation)?;
        let guard = Guard::take(&repository, Mode::Exclusive, &self.lock, self.leash.cancel())?;
        let done = self.clean_locked(&repository, &guard, generation.number, named, outcome);
        // Only whoever holds the lock knows that it was lost, and not a user who stopped the work.
        match (done, guard.lost_because()) {
            (Err(Error::Cancelled), Some(why)) => {
                Err(Error::Unavailable { doing: format!("keeping the lock of generation {}", generation.number), source: why.into() })
            }
            (done, _) => done,
        }
    }

    fn clean_locked(
        &self,
        repository: &Arc<Repository>,
        guard: &Guard,
        number: i64,
        named: HashSet<Id>,
        outcome: &mut Outcome,
    ) -> Result<(), Error> {
        let cancel = self.leash.cancel();
        // Where something is missing that the other snapshots need, this fails, and not a single one is forgotten.
        let options = Options { without: named, ..Options::default() };
        let planned = plan(repository, &options, cancel, &())?;
        self.tally.looked_at(planned.packs.count);
        drop(planned);
        (self.begin)()?;
        self.tally.begun();
        let forgotten = forget(repository, guard, &options.without, cancel)?;
        for (id, error) in forgotten.refused {
            if is_halt(&error) {
                return Err(error);
            }
            outcome.note_snapshot(&format!("g{number}/snapshots/{id}"), &error.to_string());
        }
        // One that was refused is there, so what it needs is kept: the plan of before is of no use any more.
        let pruned = prune(repository, guard, &Options::default(), cancel, &())?;
        self.tally.freed(pruned.removed_blobs.bytes + pruned.orphans.bytes);
        Ok(())
    }
}

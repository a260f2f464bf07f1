//! `vault forget`: snapshots that no rule keeps, or that are named, go.

mod answer;
mod args;
mod decide;

use std::collections::HashSet;

pub use self::args::Forget;
use self::decide::{Judged, Verdicts};
use super::counted::counted;
use super::prune;
use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::vault::id::Id;
use crate::vault::lock::Mode;
use crate::vault::prune::forget;

impl Forget {
    pub fn run(self: Box<Self>, console: &mut Console) -> Result<(), Failure> {
        self.repository.insist_on_lock(self.dry_run)?;
        let policy = self.policy()?;
        let session = self.repository.open(console)?;
        let held = session.lock(Mode::Exclusive)?;
        let snapshots = session.snapshots(console)?;
        let Verdicts { groups, remove } = if self.names.is_empty() {
            decide::by_policy(&snapshots, &self.selection.filter(), self.group_by, &policy)?
        } else {
            decide::by_name(&snapshots, &self.names, &session)?
        };
        let mut refused = Vec::new();
        if !self.dry_run
            && let Some(guard) = held.guard()
        {
            let forgotten = forget(&session.repository, guard, &remove, &session.cancel);
            let forgotten = forgotten.map_err(|error| held.explain(session.failed("cannot forget snapshots", &error), &error))?;
            refused = forgotten.refused;
        }
        for (id, error) in &refused {
            console.note(&format!("snapshot {} stays: {error}", id.short()));
        }
        if let [(id, error), ..] = &refused[..]
            && refused.len() == remove.len()
        {
            return Err(session.failed(&format!("cannot forget snapshot {}", id.short()), error));
        }
        let stays: HashSet<Id> = refused.iter().map(|(id, _)| *id).collect();
        let removed: HashSet<Id> = remove.difference(&stays).copied().collect();
        let pruned = if self.prune && !removed.is_empty() {
            let without = if self.dry_run { removed.clone() } else { HashSet::new() };
            Some(self.how.run(&session, &held, self.dry_run, without, console.is_watched)?)
        } else {
            None
        };
        held.release(console);
        let json = answer::as_json(&groups, &removed, self.dry_run, pruned.as_ref());
        console.answer_either(&json, || {
            let pruned = pruned.as_ref().map(|plan| prune::as_text(plan, self.dry_run)).unwrap_or_default();
            format!("{}{pruned}", answer::as_text(&groups, removed.len(), self.dry_run))
        })?;
        match refused.len() {
            0 => Ok(()),
            count => Err(Failure::damaged(format!("{} could not be removed", counted(count as u64, "snapshot")))),
        }
    }
}

/// What is kept and removed of one group.
type Groups = Vec<Judged>;

//! From the selection to the snapshot.

use std::sync::Arc;

use jiff::Timestamp;

use super::report::Tally;
use super::watch::Watched;
use super::{Order, Stop, Work};
use crate::agent::jobs::Counted;
use crate::agent::scan::Plan;
use crate::agent::vaults::maker;
use crate::model::run::RunState;
use crate::vault::backup::{Options, backup};
use crate::vault::compression::Compression;
use crate::vault::error::Error;
use crate::vault::id::Id;
use crate::vault::lock::{Guard, Mode};
use crate::vault::repository::Repository;
use crate::vault::snapshot::Snapshot;
use crate::vault::snapshots::{Snapshots, Stored};
use crate::vault::source::stamp::Ignored;
use crate::wire::channel::work::{Path, selection};

/// The snapshot that this run has made already.
pub(super) fn made_by(run: i64, snapshots: &Snapshots) -> Option<&Stored> {
    newest_with(&format!("backup={run}"), snapshots)
}

fn newest_with<'a>(tag: &str, snapshots: &'a Snapshots) -> Option<&'a Stored> {
    snapshots.found.iter().rfind(|stored| stored.snapshot.tags.iter().any(|one| one == tag))
}

impl Work<'_> {
    /// Makes the snapshot, and notes what it came to, also where it comes to none.
    pub(super) fn save(&self, repository: &Arc<Repository>, generation: i64, snapshots: &Snapshots, tally: &mut Tally) -> Result<(), Stop> {
        (self.word.step)(RunState::Preparing, Counted::default()).map_err(|error| self.stopped_by(&error))?;
        let plan = self.plan(tally)?;
        let guard =
            Guard::take(repository, Mode::Shared, &self.terms.lock, self.leash.cancel()).map_err(|error| self.stopped_by(&error))?;
        let saved = self.save_locked(repository, &guard, generation, snapshots, &plan, tally);
        let saved = saved.map_err(|error| self.explained(&error, &guard));
        if let Err(error) = guard.release() {
            tracing::warn!(%error, "a lock was left behind in the vault: it is stale in 30 minutes");
        }
        saved?;
        if tally.snapshot.is_some() { Ok(()) } else { Err(nothing_saved(tally.numbers.files_searched)) }
    }

    /// What is to be walked. There is at least one place.
    fn plan(&self, tally: &mut Tally) -> Result<Plan, Stop> {
        let Order { inclusions, exclusions, .. } = self.order;
        let selection = selection(inclusions, exclusions).ok_or_else(|| Stop::failed("AgentError", "A path of the selection is none."))?;
        let plan = Plan::new(&selection, self.own);
        plan.failures.iter().for_each(|failure| tally.errors.add(failure));
        if plan.databases > 0 {
            tally.notes.push("Items of the type Database are not backed up.".to_owned());
        }
        if !plan.sources.is_empty() {
            return Ok(plan);
        }
        Err(if plan.is_any_there || plan.databases == inclusions.len() {
            nothing_saved(0)
        } else {
            Stop::failed("SelectionMissing", "None of the items that are to be backed up is there.")
        })
    }

    fn save_locked(
        &self,
        repository: &Repository,
        guard: &Guard,
        generation: i64,
        snapshots: &Snapshots,
        plan: &Plan,
        tally: &mut Tally,
    ) -> Result<(), Error> {
        let cancel = self.leash.cancel();
        let loaded = repository.load_index(cancel)?;
        if !loaded.failed.is_empty() {
            let files = loaded.failed.len();
            tally.notes.push(format!("{files} index files of the vault are damaged; what they alone name was stored again."));
        }
        let options = Options {
            select: &plan.scan,
            with_atime: false,
            ignored: Ignored::default(),
            compression: Compression::Auto,
            parent: self.parent(generation, snapshots).map(|stored| (stored.id, stored.snapshot.tree)),
            is_dry_run: false,
            guard: Some(guard),
            skip_if_unchanged: false,
            skip_if_empty: true,
            snapshot: self.snapshot(),
        };
        let watched = Watched::new(tally.errors.count);
        let made = watched
            .during(&self.word, self.terms.count_every, || backup(repository, loaded.index, &plan.sources, &options, cancel, &watched));
        tally.numbers = watched.counted();
        made.map(|report| tally.take(&report, generation))
    }

    /// The snapshot to compare with: the one that the server names, or the newest of this configuration; of this generation alone.
    fn parent<'a>(&self, generation: i64, snapshots: &'a Snapshots) -> Option<&'a Stored> {
        let named = self.order.parent.and_then(|name| name.strip_prefix(&format!("g{generation}/snapshots/")));
        let named = named.and_then(|id| snapshots.found.iter().find(|stored| stored.id.hex() == id));
        named.or_else(|| newest_with(&format!("configuration={}", self.order.configuration), snapshots))
    }

    /// What the snapshot says beside its tree.
    fn snapshot(&self) -> Snapshot {
        let texts = |items: &[Path]| items.iter().map(|item| item.path.clone()).collect();
        Snapshot {
            time: Timestamp::now().to_string(),
            parent: None,
            // The engine puts the right one in its place.
            tree: Id([0; 32]),
            paths: texts(self.order.inclusions),
            hostname: maker().hostname,
            username: "root".to_owned(),
            uid: rustix::process::getuid().as_raw(),
            gid: rustix::process::getgid().as_raw(),
            excludes: texts(self.order.exclusions),
            tags: vec![format!("backup={}", self.order.run), format!("configuration={}", self.order.configuration)],
            original: None,
            program_version: Some(concat!("strongroom ", env!("CARGO_PKG_VERSION")).to_owned()),
            summary: None,
        }
    }

    /// A better word for a cancel where it was the lock that was lost.
    fn explained(&self, error: &Error, guard: &Guard) -> Stop {
        match (error, guard.lost_because()) {
            (Error::Cancelled, Some(why)) if self.leash.why().is_none() => {
                Stop::failed("StorageUnavailable", format!("The lock on the vault was lost: {why}."))
            }
            _ => self.stopped_by(error),
        }
    }
}

fn nothing_saved(files_found: u64) -> Stop {
    let note = match files_found {
        0 => "No file was found that is to be backed up.".to_owned(),
        found => format!("None of the {found} files that were found could be read."),
    };
    Stop::failed("NothingToBackUp", note)
}

//! `vault prune`: what no snapshot needs any more goes.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::counted::counted;
use super::repository::RepositoryArgs;
use super::session::{Held, Session};
use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::cli::progress::EngineBar;
use crate::model::size::Size;
use crate::vault::id::Id;
use crate::vault::lock::Mode;
use crate::vault::prune::{Limit, Options, Plan, Sum, plan, prune};
use crate::vault::source::exclude::parse_size_bytes;

#[derive(clap::Args)]
pub struct Prune {
    #[command(flatten)]
    how: PruneArgs,
    /// Change nothing: say what would be done
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    repository: RepositoryArgs,
}

/// How a prune goes about it.
#[derive(clap::Args)]
pub struct PruneArgs {
    /// How much unused data may stay: a percentage of all, a size, or `unlimited`
    #[arg(long, value_name = "p%|SIZE|unlimited", default_value = "5%")]
    max_unused: Limit,
    /// Repack at most so much
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_repack_size: Option<u64>,
    /// Compress what is stored plain
    #[arg(long)]
    repack_uncompressed: bool,
}

fn size(text: &str) -> Result<u64, String> {
    parse_size_bytes(text).map_err(|error| error.to_string())
}

impl Prune {
    pub fn run(self, console: &mut Console) -> Result<(), Failure> {
        self.repository.insist_on_lock(self.dry_run)?;
        let session = self.repository.open(console)?;
        let held = session.lock(Mode::Exclusive)?;
        let plan = self.how.run(&session, &held, self.dry_run, HashSet::new(), console.is_watched)?;
        held.release(console);
        console.answer_either(&as_json(&plan, self.dry_run), || as_text(&plan, self.dry_run))
    }
}

impl PruneArgs {
    /// Prunes as if the snapshots in `without` were gone, or says what that would do; with a bar where somebody watches.
    pub fn run(&self, session: &Session, held: &Held, is_dry_run: bool, without: HashSet<Id>, is_watched: bool) -> Result<Plan, Failure> {
        let options = Options {
            max_unused: self.max_unused,
            max_repack_bytes: self.max_repack_size.unwrap_or(u64::MAX),
            repack_uncompressed: self.repack_uncompressed,
            without,
        };
        let (repository, cancel) = (&session.repository, &session.cancel);
        let bar = EngineBar::new(is_watched);
        let pruned = match held.guard() {
            Some(guard) if !is_dry_run => prune(repository, guard, &options, cancel, &bar),
            _ => plan(repository, &options, cancel, &bar),
        };
        bar.end();
        pruned.map_err(|error| held.explain(session.failed("cannot prune", &error), &error))
    }
}

pub fn as_json(plan: &Plan, is_dry_run: bool) -> Value {
    let sum = |sum: Sum| json!({ "count": sum.count, "bytes": sum.bytes });
    json!({
        "dry_run": is_dry_run,
        "blobs_used": sum(plan.used),
        "blobs_unused": sum(plan.unused),
        "blobs_removed": sum(plan.removed_blobs),
        "blobs_left_unused": sum(plan.left_unused),
        "packs": sum(plan.packs),
        "packs_removed": sum(plan.remove),
        "packs_repacked": sum(plan.repack),
        "orphans_removed": sum(plan.orphans),
        "packs_lost": plan.lost_packs,
    })
}

pub fn as_text(plan: &Plan, is_dry_run: bool) -> String {
    let removed = plan.removed_blobs.bytes + plan.orphans.bytes;
    let begin = if is_dry_run { "Would remove" } else { "Removed" };
    format!(
        "{begin} {}: {} that nothing needs, {} that no index names; {} repacked\nIn use: {}, and {} that stay unused\n",
        Size(removed),
        counted(plan.remove.count, "pack"),
        plan.orphans.count,
        counted(plan.repack.count, "pack"),
        Size(plan.used.bytes),
        Size(plan.left_unused.bytes)
    )
}

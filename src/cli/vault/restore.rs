//! `vault restore`: a snapshot's files, made again below a folder.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::counted::counted;
use super::patterns::{ExcludeArgs, Given, IncludeArgs};
use super::repository::RepositoryArgs;
use super::selection::SelectionArgs;
use super::{failures, moment};
use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::cli::progress;
use crate::model::size::Size;
use crate::vault::restore::{Decision, Options, Report, Source, restore};
use crate::vault::snapshots::{find_folder, split};
use crate::vault::target::Overwrite;
use crate::vault::tree::Node;

#[derive(clap::Args)]
pub struct Restore {
    /// The beginning of a snapshot's id, or `latest`; behind a colon, a folder in it that is restored alone
    #[arg(value_name = "SNAPSHOT[:SUBFOLDER]")]
    snapshot: String,
    /// The folder that is filled; it is made where it is missing
    #[arg(short, long, value_name = "DIR")]
    target: PathBuf,
    #[command(flatten)]
    include: IncludeArgs,
    #[command(flatten)]
    exclude: ExcludeArgs,
    #[command(flatten)]
    selection: SelectionArgs,
    /// What becomes of files that are there
    #[arg(long, value_name = "WHEN", default_value = "always")]
    overwrite: Overwriting,
    /// Read all files again and compare them
    #[arg(long, conflicts_with = "dry_run")]
    verify: bool,
    /// Write nothing: say what would be done
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    repository: RepositoryArgs,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Overwriting {
    /// They are replaced
    Always,
    /// They are replaced where their bytes are others
    IfChanged,
    /// They are replaced where the snapshot's are newer
    IfNewer,
    /// They stay
    Never,
}

impl Restore {
    pub fn run(self: Box<Self>, console: &mut Console) -> Result<(), Failure> {
        let (include, exclude) = (self.include.given()?, self.exclude.given()?);
        if !include.is_empty() && !exclude.is_empty() {
            return Err(Failure::usage("--include and --exclude cannot be used together"));
        }
        let session = self.repository.open(console)?;
        let held = session.lock_for_reading()?;
        let (name, folder) = split(&self.snapshot);
        let snapshots = session.snapshots(console)?;
        let found = snapshots.find(name, &self.selection.filter());
        let stored = found.map_err(|error| session.failed("cannot find the snapshot", &error))?;
        let index = session.index(console)?;
        let root = find_folder(&session.repository, &index, stored.snapshot.tree, folder.unwrap_or_default());
        let root = root.map_err(|error| session.failed(&format!("cannot restore from snapshot {}", stored.id.short()), &error))?;
        let filter = |path: &[u8], node: &Node| decide(&include, &exclude, path, node.is_folder());
        let options = Options { filter: &filter, overwrite: self.overwrite.into(), dry_run: self.dry_run, verify: self.verify };
        let bar = progress::EngineBar::new(console.is_watched);
        let source = Source { repository: &session.repository, index: &index };
        let report = restore(source, root, &self.target, &options, &session.cancel, &bar);
        bar.end();
        failures::list(&report.failures, report.failures_left_out, console);
        if let Some(error) = &report.ended_by {
            return Err(held.explain(session.failed("the restore ended early", error), error));
        }
        held.release(console);
        let id = stored.id.hex();
        console.answer_either(&self.as_json(&id, &report), || self.as_text(&id, &report))?;
        match failures::count(&report.failures, report.failures_left_out) {
            0 => Ok(()),
            count => Err(Failure::damaged(format!("{} could not be restored, or not wholly", counted(count, "entry")))),
        }
    }

    fn as_json(&self, id: &str, report: &Report) -> Value {
        json!({
            "snapshot_id": id,
            "target": self.target.to_string_lossy(),
            "dry_run": self.dry_run,
            "restore_start": report.start.to_string(),
            "restore_end": report.end.to_string(),
            "total_duration": report.end.duration_since(report.start).as_secs_f64(),
            "files_restored": report.files,
            "dirs_restored": report.folders,
            "others_restored": report.others,
            "bytes_restored": report.bytes_written,
            "entries_skipped": report.skipped,
            "bytes_skipped": report.bytes_skipped,
            "files_verified": report.verified,
            "failures": failures::as_json(&report.failures),
            "failures_left_out": report.failures_left_out,
        })
    }

    fn as_text(&self, id: &str, report: &Report) -> String {
        let (begin, target) = (if self.dry_run { "Would restore" } else { "Restored" }, self.target.display());
        let took = moment::duration(report.end.duration_since(report.start));
        let skipped = if report.skipped > 0 { format!("Left as they were: {}\n", counted(report.skipped, "entry")) } else { String::new() };
        let verified = if self.verify { format!("Read again and compared: {}\n", counted(report.verified, "file")) } else { String::new() };
        format!(
            "{begin} {}, {} and {}, {}, of snapshot {} to {target}, in {took}\n{skipped}{verified}",
            counted(report.files, "file"),
            counted(report.folders, "folder"),
            counted(report.others, "other"),
            Size(report.bytes_written),
            &id[..8]
        )
    }
}

fn decide(include: &Given, exclude: &Given, path: &[u8], is_folder: bool) -> Decision {
    if include.is_empty() { exclude.excluding(path) } else { include.including(path, is_folder) }
}

impl From<Overwriting> for Overwrite {
    fn from(wish: Overwriting) -> Self {
        match wish {
            Overwriting::Always => Self::Always,
            Overwriting::IfChanged => Self::IfChanged,
            Overwriting::IfNewer => Self::IfNewer,
            Overwriting::Never => Self::Never,
        }
    }
}

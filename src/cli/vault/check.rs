//! `vault check`: whether a repository is whole.

use serde_json::{Value, json};

use super::counted::counted;
use super::repository::RepositoryArgs;
use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::cli::progress::EngineBar;
use crate::cli::table::visible;
use crate::model::size::Size;
use crate::vault::check::{Read, Report, Subset, run};
use crate::vault::id::Id;

/// Lines for people, of each kind; machines get all that the report holds.
const MOST_LINES: usize = 100;

#[derive(clap::Args)]
pub struct Check {
    /// Read all data, too, and compare every byte
    #[arg(long)]
    read_data: bool,
    /// Read some of the data: a part such as 2/7, a percentage such as 2.5%, or a size such as 10G
    #[arg(long, value_name = "n/t|p%|SIZE", conflicts_with = "read_data")]
    read_data_subset: Option<Subset>,
    #[command(flatten)]
    repository: RepositoryArgs,
}

impl Check {
    pub fn run(self, console: &mut Console) -> Result<(), Failure> {
        let session = self.repository.open(console)?;
        let held = session.lock_for_reading()?;
        let read = match self.read_data_subset {
            Some(subset) => Read::Some(subset),
            None if self.read_data => Read::All,
            None => Read::Nothing,
        };
        let bar = EngineBar::new(console.is_watched);
        let checked = run(&session.repository, read, &session.cancel, &bar);
        bar.end();
        let report = checked.map_err(|error| held.explain(session.failed("cannot check the repository", &error), &error))?;
        held.release(console);
        conclude(&report, console)
    }
}

fn conclude(report: &Report, console: &mut Console) -> Result<(), Failure> {
    console.answer_either(&as_json(report), || as_text(report))?;
    if report.is_clean() {
        return Ok(());
    }
    let count = report.problems.len() as u64 + report.more_problems;
    let failure = Failure::damaged(format!("found {}", counted(count, "problem")));
    let hints: Vec<String> = report.hints().iter().map(ToString::to_string).collect();
    Err(if hints.is_empty() { failure } else { failure.with_hint(hints.join("; ")) })
}

fn as_json(report: &Report) -> Value {
    let ids = |list: &[Id]| list.iter().map(Id::hex).collect::<Vec<_>>();
    let problems: Vec<Value> =
        report.problems.iter().map(|problem| json!({ "what": problem.what.to_string(), "why": problem.why })).collect();
    let files: Vec<Value> = report
        .touched_files
        .iter()
        .map(|file| {
            json!({ "snapshot": file.snapshot.hex(), "path": file.path, "blob": file.blob.hex(), "pack": file.pack.map(|pack| pack.hex()) })
        })
        .collect();
    let hints: Vec<String> = report.hints().iter().map(ToString::to_string).collect();
    json!({
        "is_clean": report.is_clean(),
        "problems": problems,
        "more_problems": report.more_problems,
        "touched_snapshots": ids(&report.touched_snapshots),
        "touched_files": files,
        "has_more_files": report.has_more_files,
        "orphans": ids(&report.orphans),
        "repeated_packs": ids(&report.repeated_packs),
        "mixed_packs": ids(&report.mixed_packs),
        "unreadable_locks": ids(&report.unreadable_locks),
        "hints": hints,
        "snapshots": report.snapshots,
        "trees": report.trees,
        "packs": report.packs,
        "packs_read": report.packs_read,
        "bytes_read": report.bytes_read,
    })
}

fn as_text(report: &Report) -> String {
    let mut lines: Vec<String> = report.problems.iter().take(MOST_LINES).map(|problem| visible(&problem.to_string())).collect();
    let more = report.problems.len().saturating_sub(MOST_LINES) as u64 + report.more_problems;
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    if !report.touched_snapshots.is_empty() {
        let ids: Vec<String> = report.touched_snapshots.iter().map(Id::short).collect();
        lines.push(format!("Snapshots that cannot be restored as a whole: {}", ids.join(", ")));
    }
    let file = |file: &crate::vault::check::TouchedFile| visible(&format!("  {} of snapshot {}", file.path, file.snapshot.short()));
    lines.extend(report.touched_files.iter().take(MOST_LINES).map(file));
    if report.touched_files.len() > MOST_LINES || report.has_more_files {
        lines.push("  and more".to_owned());
    }
    let harmless = [
        (report.orphans.len(), "packs that no index names"),
        (report.repeated_packs.len(), "packs that several index files name"),
        (report.mixed_packs.len(), "packs with chunks and trees"),
        (report.unreadable_locks.len(), "files among the locks that are none"),
    ];
    lines.extend(harmless.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("Harmless: {count} {what}")));
    let (snapshots, trees, packs) = (counted(report.snapshots, "snapshot"), counted(report.trees, "folder"), counted(report.packs, "pack"));
    let read = format!("{} of {packs} read, {}", report.packs_read, Size(report.bytes_read));
    lines.push(format!("Checked {snapshots} and {trees}; {read}"));
    if report.is_clean() {
        lines.push("No errors were found".to_owned());
    }
    format!("{}\n", lines.join("\n"))
}

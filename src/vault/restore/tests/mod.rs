//! Restores of repositories that are held in memory, hostile and damaged ones among them, and of what stock restic wrote.

mod damage;
mod hostile;
mod links;
mod memory;
mod overwriting;
mod panics;
mod restic;
mod stopping;
mod stored;

use std::io::Write as _;
use std::path::Path;

use super::{Options, Report, restore};
use crate::vault::cancel::Cancel;
use crate::vault::id::Id;
use stored::Stored;

/// Restores all of a tree.
fn restored(stored: &Stored, root: Id, target: &Path) -> Report {
    restored_with(stored, root, target, &Options::default())
}

fn restored_with(stored: &Stored, root: Id, target: &Path, options: &Options<'_>) -> Report {
    restore(stored.source(), root, target, options, &Cancel::default(), &())
}

/// The failures as lines: path, what was done, why.
fn lines(report: &Report) -> Vec<String> {
    report.failures.iter().map(|failure| format!("{} {}: {}", failure.path.display(), failure.doing, failure.why)).collect()
}

/// Everything below a folder, as sorted paths.
fn listing(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(&at).unwrap() {
            let entry = entry.unwrap();
            found.push(entry.path().strip_prefix(folder).unwrap().to_string_lossy().into_owned());
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

/// Says loudly that a test proved nothing. Fails where the tools were promised.
pub(in crate::vault) fn skip(why: &str) {
    assert!(std::env::var("STRONGROOM_TEST_TOOLS").as_deref() != Ok("required"), "cannot be tested here: {why}");
    let mut out = std::io::stderr().lock();
    writeln!(out, "SKIPPED: {why}").expect("standard error takes a line");
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

//! A backup against a restore of it, against failing places, and against files that do not hold still.

mod faults;
mod packs;
mod panics;
mod restless;
mod stages;
mod trees;
mod twos;

use std::path::{Path, PathBuf};

use super::{Options, Report, backup};
use crate::vault::cancel::Cancel;
use crate::vault::compression::Compression;
use crate::vault::error::Error;
use crate::vault::id::Id;
use crate::vault::restore;
use crate::vault::snapshot::Snapshot;
use crate::vault::source::select::Everything;
use crate::vault::source::stamp::Ignored;
use crate::vault::testing::Vault;

/// What a snapshot says of itself in these tests.
fn snapshot() -> Snapshot {
    let text = format!(r#"{{"time":"2026-11-26T12:00:00Z","tree":"{}"}}"#, Id::of(b""));
    Snapshot::parse(text.as_bytes(), &Id::of(b"")).unwrap()
}

fn options(parent: Option<(Id, Id)>) -> Options<'static> {
    Options {
        select: &Everything,
        with_atime: false,
        ignored: Ignored::default(),
        compression: Compression::Auto,
        parent,
        is_dry_run: false,
        guard: None,
        skip_if_unchanged: false,
        skip_if_empty: false,
        snapshot: snapshot(),
    }
}

fn save_with(vault: &Vault, source: &Path, options: &Options<'_>) -> Result<Report, Error> {
    let index = vault.repository.load_index(&Cancel::default())?.index;
    backup(&vault.repository, index, &[source.to_owned()], options, &Cancel::default(), &())
}

/// A backup of a folder after another one of it; nothing may fail.
#[track_caller]
fn save(vault: &Vault, source: &Path, before: Option<&Report>) -> Report {
    let parent = before.and_then(|report| report.snapshot.map(|snapshot| (snapshot, report.tree)));
    let report = save_with(vault, source, &options(parent)).unwrap();
    assert!(report.failures.is_empty(), "{:?}", report.failures);
    report
}

/// Restores what lay under `source`; where it is then.
#[track_caller]
fn restored(vault: &Vault, report: &Report, source: &Path, target: &Path) -> PathBuf {
    let index = vault.index();
    let from = restore::Source { repository: &vault.repository, index: &index };
    let done = restore::restore(from, report.tree, target, &restore::Options::default(), &Cancel::default(), &());
    assert!(done.is_complete(), "{:?}", done.failures);
    target.join(source.strip_prefix("/").unwrap())
}

/// Our own check of all that is stored.
#[track_caller]
fn check(vault: &Vault) {
    let report = crate::vault::check::run(&vault.repository, crate::vault::check::Read::All, &Cancel::default(), &()).unwrap();
    assert!(report.problems.is_empty(), "{:?}", report.problems);
}

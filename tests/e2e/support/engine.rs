//! The vault's engine as a library, for tests that need thousands of runs: a password is tried once, not each time.

use std::path::Path;

use strongroom::vault::backup::{Options, Report, backup};
use strongroom::vault::cancel::Cancel;
use strongroom::vault::compression::Compression;
use strongroom::vault::config::Version;
use strongroom::vault::id::Id;
use strongroom::vault::keys::{Maker, Password};
use strongroom::vault::repository::Repository;
use strongroom::vault::restore::{self, restore};
use strongroom::vault::snapshot::Snapshot;
use strongroom::vault::source::select::Everything;
use strongroom::vault::source::stamp::Ignored;

use super::held::Held;

/// A repository in memory.
pub struct Engine {
    pub held: Held,
    pub repository: Repository,
}

impl Engine {
    pub fn new() -> Self {
        let held = Held::default();
        let made = Repository::init(Box::new(held.clone()), &Password::new("correct horse"), Version::Two, Maker::default());
        Self { held, repository: made.expect("a repository") }
    }

    /// Another one, with a place of its own, that holds the same.
    pub fn twin(&self) -> Self {
        let held = Held::holding(self.held.files());
        let opened = Repository::open(Box::new(held.clone()), &Password::new("correct horse"));
        Self { held, repository: opened.expect("it opens") }
    }

    /// A backup of a folder after another one of it; nothing may fail.
    #[track_caller]
    pub fn save(&self, source: &Path, before: Option<&Report>) -> Report {
        let text = format!(r#"{{"time":"2026-11-26T12:00:00Z","tree":"{}"}}"#, Id::of(b""));
        let options = Options {
            select: &Everything,
            with_atime: false,
            ignored: Ignored::default(),
            compression: Compression::Auto,
            parent: before.and_then(|report| report.snapshot.map(|snapshot| (snapshot, report.tree))),
            is_dry_run: false,
            guard: None,
            skip_if_unchanged: false,
            skip_if_empty: false,
            snapshot: Snapshot::parse(text.as_bytes(), &Id::of(b"")).expect("a snapshot"),
        };
        let index = self.repository.load_index(&Cancel::default()).expect("the index").index;
        let done = backup(&self.repository, index, &[source.to_owned()], &options, &Cancel::default(), &());
        let report = done.expect("a backup");
        assert!(report.failures.is_empty(), "{:?}", report.failures);
        report
    }

    /// Restores a tree into a folder, as far as it can be.
    pub fn restore(&self, tree: Id, target: &Path) -> restore::Report {
        let index = self.repository.load_index(&Cancel::default()).expect("the index").index;
        let from = restore::Source { repository: &self.repository, index: &index };
        restore(from, tree, target, &restore::Options::default(), &Cancel::default(), &())
    }
}

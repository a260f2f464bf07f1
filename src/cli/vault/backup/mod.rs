//! `vault backup`: files and folders become a snapshot.

mod args;
mod report;
mod watch;

use jiff::Timestamp;

pub use self::args::Backup;
use super::counted::counted;
use super::session::Session;
use super::{failures, maker, moment};
use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::cli::progress;
use crate::vault::backup::{Options, Report, backup};
use crate::vault::id::Id;
use crate::vault::lock::Mode;
use crate::vault::progress::Counters;
use crate::vault::snapshot::Snapshot;
use crate::vault::snapshots::{Filter, Snapshots, Stored};

impl Backup {
    pub fn run(self: Box<Self>, console: &mut Console) -> Result<(), Failure> {
        self.repository.insist_on_lock(self.dry_run)?;
        let sources = self.sources.all()?;
        let (exclude, excludes) = self.exclude()?;
        let session = self.repository.open(console)?;
        let held = session.lock(Mode::Shared)?;
        let snapshot = self.snapshot(&sources, excludes);
        let parent = self.parent(&session, &snapshot, console)?;
        let index = session.index(console)?;
        let options = Options {
            select: &exclude,
            with_atime: self.with_atime,
            ignored: self.ignored(),
            compression: self.compression.into(),
            parent,
            is_dry_run: self.dry_run,
            guard: held.guard(),
            skip_if_unchanged: self.skip_if_unchanged,
            skip_if_empty: false,
            snapshot,
        };
        let progress = Counters::default();
        let bar = progress::bar(console.is_watched);
        let made = watch::during(&bar, &progress, || backup(&session.repository, index, &sources, &options, &session.cancel, &progress));
        let report = made.map_err(|error| held.explain(session.failed("cannot back up", &error), &error))?;
        held.release(console);
        self.conclude(&report, console)
    }

    /// What the snapshot says beside its tree.
    fn snapshot(&self, sources: &[std::path::PathBuf], excludes: Vec<String>) -> Snapshot {
        let maker = maker::this();
        let absolute = |path: &std::path::PathBuf| args::absolute(path).to_string_lossy().into_owned();
        Snapshot {
            time: moment::with_offset(self.time.unwrap_or_else(Timestamp::now)),
            parent: None,
            // The engine puts the right one in its place.
            tree: Id([0; 32]),
            paths: sources.iter().map(absolute).collect(),
            hostname: self.host.clone().unwrap_or(maker.hostname),
            username: maker.username,
            uid: rustix::process::getuid().as_raw(),
            gid: rustix::process::getgid().as_raw(),
            excludes,
            tags: self.tags(),
            original: None,
            program_version: Some(concat!("strongroom ", env!("CARGO_PKG_VERSION")).to_owned()),
            summary: None,
        }
    }

    /// The snapshot to compare with: the one that is named, or the newest of this host and these paths that is not newer than this one.
    fn parent(&self, session: &Session, snapshot: &Snapshot, console: &mut Console) -> Result<Option<(Id, Id)>, Failure> {
        if self.force {
            return Ok(None);
        }
        let snapshots = session.snapshots(console)?;
        let found = match &self.parent {
            Some(name) => {
                let found = snapshots.find(name, &Filter::default());
                Some(found.map_err(|error| session.failed("cannot compare with --parent", &error))?)
            }
            None => newest_like(&snapshots, snapshot),
        };
        Ok(found.map(|stored| (stored.id, stored.snapshot.tree)))
    }

    fn conclude(&self, report: &Report, console: &mut Console) -> Result<(), Failure> {
        failures::list(&report.failures, report.failures_left_out, console);
        console.answer_either(&report::as_json(report, self.dry_run), || report::as_text(report, self.dry_run))?;
        match failures::count(&report.failures, report.failures_left_out) {
            0 => Ok(()),
            count => Err(Failure::damaged(format!("{} could not be saved, or not wholly", counted(count, "entry")))),
        }
    }
}

fn newest_like<'a>(snapshots: &'a Snapshots, like: &Snapshot) -> Option<&'a Stored> {
    let filter = Filter { hosts: vec![like.hostname.clone()], tags: Vec::new(), paths: like.paths.clone() };
    let now = like.at();
    snapshots.found.iter().rfind(|stored| filter.matches(&stored.snapshot) && stored.snapshot.at() <= now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(time: &str, host: &str, paths: &[&str]) -> Stored {
        let snapshot = Snapshot {
            time: time.to_owned(),
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            hostname: host.to_owned(),
            ..empty()
        };
        Stored { id: Id::of(time.as_bytes()), snapshot }
    }

    fn empty() -> Snapshot {
        let text = format!(r#"{{"time":"2026-01-01T00:00:00Z","tree":"{}"}}"#, Id([0; 32]).hex());
        Snapshot::parse(text.as_bytes(), &Id([0; 32])).expect("a snapshot")
    }

    #[test]
    fn the_parent_is_the_newest_of_this_host_and_these_paths_that_is_not_of_the_future() {
        let found = vec![
            stored("2026-01-01T00:00:00Z", "a", &["/x", "/y"]),
            stored("2026-01-02T00:00:00Z", "a", &["/x"]),
            stored("2026-01-03T00:00:00Z", "b", &["/x"]),
            stored("2026-01-04T00:00:00Z", "a", &["/z"]),
            stored("2026-01-06T00:00:00Z", "a", &["/x"]),
        ];
        let snapshots = Snapshots { found, failed: Vec::new() };
        for (host, paths, expected) in [("a", &["/x"][..], Some(1)), ("a", &["/x", "/y"], Some(0)), ("b", &["/z"], None)] {
            let like = stored("2026-01-05T00:00:00Z", host, paths).snapshot;
            assert_eq!(newest_like(&snapshots, &like), expected.map(|at: usize| &snapshots.found[at]), "{host} {paths:?}");
        }
    }
}

//! A vault in a folder, an agent's secrets, and a server that notes what it hears.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::{Ended, Run, RunReport, Secrets, restore_from};
use crate::agent::channel::CallError;
use crate::agent::jobs::{Hears, Reporter};
use crate::agent::leash::Leash;
use crate::agent::state::{KeyPair, StateError};
use crate::model::access::Secret;
use crate::vault::backend::location::Location;
use crate::vault::backend::{Backend, open, options};
use crate::vault::backup;
use crate::vault::cancel::Cancel;
use crate::vault::compression::Compression;
use crate::vault::config::Version;
use crate::vault::id::Id;
use crate::vault::index::Index;
use crate::vault::keys::{Maker, Password};
use crate::vault::repository::Repository;
use crate::vault::snapshot::Snapshot;
use crate::vault::source::select::Everything;
use crate::vault::source::stamp::Ignored;
use crate::wire::channel::work::Generation;

/// A backup of one folder.
pub(super) struct Stored {
    pub folder: tempfile::TempDir,
    pub snapshot: Id,
    pub generation: Generation,
    pub secrets: Known,
}

/// What the agent knows.
#[derive(Default)]
pub(super) struct Known {
    pub passphrases: Vec<Secret>,
    pub ciphertext: Option<String>,
}

impl Secrets for Known {
    fn key_pair(&self) -> Result<KeyPair, StateError> {
        Ok(KeyPair::of_tests())
    }

    fn kept_ciphertext(&self) -> Option<String> {
        self.ciphertext.clone()
    }

    fn passphrases(&self) -> Result<Vec<Secret>, StateError> {
        Ok(self.passphrases.clone())
    }
}

impl Stored {
    /// Backs up one folder into a generation that the server opens.
    pub(super) fn of(source: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let password = Password::new("canary of the vault");
        let repository = Repository::init(place(folder.path()), &password, Version::Two, Maker::default()).unwrap();
        let paths = [source.to_str().unwrap()];
        let text = serde_json::json!({"time": "2026-01-01T00:00:00Z", "tree": Id::of(b"").hex(), "paths": paths}).to_string();
        let options = backup::Options {
            select: &Everything,
            with_atime: false,
            ignored: Ignored::default(),
            compression: Compression::default(),
            parent: None,
            is_dry_run: false,
            guard: None,
            skip_if_unchanged: false,
            skip_if_empty: false,
            snapshot: Snapshot::parse(text.as_bytes(), &Id::of(b"")).unwrap(),
        };
        let sources = [source.to_owned()];
        let report = backup::backup(&repository, Index::default(), &sources, &options, &Cancel::default(), &()).unwrap();
        assert!(report.failures.is_empty());
        let password = Some(Secret::presented("canary of the vault"));
        let generation = Generation { number: 2, is_encrypted: false, is_ready: true, password };
        Self { folder, snapshot: report.snapshot.unwrap(), generation, secrets: Known::default() }
    }

    /// The same, as where only a passphrase opens it.
    pub(super) fn encrypted(mut self) -> Self {
        (self.generation.is_encrypted, self.generation.password) = (true, None);
        self
    }

    /// All files of the vault below one of its folders.
    pub(super) fn files(&self, below: &str) -> Vec<PathBuf> {
        let (mut files, mut folders) = (Vec::new(), vec![self.folder.path().join(below)]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        files
    }
}

fn place(folder: &Path) -> Box<dyn Backend> {
    open(&Location::parse(folder).unwrap(), &options::Options::default()).unwrap()
}

/// Notes what is reported, and may want the run to be stopped when it hears of a state.
#[derive(Default)]
pub(super) struct Server {
    heard: Mutex<Vec<RunReport>>,
    stops_at: Option<&'static str>,
}

impl Hears for Server {
    fn report(&self, run: i64, report: &RunReport) -> Result<Option<Run>, CallError> {
        assert_eq!((run, report.attempt), (12, 3));
        self.heard.lock().unwrap().push(report.clone());
        let job = crate::wire::channel::work::JobText::Cleanup { forget: Vec::new(), is_halted: false };
        let stop = self.stops_at == Some(report.state.as_str());
        Ok(Some(Run { id: run, attempt: report.attempt, state: report.state.clone(), stop, job }))
    }
}

impl Server {
    pub(super) fn stopping_at(state: &'static str) -> Arc<Self> {
        Arc::new(Self { heard: Mutex::default(), stops_at: Some(state) })
    }

    /// Does the run; its end, and the states that were told on the way.
    pub(super) fn hears(self: &Arc<Self>, stored: &Stored, run: &Run) -> (Ended, Vec<String>) {
        let reporter = Reporter { channel: Arc::clone(self) as _, run: run.id, attempt: run.attempt, leash: Leash::default() };
        let place_of = |generation| {
            assert_eq!(generation, stored.generation.number);
            Ok(place(stored.folder.path()))
        };
        let ended = restore_from(&place_of, &stored.secrets, run, &reporter);
        let states = self.heard.lock().unwrap().iter().map(|report| report.state.clone()).collect();
        (ended, states)
    }
}

/// The final report of a restore that is not stopped.
pub(super) fn report(stored: &Stored, run: &Run) -> RunReport {
    done(Arc::<Server>::default().hears(stored, run).0)
}

pub(super) fn done(ended: Ended) -> RunReport {
    match ended {
        Ended::Done(report) => report,
        Ended::Cut(report) => panic!("it was cut: {report:?}"),
    }
}

//! A machine with its vault in folders, its kept passphrases in memory, and an end that comes when a test says so.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::agent::channel::{CallError, Outcome};
use crate::agent::jobs::passphrase::means::Means;
use crate::agent::state::{KeyPair, StateError};
use crate::model::access::Secret;
use crate::vault::backend::content::Content;
use crate::vault::backend::location::Location;
use crate::vault::backend::options::Options;
use crate::vault::backend::{Backend, Kind, Listed, Name, open};
use crate::vault::config::Version;
use crate::vault::error::Error;
use crate::vault::keys::{Maker, Password};
use crate::vault::repository::Repository;
use crate::wire::channel::work::{Generation, Request};

pub(super) struct Machine {
    folder: tempfile::TempDir,
    life: Arc<Life>,
    kept: Mutex<(Option<Secret>, Option<Secret>)>,
    said: Mutex<Vec<Outcome>>,
}

/// Steps that are still to come before the end.
#[derive(Default)]
struct Life(Mutex<(Option<usize>, bool)>);

impl Life {
    /// Takes a step; nothing where the end has come. The last step may be made all the same, as where its answer is lost.
    fn step<T>(&self, step: impl FnOnce() -> T) -> Option<T> {
        let (left, makes_the_last) = &mut *self.0.lock().unwrap();
        match left {
            Some(0) => {
                if std::mem::take(makes_the_last) {
                    step();
                }
                None
            }
            left => {
                *left = left.map(|left| left - 1);
                Some(step())
            }
        }
    }
}

impl Machine {
    pub(super) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), life: Arc::default(), kept: Mutex::default(), said: Mutex::default() }
    }

    /// One that keeps this passphrase, with copies of the other one's repositories.
    pub(super) fn like(other: &Self, kept: &str) -> Self {
        let machine = Self::new();
        copy(other.folder.path(), machine.folder.path());
        machine.kept.lock().unwrap().0 = Some(Secret::presented(kept));
        machine
    }

    /// Makes a generation with keys of these passphrases.
    pub(super) fn init(&self, generation: i64, passphrases: &[&str]) {
        let [first, others @ ..] = passphrases else { panic!("a repository has a key") };
        let password = Password::new(*first);
        let repository = Repository::init(self.local(generation), &password, Version::Two, Maker::default()).unwrap();
        for other in others {
            repository.add_key(&Password::new(*other), Maker::default()).unwrap();
        }
    }

    pub(super) fn die_after(&self, steps: usize, makes_the_last: bool) {
        *self.life.0.lock().unwrap() = (Some(steps), makes_the_last);
    }

    pub(super) fn revive(&self) {
        self.life.0.lock().unwrap().0 = None;
    }

    pub(super) fn said(&self) -> Vec<Outcome> {
        self.said.lock().unwrap().clone()
    }

    pub(super) fn kept(&self) -> Vec<String> {
        self.passphrases().unwrap().iter().map(|passphrase| passphrase.reveal().to_owned()).collect()
    }

    pub(super) fn keep_beside(&self, proposed: &str) {
        self.kept.lock().unwrap().1 = Some(Secret::presented(proposed));
    }

    pub(super) fn opens(&self, generation: i64, passphrase: &str) -> bool {
        match Repository::open(self.local(generation), &Password::new(passphrase)) {
            Ok(_) => true,
            Err(Error::WrongPassword | Error::NoRepository(_)) => false,
            Err(error) => panic!("{error:?}"),
        }
    }

    pub(super) fn keys(&self, generation: i64) -> usize {
        self.local(generation).list(Kind::Key).unwrap().len()
    }

    fn local(&self, generation: i64) -> Box<dyn Backend> {
        let location = Location::parse(self.folder.path().join(format!("g{generation}"))).unwrap();
        open(&location, &Options::default()).unwrap()
    }

    fn keep(&self, change: impl FnOnce(&mut (Option<Secret>, Option<Secret>))) -> Result<(), StateError> {
        let done = self.life.step(|| change(&mut self.kept.lock().unwrap()));
        done.ok_or_else(|| StateError::Io { path: "passphrase".into(), source: std::io::ErrorKind::Interrupted.into() })
    }
}

impl Means for Machine {
    fn place(&self, generation: i64) -> Result<Box<dyn Backend>, Error> {
        Ok(Box::new(Mortal { inner: self.local(generation), life: Arc::clone(&self.life) }))
    }

    fn say(&self, outcome: Outcome) -> Result<(), CallError> {
        let said = self.life.step(|| self.said.lock().unwrap().push(outcome));
        said.ok_or(CallError::Cancelled)
    }

    fn key_pair(&self) -> Result<KeyPair, StateError> {
        Ok(KeyPair::of_tests())
    }

    fn passphrases(&self) -> Result<Vec<Secret>, StateError> {
        let (present, proposed) = self.kept.lock().unwrap().clone();
        Ok(present.into_iter().chain(proposed).collect())
    }

    fn propose(&self, passphrase: &Secret) -> Result<(), StateError> {
        self.keep(|kept| kept.1 = Some(passphrase.clone()))
    }

    fn accept(&self) -> Result<(), StateError> {
        self.keep(|(present, proposed)| *present = proposed.take().or_else(|| present.take()))
    }

    fn reject(&self) -> Result<(), StateError> {
        self.keep(|kept| kept.1 = None)
    }
}

/// A place that takes no further change after the end.
struct Mortal {
    inner: Box<dyn Backend>,
    life: Arc<Life>,
}

fn dead() -> Error {
    Error::Unavailable { doing: "a call".to_owned(), source: "killed".into() }
}

impl Backend for Mortal {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn create(&self) -> Result<(), Error> {
        self.inner.create()
    }

    fn list(&self, kind: Kind) -> Result<Vec<Listed>, Error> {
        self.inner.list(kind)
    }

    fn size_bytes(&self, name: Name) -> Result<u64, Error> {
        self.inner.size_bytes(name)
    }

    fn read(&self, name: Name, range: Option<Range<u64>>) -> Result<Content, Error> {
        self.inner.read(name, range)
    }

    fn save(&self, name: Name, bytes: Bytes) -> Result<(), Error> {
        self.life.step(|| self.inner.save(name, bytes)).unwrap_or_else(|| Err(dead()))
    }

    fn remove(&self, name: Name) -> Result<(), Error> {
        self.life.step(|| self.inner.remove(name)).unwrap_or_else(|| Err(dead()))
    }

    fn lists_at_once(&self) -> bool {
        self.inner.lists_at_once()
    }
}

pub(super) fn generation(number: i64, is_encrypted: bool) -> Generation {
    Generation { number, is_encrypted, is_ready: true, password: None }
}

/// A request whose passphrases are encrypted for the tests' key.
pub(super) fn request(kind: &str, passphrase: &str, old: Option<&str>) -> Request {
    let keys = KeyPair::of_tests();
    Request {
        id: "5d0c0d1e-4a55-4a0e-8d8e-7f3f0c3b1a90".to_owned(),
        kind: kind.to_owned(),
        is_taken: false,
        encrypted_password: keys.encrypt(passphrase),
        old_encrypted_password: old.map(|old| keys.encrypt(old)),
        generation: None,
    }
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&to).unwrap();
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

//! Makers of repositories that are stopped, or that others come in between of.

use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::vault::backend::location::Location;
use crate::vault::backend::options::Options;
use crate::vault::backend::{Backend, Kind, Name, open};
use crate::vault::config::Version;
use crate::vault::crypto::KeyBytes;
use crate::vault::error::Error;
use crate::vault::id::Id;
use crate::vault::keys::{KeyFile, Maker, Password};
use crate::vault::repository::Repository;
use crate::vault::testing::{Before, Call, Place};

fn make(place: Box<dyn Backend>, password: &str) -> Result<Repository, Error> {
    Repository::init(place, &Password::new(password), Version::Two, Maker::default())
}

fn folder(at: &Path) -> Box<dyn Backend> {
    open(&Location::parse(at).unwrap(), &Options::default()).unwrap()
}

fn keys(place: &dyn Backend) -> Vec<Id> {
    place.list(Kind::Key).unwrap().iter().map(|listed| listed.id).collect()
}

#[test]
fn what_was_stopped_after_its_key_is_finished_by_whoever_knows_the_password() {
    let (home, memory) = (tempfile::tempdir().unwrap(), Place::default());
    let places: [&dyn Fn() -> Box<dyn Backend>; 2] = [&|| Box::new(memory.clone()), &|| folder(&home.path().join("repository"))];
    for place in places {
        let stopped = || Error::Unavailable { doing: "a call".to_owned(), source: "killed".into() };
        let stops = move |call| if call == Call::Save(Name::Config) { Err(stopped()) } else { Ok(()) };
        let ended = make(Box::new(Before::new(place(), stops)), "secret");
        assert!(matches!(ended, Err(Error::Unavailable { .. })));
        let key = keys(&*place());
        assert_eq!(key.len(), 1);
        assert!(matches!(Repository::open(place(), &Password::new("secret")), Err(Error::NoRepository(_))));

        assert!(matches!(make(place(), "other"), Err(Error::AlreadyExists(_))));
        assert!(place().size_bytes(Name::Config).is_err() && keys(&*place()) == key, "nothing was changed");
        let made = make(place(), "secret").unwrap();
        assert_eq!(keys(&*place()), key, "it needs no second key");
        let opened = Repository::open(place(), &Password::new("secret")).unwrap();
        assert_eq!((opened.config(), opened.key()), (made.config(), key[0]));
        assert!(matches!(make(place(), "secret"), Err(Error::AlreadyExists(_))));
    }
}

#[test]
fn of_two_of_which_one_comes_in_between_the_other_one_makes_it_and_no_key_is_left_over() {
    for other_password in ["secret", "other"] {
        for before_call in 0.. {
            let (memory, other, mut calls) = (Place::default(), Arc::new(Mutex::new(None)), 0);
            let (at, made) = (memory.clone(), Arc::clone(&other));
            let comes = move |_| {
                if calls == before_call {
                    *made.lock().unwrap() = Some(make(Box::new(at.clone()), other_password));
                }
                calls += 1;
                Ok(())
            };
            let one = make(Box::new(Before::new(Box::new(memory.clone()), comes)), "secret");
            let Some(other) = other.lock().unwrap().take() else {
                assert!(before_call >= 5, "it came in between");
                break;
            };
            let (password, lost) = match one {
                Ok(_) => ("secret", other.err()),
                Err(error) => (other_password, other.ok().map(|_| error)),
            };
            assert!(matches!(lost, Some(Error::AlreadyExists(_))), "{other_password} before call {before_call}: {lost:?}");
            assert_eq!(keys(&memory).len(), 1, "{other_password} before call {before_call}");
            Repository::open(Box::new(memory), &Password::new(password)).unwrap();
        }
    }
}

#[test]
fn of_several_at_once_in_a_folder_one_makes_it() {
    let home = tempfile::tempdir().unwrap();
    let made: Vec<_> = std::thread::scope(|scope| {
        let makers = [(); 3].map(|()| scope.spawn(|| make(folder(home.path()), "secret")));
        makers.map(|maker| maker.join().unwrap()).into()
    });
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1);
    assert!(made.iter().all(|made| !made.as_ref().is_err_and(|error| !matches!(error, Error::AlreadyExists(_)))));
    assert_eq!(keys(&*folder(home.path())).len(), 1);
    Repository::open(folder(home.path()), &Password::new("secret")).unwrap();
}

#[test]
fn a_key_of_this_password_that_is_of_no_use_is_passed_over() {
    let memory = Place::default();
    let made = make(Box::new(memory.clone()), "secret").unwrap();
    while keys(&memory)[0] == made.key() {
        let useless = KeyFile::new(&KeyBytes::random(), &Password::new("secret"), Maker::default()).to_bytes();
        memory.put(Name::Of(Kind::Key, Id::of(&useless)), useless);
    }
    assert_eq!(Repository::open(Box::new(memory.clone()), &Password::new("secret")).unwrap().key(), made.key());
    memory.change(Name::Config, |bytes| bytes[20] ^= 1);
    assert!(matches!(Repository::open(Box::new(memory), &Password::new("secret")), Err(Error::Damaged { .. })));
}

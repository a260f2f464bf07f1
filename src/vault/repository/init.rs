//! Making a repository: a key, and then the configuration, which makes it one. Whatever ends it in between, the same password finishes it
//! the next time; and of several that make one at the same place, one does, and its password opens it.

#[cfg(test)]
mod tests;

use super::{Repository, opened_keys};
use crate::vault::backend::{Backend, Kind, Name};
use crate::vault::config::{Config, Version};
use crate::vault::crypto::{KeyBytes, Sealer};
use crate::vault::error::Error;
use crate::vault::id::Id;
use crate::vault::keys::{KeyFile, Maker, Password};

impl Repository {
    /// Makes a repository, or finishes one that has keys and no configuration, where this password opens one of them.
    /// [`Error::AlreadyExists`] where one is, or where its keys open with other passwords alone; nothing is changed then.
    pub fn init(backend: Box<dyn Backend>, password: &Password, version: Version, maker: Maker) -> Result<Self, Error> {
        if sealed_config(&*backend)?.is_some() {
            return Err(Error::AlreadyExists(backend.location()));
        }
        backend.create()?;
        let own = if backend.list(Kind::Key)?.is_empty() { Some(store_key(&*backend, password, maker)?) } else { None };
        // Somebody else may make one at the same time. So the key is the one that this password will find, and not always the own one.
        let (key, master) = first_key(&*backend, password, own)?;
        let (config, sealer) = (Config::random(version), Sealer::new(&master));
        let saved = backend.save(Name::Config, sealer.seal(&config.to_bytes()).into());
        match saved {
            Err(error @ Error::Refused(_)) if sealed_config(&*backend)?.is_none() => return Err(error),
            Ok(()) | Err(Error::Refused(_)) => {}
            Err(error) => return Err(error),
        }
        if let Some(own) = own {
            remove_unless_needed(&*backend, own);
        }
        match saved {
            Ok(()) => Ok(Self { backend, config, sealer, master, key }),
            // Somebody else was faster.
            Err(_) => Err(Error::AlreadyExists(backend.location())),
        }
    }
}

fn sealed_config(backend: &dyn Backend) -> Result<Option<Vec<u8>>, Error> {
    match backend.read(Name::Config, None) {
        Ok(bytes) => Ok(Some(bytes.to_vec())),
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The key goes before the configuration: that makes the repository, and nobody could open one without a key.
fn store_key(backend: &dyn Backend, password: &Password, maker: Maker) -> Result<(Id, KeyBytes), Error> {
    let master = KeyBytes::random();
    let file = KeyFile::new(&master, password, maker).to_bytes();
    let id = Id::of(&file);
    backend.save(Name::Of(Kind::Key, id), file.into())?;
    Ok((id, master))
}

/// The key that this password finds first. Where the own one is the only one, it need not be opened.
fn first_key(backend: &dyn Backend, password: &Password, own: Option<(Id, KeyBytes)>) -> Result<(Id, KeyBytes), Error> {
    let listed = backend.list(Kind::Key)?;
    match own {
        Some(own) if listed.iter().all(|key| key.id == own.0) => Ok(own),
        _ => opened_keys(backend, password)?.next().unwrap_or_else(|| Err(Error::AlreadyExists(backend.location()))),
    }
}

/// Removes a key of ours that the configuration, which is there, was not sealed with: a program that tries one key alone might find it
/// first. Where that cannot be done it stays, and [`Repository::open`] passes it over.
fn remove_unless_needed(backend: &dyn Backend, (key, master): (Id, KeyBytes)) {
    let is_useless = |mut sealed: Vec<u8>| Sealer::new(&master).open_in_place(&mut sealed).is_err();
    if sealed_config(backend).is_ok_and(|sealed| sealed.is_some_and(is_useless)) {
        let _: Result<(), Error> = backend.remove(Name::Of(Kind::Key, key));
    }
}

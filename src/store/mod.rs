//! What we promise to keep. `Store` is where bytes and rows meet; its methods are the operations.
//!
//! * 201 means kept: [`Upload::finish`] returns after bytes and row are on stable storage.
//! * Write once: the catalog's unique index on (account, name) of live rows is the only judge of who wins.
//! * Nothing goes early: lives end by [`Store::now`], the guarded time, alone.
//! * Every byte that [`Download::next`] yields was checked against the block sums of the stored file.

pub mod accounts;
pub mod blobs;
pub mod catalog;
pub mod error;
pub mod home;
pub mod list;
pub mod read;
pub mod sessions;
pub mod upload;

use crate::clock::Clock;
use crate::config::StoreConfig;
use crate::model::account::Account;
use crate::model::file_name::FileName;
use crate::model::instant::Instant;
use crate::model::stored_file::StoredFile;

pub use error::{Error, Result};

/// Catalog, blobs and clock, open. Cheap to clone.
#[derive(Clone)]
pub struct Store {}

/// What an operator should know at a glance.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Health {
    /// Why writing has stopped, where it has.
    pub writes_suspended: Option<String>,
    /// Why expiry is paused, where it is.
    pub expiry_paused: Option<String>,
    /// Why the catalog does not answer, where it does not.
    pub catalog_down: Option<String>,
}

impl Store {
    /// Opens the store for `serve`: exclusive, migrating, making what is missing.
    pub async fn open(config: &StoreConfig, clock: Clock) -> Result<Self> {
        todo!("{config:?} {clock:?}")
    }

    /// Opens the store for a command, beside a server or without one.
    pub async fn open_beside(config: &StoreConfig, clock: Clock) -> Result<Self> {
        todo!("{config:?} {clock:?}")
    }

    /// Guarded time: what ends lives and sessions. Never goes back, never jumps ahead by more than 25 h in all.
    pub fn now(&self) -> Instant {
        todo!()
    }

    /// Health now; asks the catalog.
    pub async fn health(&self) -> Health {
        todo!()
    }

    /// The live, unexpired file of that name.
    pub async fn find(&self, account: &Account, name: &FileName) -> Result<Option<StoredFile>> {
        todo!("{account:?} {name:?}")
    }
}

//! The state folder: what outlives the process. 0700, its files 0600; whatever changes is written beside, synced and renamed, so that a
//! cut leaves the old or the new.
//!
//! `bootstrap.json` says who the agent is (`bootstrap`), `private-key.pem` and `public-key.pem` are its RSA keys (`key_pair`), `passphrase`
//! is there once its user has encrypted the vault (`passphrase`), `journal.json` keeps what must not be forgotten of runs (`journal`), and
//! what is below `cache/` may be deleted. `agent.lock` keeps the folder to one process.

mod bootstrap;
pub mod file;
mod journal;
mod key_pair;
mod passphrase;

use std::fs::File;
use std::path::{Path, PathBuf};

pub use bootstrap::Bootstrap;
pub use journal::Journal;
pub use key_pair::KeyPair;
pub use passphrase::Passphrases;

/// Where the RSA keys lie in the folder.
pub const PRIVATE_KEY: &str = "private-key.pem";
pub const PUBLIC_KEY: &str = "public-key.pem";

/// An agent's state, held by this process alone.
pub struct State {
    folder: PathBuf,
    _lock: File,
}

/// Why a state cannot be used. No text holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("no agent is registered here: {0} is not there")]
    NotThere(PathBuf),
    #[error("another process of this agent has {0}")]
    Busy(PathBuf),
    #[error("{path}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{path} is damaged: {why}")]
    Damaged { path: PathBuf, why: String },
}

impl StateError {
    fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}

impl State {
    /// `/var/lib/strongroom-agent` for root, else below the user's state directory (XDG Base Directory Specification).
    pub fn default_folder() -> PathBuf {
        todo!("core")
    }

    /// The state of a registered agent.
    pub fn open(folder: &Path) -> Result<Self, StateError> {
        let _ = folder;
        todo!("core")
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What may be deleted.
    pub fn cache(&self) -> PathBuf {
        self.folder.join("cache")
    }

    pub fn bootstrap(&self) -> Result<Bootstrap, StateError> {
        todo!("core")
    }

    pub fn key_pair(&self) -> Result<KeyPair, StateError> {
        todo!("core")
    }

    pub fn passphrases(&self) -> &Passphrases {
        todo!("core")
    }

    pub fn journal(&self) -> &Journal {
        todo!("core")
    }
}

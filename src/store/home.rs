//! The data directory: its `STORE` file, its owner, and the lock that keeps it to one server.

use std::path::{Path, PathBuf};

/// A data directory that was opened. Dropping it gives the lock back, where one is held.
#[derive(Debug)]
pub struct Home {
    pub path: PathBuf,
    /// 26 characters of base32; the same in `STORE`, catalog and object store.
    pub store_id: String,
    /// Raised at every exclusive opening.
    pub generation: u64,
    /// Whether `STORE` was made by this opening.
    pub is_new: bool,
}

/// Why a data directory cannot be used; each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    #[error("{path} is in use by another strongroom ({holder}): stop it first")]
    Held { path: String, holder: String },
    #[error("{path} belongs to user {owner}, not to you: run this as that user")]
    NotOwner { path: String, owner: String },
    #[error("{path} was written by a newer strongroom: it needs at least version {needed}")]
    TooNew { path: String, needed: String },
    #[error("{path} is not a strongroom data directory: {why}")]
    Damaged { path: String, why: String },
    #[error("{path} holds no store yet: `strongroom serve` makes one")]
    Missing { path: String },
    #[error("cannot use {path}: {doing}")]
    Io {
        path: String,
        doing: String,
        #[source]
        source: std::io::Error,
    },
}

impl Home {
    /// For `serve` and `catalog rebuild`: makes the directory (0700) and `STORE` where they are missing, takes the exclusive
    /// `flock`, raises the generation. A second process is told who holds it. Blocking.
    pub fn open_exclusive(path: &Path) -> Result<Self, HomeError> {
        todo!("{path:?}")
    }

    /// For commands beside a server: no lock, nothing is changed. A root process becomes the owner of the directory first,
    /// for good, so that it leaves no file that the server cannot open. Blocking.
    pub fn open_beside(path: &Path) -> Result<Self, HomeError> {
        todo!("{path:?}")
    }
}

//! The few calls a repository needs of the place that keeps it: a folder (`local`) or a server that speaks restic's REST protocol
//! (`rest`). Every call may be made by many threads at once.

/// What was read of a file.
pub mod content;
#[cfg(test)]
mod contract;
mod local;
/// Where a repository is.
pub mod location;
/// How a place is reached.
pub mod options;
mod parting;
/// A server that is spoken to in HTTP.
pub mod rest;

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;

use super::cancel::Cancel;
use super::error::Error;
use super::id::Id;
use content::Content;
use location::{Location, Place};
use options::{Options, Retries};

/// The place that keeps the repository at `location`. Nothing is asked of it yet, so whether it can be reached is not known; what is
/// looked at is this side's: the trusted certificates are read, and plain HTTP to another machine is [`Error::Refused`].
///
/// The calls of the place block; they are not for a thread on which an async runtime polls its tasks.
pub fn open(location: &Location, options: &Options) -> Result<Box<dyn Backend>, Error> {
    Ok(match location.place() {
        Place::Folder(folder) => Box::new(local::Local::new(folder)),
        Place::Server(address) => Box::new(rest::Rest::new(address.clone(), options)?),
    })
}

/// As [`open`], for work under a lock. Also after the work was cancelled, an index file can be saved until twenty seconds later, so that
/// what is stored already serves the next run; and the lock can be removed, which is tried for some seconds.
pub fn open_for_work(location: &Location, options: &Options) -> Result<Box<dyn Backend>, Error> {
    const LONGEST: Duration = Duration::from_secs(10);
    let retries = Retries { in_all: LONGEST, longest_asked: LONGEST, ..options.retries };
    let unhurried = |cancel| open(location, &Options { cancel, idle: LONGEST, retries, ..options.clone() });
    Ok(Box::new(parting::Parting {
        work: open(location, options)?,
        index: unhurried(options.cancel.after(2 * LONGEST))?,
        lock: unhurried(Cancel::default())?,
    }))
}

/// The kinds of files that are named by their SHA-256, in the order in which `restic` lists them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// A pack of blobs.
    Data,
    Key,
    Lock,
    Snapshot,
    Index,
}

/// The name of one file of a repository.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Name {
    Config,
    Of(Kind, Id),
}

/// One line of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listed {
    pub id: Id,
    pub size_bytes: u64,
}

/// A place that keeps the files of one repository.
pub trait Backend: Send + Sync {
    /// What people know it by; holds no password.
    fn location(&self) -> String;

    /// Makes the place ready for its first file. Does nothing where it is ready.
    fn create(&self) -> Result<(), Error>;

    /// All files of a kind, in no order that a caller may rely on but for keys, which come oldest first. Names that are no id are left
    /// out.
    fn list(&self, kind: Kind) -> Result<Vec<Listed>, Error>;

    /// How many bytes a file has. [`Error::NotFound`] where it is not there.
    fn size_bytes(&self, name: Name) -> Result<u64, Error>;

    /// A whole file, or exactly a range of it; a file that ends before the range is [`Error::Damaged`]. Whether the bytes are the right
    /// ones is for the caller to check. [`Error::NotFound`] where it is not there.
    fn read(&self, name: Name, range: Option<Range<u64>>) -> Result<Content, Error>;

    /// Stores a file: after `Ok` its bytes are on stable storage under this name. It never replaces other bytes; the same file again is
    /// `Ok`, so a call whose answer was lost may be repeated.
    fn save(&self, name: Name, bytes: Bytes) -> Result<(), Error>;

    /// `Ok` where it is not there, too.
    fn remove(&self, name: Name) -> Result<(), Error>;

    /// Whether a list tells of everything that was saved before it began, whoever saved it. A server's last list says it; of most servers
    /// nobody knows it.
    fn lists_at_once(&self) -> bool;
}

impl Kind {
    /// The folder of this kind, in a repository's folder as in a URL.
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Key => "keys",
            Self::Lock => "locks",
            Self::Snapshot => "snapshots",
            Self::Index => "index",
        }
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Config => out.write_str("config"),
            Self::Of(kind, id) => write!(out, "{}/{id}", kind.folder()),
        }
    }
}

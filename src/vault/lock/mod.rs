//! Locks (`doc/design.rst`, "Locks"): files that say who works on a repository. Many may hold a shared one, for a backup, restore or
//! check; an exclusive one, for forget and prune, only one, and nobody else any.
//!
//! Whoever wants one looks for others, writes its own and looks again: of two that come at once at least one sees the other and gives
//! way. Before the second look it waits a moment, as a list may be late; who shares does so only where the place may be such a one. A lock is written anew every 5 minutes. One that is 30 minutes old, or whose process on this machine is gone, is
//! stale and stops nobody: but whom it would have stopped removes it first, and so tells its holder, should that come back from a long
//! sleep, that the repository is no longer as it was. A lock whose time is to come is not stale, as some clock is wrong then.
//!
//! What cannot be read as a lock is none: whoever may write there could else keep everybody out for ever. `list` tells it.

mod file;
mod guard;
mod keeper;
#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};

pub use file::LockFile;
pub use guard::{Guard, Options, Terms};

use super::backend::{Kind, Listed, Name};
use super::error::Error;
use super::id::Id;
use super::repository::Repository;

/// No lock is larger; what is larger is not read.
const MOST_BYTES: u64 = 64 << 10;
/// When a lock that nobody has written anew is stale.
const STALE_AFTER: SignedDuration = SignedDuration::from_mins(30);

/// How much of a repository a lock is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Reading, and adding.
    Shared,
    /// Removing.
    Exclusive,
}

/// Time, as locks see it.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;

    /// Comes back after so long, and not before.
    fn wait(&self, time: std::time::Duration);
}

/// The time of this machine.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn wait(&self, time: std::time::Duration) {
        std::thread::sleep(time);
    }
}

/// A file below `locks/`.
#[derive(Debug)]
pub struct Found {
    pub id: Id,
    /// An error where it is no lock that this repository's key opens.
    pub lock: Result<LockFile, Error>,
}

/// All locks, stale ones and those that are none among them.
pub fn list(repository: &Repository) -> Result<Vec<Found>, Error> {
    let mut found = Vec::new();
    for listed in repository.backend().list(Kind::Lock)? {
        match read(repository, listed) {
            // Removed after it was listed.
            Err(Error::NotFound(_)) => {}
            lock @ (Ok(_) | Err(Error::Damaged { .. })) => found.push(Found { id: listed.id, lock }),
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// Removes locks that are stale, or all of them. Which they were.
pub fn unlock(repository: &Repository, is_for_all: bool, this_host: &str, clock: &dyn Clock) -> Result<Vec<Id>, Error> {
    let mut removed = Vec::new();
    for found in list(repository)? {
        let is_stale = found.lock.is_ok_and(|lock| lock.is_stale(clock.now(), this_host));
        if is_for_all || is_stale {
            repository.backend().remove(Name::Of(Kind::Lock, found.id))?;
            removed.push(found.id);
        }
    }
    Ok(removed)
}

fn read(repository: &Repository, listed: Listed) -> Result<LockFile, Error> {
    let damaged = |why: String| Error::damaged(format!("lock {}", listed.id.short()), why);
    if listed.size_bytes > MOST_BYTES {
        return Err(damaged("it is larger than any lock".to_owned()));
    }
    let plain = repository.read_file(Kind::Lock, listed.id)?;
    serde_json::from_slice(&plain).map_err(|error| damaged(error.to_string()))
}

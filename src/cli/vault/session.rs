//! An open repository and what a command does with it: take a lock, look at snapshots, and say what failed.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use super::maker;
use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::vault::backend::location::Location;
use crate::vault::cancel::Cancel;
use crate::vault::error::Error;
use crate::vault::index::Index;
use crate::vault::lock::{self, Guard, Mode};
use crate::vault::repository::Repository;
use crate::vault::snapshots::Snapshots;

/// An open repository.
pub struct Session {
    pub repository: Arc<Repository>,
    /// Raised by a signal, and where the lock is lost.
    pub cancel: Cancel,
    location: Location,
    retry_for: Duration,
    no_lock: bool,
}

/// A lock, where one could be had. Dropped, it is released.
pub struct Held(Option<Guard>);

impl Session {
    pub fn new(repository: Repository, cancel: Cancel, location: Location, retry_for: Duration, no_lock: bool) -> Self {
        Self { repository: Arc::new(repository), cancel, location, retry_for, no_lock }
    }

    /// Where it is, without secrets.
    pub fn place(&self) -> String {
        self.location.to_string()
    }

    /// Says of an error what was being done.
    pub fn failed(&self, doing: &str, error: &Error) -> Failure {
        failed(doing, error, &self.location)
    }

    /// Takes a lock, unless none was to be taken.
    pub fn lock(&self, mode: Mode) -> Result<Held, Failure> {
        if self.no_lock {
            return Ok(Held(None));
        }
        let options = lock::Options { retry_for: self.retry_for, ..lock::Options::new(maker::this()) };
        let taken = Guard::take(&self.repository, mode, &options, &self.cancel);
        taken.map(|guard| Held(Some(guard))).map_err(|error| self.failed("cannot lock the repository", &error))
    }

    /// A lock for reading. Where the place takes none, such as in a dated view, nothing changes there, and none is needed.
    pub fn lock_for_reading(&self) -> Result<Held, Failure> {
        if self.no_lock {
            return Ok(Held(None));
        }
        let options = lock::Options { retry_for: self.retry_for, ..lock::Options::new(maker::this()) };
        match Guard::take(&self.repository, Mode::Shared, &options, &self.cancel) {
            Ok(guard) => Ok(Held(Some(guard))),
            Err(Error::Refused(_)) => Ok(Held(None)),
            Err(error) => Err(self.failed("cannot lock the repository", &error)),
        }
    }

    /// Reads all snapshots. Damaged ones are told.
    pub fn snapshots(&self, console: &mut Console) -> Result<Snapshots, Failure> {
        let loaded = Snapshots::load(&self.repository, &self.cancel);
        let snapshots = loaded.map_err(|error| self.failed("cannot read the snapshots", &error))?;
        for (id, error) in &snapshots.failed {
            console.note(&format!("warning: snapshot {} is left out: {error}", id.short()));
        }
        Ok(snapshots)
    }

    /// Reads the index. Damaged files of it are told.
    pub fn index(&self, console: &mut Console) -> Result<Index, Failure> {
        let loaded = self.repository.load_index(&self.cancel).map_err(|error| self.failed("cannot read the index", &error))?;
        for (id, error) in &loaded.failed {
            console
                .note(&format!("warning: index file {} is left out: {error}; `strongroom vault check` says what that costs", id.short()));
        }
        Ok(loaded.index)
    }
}

impl Held {
    pub const fn guard(&self) -> Option<&Guard> {
        self.0.as_ref()
    }

    /// Releases it; a lock that stays behind is told.
    pub fn release(self, console: &mut Console) {
        if let Some(Err(error)) = self.0.map(Guard::release) {
            console.note(&format!("warning: the lock was left behind: {error}; it is stale in 30 minutes"));
        }
    }

    /// A better word for [`Error::Cancelled`] where the lock was lost.
    pub fn explain(&self, failure: Failure, error: &Error) -> Failure {
        match (error, self.0.as_ref().and_then(Guard::lost_because)) {
            (Error::Cancelled, Some(why)) => {
                Failure::new(format!("the lock on the repository was lost: {why}")).with_hint("try again; what is stored already is used")
            }
            _ => failure,
        }
    }
}

/// What failed, on what, then a hint.
pub fn failed(doing: &str, error: &Error, location: &Location) -> Failure {
    let failure = match error {
        Error::Cancelled => return Failure::new("cancelled"),
        Error::NoRepository(_) => Failure::new(error.to_string()),
        _ => Failure::because(doing, error),
    };
    match hint(error, location) {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

fn hint(error: &Error, location: &Location) -> Option<&'static str> {
    let place = location.to_string();
    let is_view = location.as_folder().is_none() && (place.contains("/@") || place.contains("/session/"));
    match error {
        Error::WrongPassword => Some("it is the repository's password that is wrong, not that of an access URL"),
        Error::NoRepository(_) => Some("`strongroom vault init` makes one"),
        Error::AlreadyExists(_) => Some("nothing was changed; use it, or choose another path"),
        Error::Locked(_) => Some("wait with --retry-lock 30m; if nobody works there any more, `strongroom vault unlock`"),
        Error::Refused(_) if is_view => {
            Some("dated views and sessions are for reading alone: to change something use the URL without them")
        }
        Error::Refused(why) if why.contains("certificate") => {
            Some("name the server's certificate with --ca-file, or its SHA-256 with --pin")
        }
        Error::Refused(why) if why.contains("401") => Some("user or password of the access URL is wrong, or was rotated"),
        Error::Full(_) => Some("make room, raise the quota, or forget snapshots and prune"),
        Error::Damaged { .. } => Some("`strongroom vault check` says what is damaged, and what that costs"),
        Error::NotFound(what) if what.contains("snapshot") => Some("`strongroom vault snapshots` lists them"),
        Error::Unavailable { source, .. } if source.to_string().contains("certificate") => {
            Some("name the server's certificate with --ca-file, or its SHA-256 with --pin")
        }
        Error::Local { source, .. } if source.source().is_none() && source.kind() == std::io::ErrorKind::PermissionDenied => {
            Some("look at owner and mode")
        }
        _ => None,
    }
}

//! The data directory: its `STORE` file, its owner, and the lock that keeps it to one server.
//!
//! * `LOCK` is held by `flock`, so it is free the moment its holder dies, however it dies; the text in it only names the holder.
//! * `STORE` is written whole or not at all, and durable with every folder above it that was made for it.
//! * A store is only made where nothing else lies: a lost `STORE` over backups is never taken for a new store.

mod lock;
mod store_file;

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};

use crate::model::access::AccountId;
use store_file::StoreFile;

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
    /// Locked for as long as this lives.
    _lock: Option<File>,
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

/// What may lie in a directory that is to become a store: what a repository keeps there, and what a first start left that was cut off.
const FINE_WITHOUT_STORE: [&str; 5] = ["LOCK", "STORE.new", "blobs", "tls", "lost+found"];

const STORE_IS_LOST: &str =
    "it holds backups and its STORE file is gone: put that back from a copy, or run `strongroom catalog rebuild`, which makes it anew";

impl Home {
    /// For `serve`: makes the directory (0700) and `STORE` where they are missing, takes the exclusive `flock`, raises the
    /// generation. A second process is told who holds it. Blocking.
    pub fn open_exclusive(path: &Path) -> Result<Self, HomeError> {
        make(path)?;
        check_owner(path)?;
        if store_file::read(path)?.is_none() {
            check_nothing_else(path)?;
        }
        let lock = Self::lock(path)?;
        match store_file::read(path)? {
            Some(known) => Self::begin(path, known, false, lock),
            None if holds_backups(path)? => Err(damaged(path, STORE_IS_LOST)),
            None => Self::begin(path, StoreFile::fresh(), true, lock),
        }
    }

    /// For `catalog rebuild`: as [`Home::open_exclusive`], but a `STORE` that is lost or unreadable is made anew; an unreadable one
    /// is kept as `STORE.damaged`. The directory must exist.
    pub fn open_exclusive_for_rebuild(path: &Path) -> Result<Self, HomeError> {
        check_owner(path)?;
        if store_file::read(path).is_ok_and(|known| known.is_none()) && !holds_backups(path)? {
            return Err(HomeError::Missing { path: path.display().to_string() });
        }
        let lock = Self::lock(path)?;
        let known = match store_file::read(path) {
            Err(HomeError::Damaged { .. }) => {
                store_file::set_aside(path)?;
                None
            }
            known => known?,
        };
        let is_new = known.is_none();
        Self::begin(path, known.unwrap_or_else(StoreFile::fresh), is_new, lock)
    }

    /// For commands beside a server: no lock, nothing is changed. Blocking.
    ///
    /// A command that root runs calls [`become_owner`] first, or it is refused like any other user.
    pub fn open_beside(path: &Path) -> Result<Self, HomeError> {
        check_owner(path)?;
        match store_file::read(path)? {
            Some(known) => Ok(Self::of(path, known, false, None)),
            None if holds_backups(path)? => Err(damaged(path, STORE_IS_LOST)),
            None => Err(HomeError::Missing { path: path.display().to_string() }),
        }
    }

    fn lock(path: &Path) -> Result<File, HomeError> {
        close_to_others(path)?;
        lock::take(path)
    }

    fn begin(path: &Path, mut store: StoreFile, is_new: bool, lock: File) -> Result<Self, HomeError> {
        store.generation = store.generation.saturating_add(1);
        store_file::write(path, &store)?;
        Ok(Self::of(path, store, is_new, Some(lock)))
    }

    fn of(path: &Path, store: StoreFile, is_new: bool, lock: Option<File>) -> Self {
        Self { path: path.to_owned(), store_id: store.store, generation: store.generation, is_new, _lock: lock }
    }
}

/// Starts this program again as the owner of the data directory, for good, where root runs it for somebody else's: so it leaves no
/// file there that the server cannot open. Returns only where nothing had to change. Call it first of all: whatever was done
/// before is done again.
pub fn become_owner(path: &Path) -> Result<(), HomeError> {
    let Ok(metadata) = fs::metadata(path) else { return Ok(()) };
    if !rustix::process::geteuid().is_root() || metadata.uid() == 0 {
        return Ok(());
    }
    let program = std::env::current_exe().map_err(|source| failed(path, "finding this program", source))?;
    // For root, setting the user also takes root's further groups off.
    let source = std::process::Command::new(program).args(std::env::args_os().skip(1)).gid(metadata.gid()).uid(metadata.uid()).exec();
    Err(failed(path, "becoming its owner", source))
}

/// Makes the directory and those above it, each durable in the one above.
pub fn make(path: &Path) -> Result<(), HomeError> {
    let above = path.parent().map(|above| if above.as_os_str().is_empty() { Path::new(".") } else { above });
    let made = match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
        Err(error) if error.kind() == io::ErrorKind::NotFound && above.is_some_and(|above| !above.exists()) => {
            make(above.expect("a path that is not there has one above"))?;
            return make(path);
        }
        Err(source) => return Err(failed(path, "making it", source)),
    };
    match above.map(sync_folder) {
        // What was there before may lie in a folder that we cannot read.
        Some(Err(source)) if made => Err(failed(path, "syncing the folder above it", source)),
        _ => Ok(()),
    }
}

fn close_to_others(path: &Path) -> Result<(), HomeError> {
    let mode = fs::metadata(path).map_err(|source| failed(path, "looking at it", source))?.mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(|source| failed(path, "closing it to other users", source))
}

fn check_owner(path: &Path) -> Result<(), HomeError> {
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_dir() => Err(damaged(path, "it is no directory")),
        Ok(metadata) if metadata.uid() == rustix::process::geteuid().as_raw() => Ok(()),
        Ok(metadata) => Err(HomeError::NotOwner { path: path.display().to_string(), owner: metadata.uid().to_string() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(HomeError::Missing { path: path.display().to_string() }),
        Err(source) => Err(failed(path, "looking at it", source)),
    }
}

/// Refuses to make a store in a directory that is somebody's already.
fn check_nothing_else(path: &Path) -> Result<(), HomeError> {
    if holds_backups(path)? {
        return Err(damaged(path, STORE_IS_LOST));
    }
    let is_fine = |name: &str| name.starts_with('.') || FINE_WITHOUT_STORE.contains(&name);
    match names(path)?.iter().find(|name| !is_fine(name)) {
        Some(other) => Err(damaged(path, &format!("it has no STORE file but holds {other:?}: name an empty or a new directory"))),
        None => Ok(()),
    }
}

/// Whether there is something that a new store would not know: a catalog, a vault's secret, an account's folder, small copies.
fn holds_backups(path: &Path) -> Result<bool, HomeError> {
    let ours = |name: &String| name.starts_with("catalog.db") || name == "vault-secret";
    Ok(names(path)?.iter().any(ours)
        || names(&path.join("blobs"))?.iter().any(|name| name.parse::<AccountId>().is_ok())
        || !names(&path.join("blobs/.control"))?.is_empty())
}

/// The names in a folder; none where there is no such folder.
fn names(folder: &Path) -> Result<Vec<String>, HomeError> {
    let listed = |source| failed(folder, "listing it", source);
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()).map_err(listed)).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(listed(source)),
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn damaged(path: &Path, why: &str) -> HomeError {
    HomeError::Damaged { path: path.display().to_string(), why: why.to_owned() }
}

fn failed(path: &Path, doing: &str, source: io::Error) -> HomeError {
    HomeError::Io { path: path.display().to_string(), doing: doing.to_owned(), source }
}

#[cfg(test)]
mod tests;

//! The folder that a restore fills. Whatever a backup says, nothing outside of it is opened, made, changed or removed:
//!
//! * the folder is held open, and all below it is reached from there by `openat2` with `RESOLVE_BENEATH`, `RESOLVE_NO_SYMLINKS` and
//!   `RESOLVE_NO_MAGICLINKS`, so that the kernel itself refuses to leave it. A kernel without that call is refused;
//! * every other call takes a folder that was opened so, and one name, which `name` has checked;
//! * no symlink below the folder is followed, neither one of the backup nor one that was there before.
//!
//! A file is filled without a name, in its own folder, and linked once it is whole, with its metadata; where the file system has no such
//! files, and where something stands at its place, it has a temporary name and is renamed. What stands at its place is replaced only by
//! that; a folder never is, and never makes way for anything.
//!
//! Nothing is synced, as with restic: what a power cut takes is restored again from the backup, which is still there.

mod existing;
mod folder;
mod metadata;
mod name;
mod new_file;
mod owner;
mod place;
mod resolve;
mod sparse;
mod temporary;
#[cfg(test)]
mod tests;

pub use existing::{Existing, Overwrite};
pub use folder::Folder;
pub use metadata::{Attributes, Trouble};
pub use name::{NameError, check_name};
pub use new_file::NewFile;
pub use owner::Owner;
pub use place::{Placed, Special};
pub use sparse::is_zero;
pub use temporary::Temporaries;

use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustix::fs::{CWD, Mode, OFlags};

use super::error::Error;

/// The open folder.
pub struct Target {
    root: Arc<Folder>,
    owner: Owner,
    temporaries: Temporaries,
    has_nameless: OnceLock<bool>,
}

impl Target {
    /// Opens the folder, and makes it and those above it where they are missing (0700). The path itself is the caller's own choice:
    /// symlinks in it are followed. [`Error::Unsupported`] where the kernel has no `openat2` (Linux before 5.6).
    pub fn create(path: &Path) -> Result<Self, Error> {
        let local = |source: io::Error| Error::Local { path: path.display().to_string(), source };
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(local)?;
        Self::open(path)
    }

    /// Opens the folder; [`Error::NotFound`] where it is not there.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let local = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => Error::NotFound(path.display().to_string()),
            _ => Error::Local { path: path.display().to_string(), source },
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(CWD, path, flags, Mode::empty()).map_err(io::Error::from).map_err(local)?;
        resolve::probe(&fd).map_err(|error| match error.raw_os_error() {
            Some(number) if number == rustix::io::Errno::NOSYS.raw_os_error() => {
                Error::Unsupported("this kernel cannot keep a restore inside of its folder: it has no openat2 (Linux 5.6)".to_owned())
            }
            _ => local(error),
        })?;
        let temporaries = Temporaries::random()?;
        Ok(Self { root: Arc::new(Folder::held(fd, true)), owner: Owner::of_process(), temporaries, has_nameless: OnceLock::new() })
    }

    /// The folder itself.
    pub const fn root(&self) -> &Arc<Folder> {
        &self.root
    }

    /// Who restores.
    pub const fn owner(&self) -> Owner {
        self.owner
    }

    /// Whether files can be filled that have no name. The first time one is made, and goes again.
    pub fn has_nameless(&self) -> bool {
        *self.has_nameless.get_or_init(|| new_file::has_nameless(&self.root, &self.temporaries.name(u64::MAX)))
    }

    /// The names that this restore uses until a file is whole.
    pub const fn temporaries(&self) -> &Temporaries {
        &self.temporaries
    }
}

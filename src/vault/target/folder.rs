//! An open folder of the target, from which its entries and the folders below it are reached.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::existing::Existing;
use super::metadata::{self, Attributes, Known, On, Trouble};
use super::owner::Owner;
use super::resolve;

/// An open folder. Names must have passed [`super::check_name`].
pub struct Folder {
    fd: OwnedFd,
    /// Whether new entries may get a group or an ACL from it.
    passes_on: bool,
}

impl Folder {
    pub(super) const fn held(fd: OwnedFd, passes_on: bool) -> Self {
        Self { fd, passes_on }
    }

    /// Makes a folder in this one, for the owner alone until it gets its own mode; one that is there already is left as it is.
    /// A file or a symlink at its place is an error and stays. Whether it is new.
    pub fn make(&self, name: &[u8]) -> Result<bool, Trouble> {
        match rustix::fs::mkdirat(&self.fd, name, Mode::RWXU) {
            Err(Errno::EXIST) => match self.look(name) {
                Ok(Some(existing)) if existing.is_folder => Ok(false),
                Ok(_) => Err(Trouble::new("make folder", io::Error::new(io::ErrorKind::NotADirectory, "something else is at its place"))),
                Err(error) => Err(Trouble::new("make folder", error)),
            },
            made => made.map(|()| true).map_err(|error| Trouble::new("make folder", error)),
        }
    }

    /// A folder below this one; names in `path` are joined by slashes, all in all less than 4096 bytes.
    pub fn open(&self, path: &[u8]) -> io::Result<Self> {
        let fd = resolve::open(&self.fd, path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
        let setgid = rustix::fs::fstat(&fd)?.st_mode & 0o2000 != 0;
        Ok(Self { passes_on: setgid || On::Path(&fd).has_default_acl(), fd })
    }

    /// What is there under this name; symlinks are looked at themselves.
    pub fn look(&self, name: &[u8]) -> io::Result<Option<Existing>> {
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(Existing::from(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens a regular file to be read, and what is known of it.
    pub fn read(&self, name: &[u8]) -> io::Result<(File, Existing)> {
        // Opening a FIFO would wait for somebody to write into it.
        let fd = resolve::open(&self.fd, name, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY, Mode::empty())?;
        let existing = Existing::from(&rustix::fs::fstat(&fd)?);
        if !existing.is_file {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
        }
        Ok((File::from(fd), existing))
    }

    /// Puts a folder's own metadata on it; what is in it should be done.
    pub fn finish(&self, attributes: &Attributes<'_>, owner: Owner, troubles: &mut Vec<Trouble>) {
        metadata::apply(&On::Path(&self.fd), &Known { fresh: false, symlink: false }, attributes, owner, troubles);
    }

    /// Puts metadata on something that is there under this name and is no symlink.
    pub fn set_metadata(&self, name: &[u8], attributes: &Attributes<'_>, owner: Owner, troubles: &mut Vec<Trouble>) {
        match self.open_path(name) {
            Ok(fd) => metadata::apply(&On::Path(&fd), &Known { fresh: false, symlink: false }, attributes, owner, troubles),
            Err(error) => troubles.push(Trouble { doing: "open", error }),
        }
    }

    /// Removes an entry that is no folder; `Ok` where it is not there.
    pub fn remove(&self, name: &[u8]) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn open_path(&self, name: &[u8]) -> io::Result<OwnedFd> {
        resolve::open(&self.fd, name, OFlags::PATH, Mode::empty())
    }

    pub(super) const fn passes_on(&self) -> bool {
        self.passes_on
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

//! A folder on the way of a walk.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, Stat};
use rustix::io::Errno;

use super::listing::Listing;
use crate::vault::tree::Node;

pub(super) struct Folder {
    /// What it is kept as, once it ends. Below a source its name is that of the file system, too.
    pub node: Node,
    /// The entries that are still to come.
    pub names: Listing,
    /// Closed where too many others are open.
    fd: Option<OwnedFd>,
    identity: Identity,
    /// The length of its path.
    pub path_length: usize,
}

/// Tells one folder from all others that are there at the same time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    pub device: u64,
    inode: u64,
}

impl Identity {
    pub const fn of(stat: &Stat) -> Self {
        Self { device: stat.st_dev, inode: stat.st_ino }
    }
}

impl Folder {
    pub const fn new(node: Node, names: Listing, fd: Option<OwnedFd>, identity: Identity, path_length: usize) -> Self {
        Self { node, names, fd, identity, path_length }
    }

    pub const fn device(&self) -> u64 {
        self.identity.device
    }

    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().map(AsFd::as_fd)
    }

    pub fn close(&mut self) {
        self.fd = None;
    }

    /// Whether it was closed; one that could never be opened counts as such, but has nothing in it.
    pub const fn is_closed(&self) -> bool {
        self.fd.is_none()
    }

    /// Opens it again: as the folder above `below`, and where that one has moved, by `from_top`. Fails where neither leads here.
    pub fn reopen(&mut self, below: Option<BorrowedFd<'_>>, from_top: impl FnOnce(&[u8]) -> io::Result<OwnedFd>) -> io::Result<()> {
        let above = below.and_then(|below| open_path(below, b"..").ok()).filter(|fd| self.is(fd));
        let fd = match above {
            Some(fd) => fd,
            None => from_top(&self.node.name)?,
        };
        if !self.is(&fd) {
            return Err(Errno::STALE.into());
        }
        self.fd = Some(fd);
        Ok(())
    }

    fn is(&self, fd: &OwnedFd) -> bool {
        rustix::fs::fstat(fd).is_ok_and(|stat| Identity::of(&stat) == self.identity)
    }
}

/// A folder for its path alone: it needs no right to read it.
pub(super) fn open_path(folder: BorrowedFd<'_>, name: &[u8]) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(folder, name, flags, Mode::empty())?)
}

/// As [`open_path`], but of a path that was given: links in it are followed.
pub(super) fn open_given(path: &[u8]) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

//! The one call by which anything below the target is opened: the kernel refuses to leave it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// Below the folder, through no symlink, not even a last one, and through no link of `/proc`.
pub(super) fn open(folder: impl AsFd, path: &[u8], flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // A rename elsewhere can make the kernel unsure; a file that is leased away stays so.
    for _ in 0..64 {
        match rustix::fs::openat2(folder.as_fd(), path, flags, mode, resolve) {
            Err(Errno::INTR | Errno::AGAIN) => {}
            opened => return Ok(opened?),
        }
    }
    Err(Errno::AGAIN.into())
}

/// Fails where the kernel does not have the call.
pub(super) fn probe(folder: &OwnedFd) -> io::Result<()> {
    open(folder, b".", OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).map(drop)
}

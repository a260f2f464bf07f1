//! Files that have no name until they are whole: of one that is being filled nothing is left when its process is killed. Not every file
//! system has them (NFS and many of FUSE do not); whoever uses them knows another way.

use std::os::fd::{AsFd, AsRawFd as _};

use rustix::fs::{AtFlags, CWD, OFlags, linkat};
use rustix::io::Errno;
use rustix::path::Arg;

/// With these flags a folder is opened, and a new file in it is what one gets.
pub(super) const OPEN: OFlags = OFlags::WRONLY.union(OFlags::TMPFILE);

/// Gives one its name in a folder; [`Errno::EXIST`] where that is taken, which stays.
pub(super) fn link(file: impl AsFd, folder: impl AsFd, name: impl Arg + Copy) -> Result<(), Errno> {
    match linkat(file.as_fd(), c"", folder.as_fd(), name, AtFlags::EMPTY_PATH) {
        // Before Linux 6.10 that takes a privilege. This name is the descriptor's own, and leads to exactly what is open.
        Err(Errno::NOENT) => {
            let open = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
            linkat(CWD, open, folder.as_fd(), name, AtFlags::SYMLINK_FOLLOW)
        }
        linked => linked,
    }
}

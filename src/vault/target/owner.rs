//! Who restores, and whom a new file belongs to without being given away.

use std::io;

use rustix::io::Errno;
use rustix::process::{Gid, Uid};

/// The user and group that own what this process makes.
#[derive(Clone, Copy, Debug)]
pub struct Owner {
    uid: u32,
    gid: u32,
}

impl Owner {
    pub(super) fn of_process() -> Self {
        Self { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() }
    }

    pub(super) const fn is(self, uid: u32, gid: u32) -> bool {
        self.uid == uid && self.gid == gid
    }

    /// What only root may do is not missing where somebody else restores, as with restic.
    pub(super) fn is_forgiven(self, error: &io::Error) -> bool {
        self.uid != 0 && error.raw_os_error() == Some(Errno::PERM.raw_os_error())
    }
}

/// The number that means "leave it" to `chown` is nobody's.
pub(super) fn ids(uid: u32, gid: u32) -> (Option<Uid>, Option<Gid>) {
    ((uid != u32::MAX).then(|| Uid::from_raw(uid)), (gid != u32::MAX).then(|| Gid::from_raw(gid)))
}

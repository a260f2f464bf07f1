//! What a backup keeps beside the bytes, put on what was restored: owner first, then attributes (ACLs are among them), then the mode,
//! since a change of owner takes setuid away, and the times last. One part that cannot be set costs that part alone.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

use rustix::fs::{AtFlags, Mode, Timespec, Timestamps, XattrFlags};
use rustix::io::Errno;

use super::owner::{Owner, ids};
use crate::vault::tree::{Metadata, Time, Xattr};

/// The part of [`Metadata`] that a file system takes.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a> {
    /// The twelve lowest bits of `st_mode`.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub modified: Time,
    pub accessed: Time,
    pub xattrs: &'a [Xattr],
}

/// One thing that the operating system refused.
#[derive(Debug)]
pub struct Trouble {
    pub doing: &'static str,
    pub error: io::Error,
}

impl<'a> From<&'a Metadata> for Attributes<'a> {
    fn from(metadata: &'a Metadata) -> Self {
        let Metadata { mode, uid, gid, modified, accessed, ref xattrs, .. } = *metadata;
        Self { mode, uid, gid, modified, accessed, xattrs }
    }
}

impl Trouble {
    pub(super) fn new(doing: &'static str, error: impl Into<io::Error>) -> Self {
        Self { doing, error: error.into() }
    }
}

/// Where metadata goes.
pub(super) enum On<'a> {
    /// A file that was opened to be written.
    File(&'a OwnedFd),
    /// Anything, opened with `O_PATH`.
    Path(&'a OwnedFd),
}

/// What is known of the entry beforehand, so that calls can be spared.
pub(super) struct Known {
    /// It belongs to the process already, and has no attributes that it was not given.
    pub fresh: bool,
    /// It has no mode of its own.
    pub symlink: bool,
}

pub(super) fn apply(on: &On<'_>, known: &Known, attributes: &Attributes<'_>, owner: Owner, troubles: &mut Vec<Trouble>) {
    let mut note = |doing, result: io::Result<()>| match result {
        Err(error) if !owner.is_forgiven(&error) => troubles.push(Trouble { doing, error }),
        _ => {}
    };
    let mut mode = attributes.mode & 0o7777;
    if !(known.fresh && owner.is(attributes.uid, attributes.gid)) {
        let given = on.chown(attributes.uid, attributes.gid);
        // A program of somebody else must not run as whoever restored it.
        if given.is_err() {
            mode &= 0o1777;
        }
        note("set owner", given);
    }
    if !known.fresh {
        note("remove attributes", on.remove_attributes_but(attributes.xattrs));
    }
    for xattr in attributes.xattrs {
        note("set attribute", on.set_attribute(xattr));
    }
    if !known.symlink {
        note("set mode", on.chmod(mode));
    }
    note("set times", on.set_times(attributes));
}

impl On<'_> {
    /// What was opened with `O_PATH` takes some calls by this name only. The number is that of the descriptor, which nobody else can
    /// change, so it leads to exactly what is open.
    fn proc_path(fd: &OwnedFd) -> String {
        format!("/proc/self/fd/{}", fd.as_raw_fd())
    }

    fn chown(&self, uid: u32, gid: u32) -> io::Result<()> {
        let (uid, gid) = ids(uid, gid);
        match self {
            On::File(fd) => rustix::fs::fchown(fd, uid, gid),
            On::Path(fd) => rustix::fs::chownat(fd, c"", uid, gid, AtFlags::EMPTY_PATH),
        }
        .map_err(io::Error::from)
    }

    fn chmod(&self, mode: u32) -> io::Result<()> {
        let mode = Mode::from_raw_mode(mode);
        match self {
            On::File(fd) => rustix::fs::fchmod(fd, mode),
            On::Path(fd) => rustix::fs::chmod(Self::proc_path(fd), mode),
        }
        .map_err(io::Error::from)
    }

    fn set_attribute(&self, xattr: &Xattr) -> io::Result<()> {
        let (name, value) = (xattr.name.as_slice(), xattr.value.as_slice());
        match self {
            On::File(fd) => rustix::fs::fsetxattr(fd, name, value, XattrFlags::empty()),
            On::Path(fd) => rustix::fs::setxattr(Self::proc_path(fd), name, value, XattrFlags::empty()),
        }
        .map_err(io::Error::from)
    }

    /// Whether a folder gives an ACL to what is made in it.
    pub(super) fn has_default_acl(&self) -> bool {
        let path = match self {
            On::File(fd) | On::Path(fd) => Self::proc_path(fd),
        };
        !matches!(rustix::fs::getxattr_query(path, c"system.posix_acl_default"), Err(Errno::NODATA | Errno::NOTSUP))
    }

    fn set_times(&self, attributes: &Attributes<'_>) -> io::Result<()> {
        let times = Timestamps { last_access: timespec(attributes.accessed), last_modification: timespec(attributes.modified) };
        match self {
            On::File(fd) => rustix::fs::futimens(fd, &times),
            On::Path(fd) => rustix::fs::utimensat(rustix::fs::CWD, Self::proc_path(fd), &times, AtFlags::empty()),
        }
        .map_err(io::Error::from)
    }

    /// Removes what came from elsewhere, as an ACL does from the folder above. What the system itself sets (`security.…`) stays.
    fn remove_attributes_but(&self, wanted: &[Xattr]) -> io::Result<()> {
        let path = match self {
            On::File(fd) | On::Path(fd) => Self::proc_path(fd),
        };
        let mut names = vec![0; 65536];
        let names = match rustix::fs::listxattr(&path, names.as_mut_slice()) {
            Ok(len) => &names[..len],
            Err(Errno::NOTSUP) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        for name in names.split(|byte| *byte == 0) {
            let ours = name.starts_with(b"user.") || name.starts_with(b"system.posix_acl_");
            if ours && !wanted.iter().any(|xattr| xattr.name == name) {
                rustix::fs::removexattr(&path, name)?;
            }
        }
        Ok(())
    }
}

fn timespec(time: Time) -> Timespec {
    // The largest values mean "now" and "leave it".
    Timespec { tv_sec: time.seconds, tv_nsec: time.nanos.min(999_999_999).into() }
}

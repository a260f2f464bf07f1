//! Extended attributes, ACLs among them, in the order of their names.
//!
//! No system call names an entry of an open folder for this. `/proc/self/fd/N/NAME` does: it is exact where the folder was renamed or
//! replaced meanwhile, and never too long. Where `/proc` is missing, files and folders are opened for it, and other kinds have none.

use std::io::{self, Write as _};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;

use rustix::fs::{self as system, Mode, OFlags};
use rustix::io::Errno;

use super::Place;
use crate::vault::tree::Xattr;

/// More than this Linux has neither in a list of names nor in a value.
const LONGEST_BYTES: usize = 64 * 1024;

pub(super) struct XattrReader {
    has_proc: bool,
    path: Vec<u8>,
    list: Box<[u8]>,
    value: Box<[u8]>,
}

/// Where the attributes are asked for.
#[derive(Clone, Copy)]
enum Target<'a> {
    Path(&'a [u8]),
    Fd(BorrowedFd<'a>),
}

impl XattrReader {
    pub fn new() -> Self {
        let buffer = || vec![0; LONGEST_BYTES].into_boxed_slice();
        Self { has_proc: Path::new("/proc/self/fd").exists(), path: Vec::new(), list: buffer(), value: buffer() }
    }

    #[cfg(test)]
    pub fn without_proc() -> Self {
        Self { has_proc: false, ..Self::new() }
    }

    /// What could be read, and the first failure. A file system without attributes has none.
    pub fn read(&mut self, place: Place<'_>) -> (Vec<Xattr>, Option<io::Error>) {
        let Self { has_proc, path, list, value } = self;
        match place {
            Place::Open(fd) => all_of(Target::Fd(fd), list, value),
            Place::Named { folder, name } if *has_proc => {
                path.clear();
                write!(path, "/proc/self/fd/{}/", folder.as_raw_fd()).expect("a vector takes everything");
                path.extend_from_slice(name);
                all_of(Target::Path(path), list, value)
            }
            Place::Named { folder, name } => {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let Ok(fd) = system::openat(folder, name, flags, Mode::empty()) else { return (Vec::new(), None) };
                all_of(Target::Fd(fd.as_fd()), list, value)
            }
        }
    }
}

fn all_of(target: Target<'_>, list: &mut [u8], value: &mut [u8]) -> (Vec<Xattr>, Option<io::Error>) {
    let length = match target {
        Target::Path(path) => system::llistxattr(path, &mut *list),
        Target::Fd(fd) => system::flistxattr(fd, &mut *list),
    };
    let length = match length {
        Ok(0) | Err(Errno::NOTSUP) => return (Vec::new(), None),
        Ok(length) => length,
        Err(error) => return (Vec::new(), Some(error.into())),
    };
    let mut failed = None;
    let mut xattrs = Vec::new();
    for name in list[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let length = match target {
            Target::Path(path) => system::lgetxattr(path, name, &mut *value),
            Target::Fd(fd) => system::fgetxattr(fd, name, &mut *value),
        };
        match length {
            Ok(length) => xattrs.push(Xattr { name: name.to_vec(), value: value[..length].to_vec() }),
            // It went away after it was listed.
            Err(Errno::NODATA | Errno::NOTSUP) => {}
            Err(error) => drop(failed.get_or_insert_with(|| io::Error::from(error))),
        }
    }
    xattrs.sort_by(|one, other| one.name.cmp(&other.name));
    (xattrs, failed)
}

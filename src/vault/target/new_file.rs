//! A file that is being filled, without a name where the file system has such files, else under a temporary name.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::folder::Folder;
use super::metadata::{self, Attributes, Known, On, Trouble};
use super::owner::Owner;
use super::{resolve, sparse};
use crate::vault::nameless;

/// An open file. Several threads may write parts of it at once. Dropped before it is finished, it leaves its temporary name, where it has
/// one.
pub struct NewFile {
    fd: OwnedFd,
    /// Whether it has its temporary name.
    is_named: AtomicBool,
}

impl NewFile {
    /// Makes it, for the owner alone. Without `nameless`, which is [`super::Target::has_nameless`], it gets the temporary name at once; an
    /// error where that is taken.
    pub fn create(folder: &Folder, temporary: &[u8], nameless: bool) -> io::Result<Self> {
        let mode = Mode::RUSR | Mode::WUSR;
        // Below a target there may be other file systems.
        if nameless && let Ok(fd) = resolve::open(folder, b".", nameless::OPEN, mode) {
            return Ok(Self { fd, is_named: AtomicBool::new(false) });
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        Ok(Self { fd: resolve::open(folder, temporary, flags, mode)?, is_named: AtomicBool::new(true) })
    }

    /// Gives it its temporary name, so that it can be closed and opened again; nobody may be finishing it.
    pub fn lay_down(&self, folder: &Folder, temporary: &[u8]) -> io::Result<()> {
        if !self.is_named.load(Ordering::Acquire) {
            nameless::link(&self.fd, folder, temporary)?;
            self.is_named.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Opens it again.
    pub fn reopen(folder: &Folder, temporary: &[u8]) -> io::Result<Self> {
        let fd = resolve::open(folder, temporary, OFlags::WRONLY, Mode::empty())?;
        Ok(Self { fd, is_named: AtomicBool::new(true) })
    }

    /// Writes bytes at their place; blocks of zeros are left to be holes. Where the last byte is left out, the file is shorter than it
    /// should be until [`Self::set_size`]. Returns where the last byte that was written ends, 0 for none.
    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<u64> {
        let mut end = 0;
        for part in sparse::written_parts(offset, bytes) {
            let at = offset + part.start as u64;
            end = at + part.len() as u64;
            write_all(&self.fd, at, &bytes[part])?;
        }
        Ok(end)
    }

    /// Makes it this long.
    pub fn set_size(&self, size_bytes: u64) -> io::Result<()> {
        Ok(rustix::fs::ftruncate(&self.fd, size_bytes)?)
    }

    /// Sets its metadata and gives it its name, in place of what has it. With `replace` unset, what has the name by now stays and that
    /// is an error. Where the name cannot be given, the temporary file is removed. What of the metadata could not be set is told in
    /// `troubles`.
    pub fn finish(
        &self,
        folder: &Folder,
        names: (&[u8], &[u8]),
        attributes: &Attributes<'_>,
        replace: bool,
        owner: Owner,
        troubles: &mut Vec<Trouble>,
    ) -> Result<(), Trouble> {
        let known = Known { fresh: !folder.passes_on(), symlink: false };
        metadata::apply(&On::File(&self.fd), &known, attributes, owner, troubles);
        self.put(folder, names, replace).map_err(|error| {
            // The sweep at the end of a restore tries again.
            let _ = folder.remove(names.0);
            Trouble::new("rename", error)
        })
    }

    fn put(&self, folder: &Folder, (temporary, name): (&[u8], &[u8]), replace: bool) -> io::Result<()> {
        if !self.is_named.load(Ordering::Acquire) {
            match nameless::link(&self.fd, folder, name) {
                // A link replaces nothing; a name does.
                Err(Errno::EXIST) if replace => self.lay_down(folder, temporary)?,
                linked => return Ok(linked?),
            }
        }
        rename(folder, temporary, name, replace)
    }
}

/// Whether files without a name can be made, and named, in this folder: one is.
pub(super) fn has_nameless(folder: &Folder, temporary: &[u8]) -> bool {
    let made = resolve::open(folder, b".", nameless::OPEN, Mode::RUSR | Mode::WUSR);
    made.is_ok_and(|fd| nameless::link(&fd, folder, temporary).is_ok() && folder.remove(temporary).is_ok())
}

fn write_all(fd: &OwnedFd, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::pwrite(fd, bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                bytes = &bytes[count..];
                offset += count as u64;
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

pub(super) fn rename(folder: &Folder, from: &[u8], to: &[u8], replace: bool) -> io::Result<()> {
    if !replace {
        match rustix::fs::renameat_with(folder, from, folder, to, RenameFlags::NOREPLACE) {
            // A file system that cannot do it: the caller has looked before.
            Err(Errno::INVAL) => {}
            renamed => return Ok(renamed?),
        }
    }
    Ok(rustix::fs::renameat(folder, from, folder, to)?)
}

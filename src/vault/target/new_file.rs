//! A file that is being filled under a temporary name.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::folder::Folder;
use super::metadata::{self, Attributes, Known, On, Trouble};
use super::owner::Owner;
use super::{resolve, sparse};

/// An open file. Several threads may write parts of it at once.
pub struct NewFile {
    fd: OwnedFd,
}

impl NewFile {
    /// Makes it, for the owner alone; an error where the name is taken.
    pub fn create(folder: &Folder, temporary: &[u8]) -> io::Result<Self> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        Ok(Self { fd: resolve::open(folder, temporary, flags, Mode::RUSR | Mode::WUSR)? })
    }

    /// Opens it again.
    pub fn reopen(folder: &Folder, temporary: &[u8]) -> io::Result<Self> {
        Ok(Self { fd: resolve::open(folder, temporary, OFlags::WRONLY, Mode::empty())? })
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
        let (temporary, name) = names;
        let known = Known { fresh: !folder.passes_on(), symlink: false };
        metadata::apply(&On::File(&self.fd), &known, attributes, owner, troubles);
        rename(folder, temporary, name, replace).map_err(|error| {
            // The sweep at the end of a restore tries again.
            let _ = folder.remove(temporary);
            Trouble::new("rename", error)
        })
    }
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

//! Entries that have no bytes of their own: symlinks, devices, FIFOs, and further names of a file.

use std::io;

use rustix::fs::{AtFlags, Dev, FileType, Mode};
use rustix::io::Errno;

use super::folder::Folder;
use super::metadata::{self, Attributes, Known, On, Trouble};
use super::new_file::rename;
use super::owner::Owner;

/// What is to be made.
#[derive(Clone, Copy)]
pub enum Special<'a> {
    Symlink { target: &'a [u8] },
    BlockDevice { device: u64 },
    CharDevice { device: u64 },
    Fifo,
}

/// Where an entry goes.
pub struct Placed<'a> {
    pub folder: &'a Folder,
    pub name: &'a [u8],
    /// A name for it until it takes the place of what is there.
    pub temporary: &'a [u8],
    /// Whether what is there makes way; a folder never does.
    pub replace: bool,
}

impl Placed<'_> {
    /// Makes an entry with its metadata; what of that could not be set is told in `troubles`.
    pub fn make(
        &self,
        special: Special<'_>,
        attributes: &Attributes<'_>,
        owner: Owner,
        troubles: &mut Vec<Trouble>,
    ) -> Result<(), Trouble> {
        let node = |kind, device: u64, name: &[u8]| rustix::fs::mknodat(self.folder, name, kind, Mode::RUSR | Mode::WUSR, device as Dev);
        self.put("make", |name| match special {
            Special::Symlink { target } => rustix::fs::symlinkat(target, self.folder, name),
            Special::BlockDevice { device } => node(FileType::BlockDevice, device, name),
            Special::CharDevice { device } => node(FileType::CharacterDevice, device, name),
            Special::Fifo => node(FileType::Fifo, 0, name),
        })?;
        let known = Known { fresh: !self.folder.passes_on(), symlink: matches!(special, Special::Symlink { .. }) };
        match self.folder.open_path(self.name) {
            Ok(fd) => metadata::apply(&On::Path(&fd), &known, attributes, owner, troubles),
            Err(error) => troubles.push(Trouble { doing: "open", error }),
        }
        Ok(())
    }

    /// Gives a regular file of the target, or else an entry that is neither that nor a folder, one more name. Anything else under the
    /// first name is an error; a symlink there is not followed.
    pub fn link(&self, first: (&Folder, &[u8]), is_file: bool) -> Result<(), Trouble> {
        let (folder, name) = first;
        match folder.look(name) {
            Ok(Some(existing)) if existing.is_file == is_file && !existing.is_folder => {}
            Ok(_) => return Err(Trouble::new("link", io::Error::new(io::ErrorKind::NotFound, "its first name is not there"))),
            Err(error) => return Err(Trouble::new("link", error)),
        }
        self.put("link", |new| rustix::fs::linkat(folder, name, self.folder, new, AtFlags::empty()))
    }

    /// Makes it under its own name, or where that is taken under the other one, from which it takes the place of what is there.
    fn put(&self, doing: &'static str, make: impl Fn(&[u8]) -> Result<(), Errno>) -> Result<(), Trouble> {
        match make(self.name) {
            Err(Errno::EXIST) if self.replace => {}
            made => return made.map_err(|error| Trouble::new(doing, error)),
        }
        make(self.temporary).map_err(|error| Trouble::new(doing, error))?;
        let renamed = rename(self.folder, self.temporary, self.name, true);
        // Renaming one name of a file to another name of the same file does nothing, and both stay.
        let removed = self.folder.remove(self.temporary);
        renamed.and(removed).map_err(|error| Trouble::new("rename", error))
    }
}

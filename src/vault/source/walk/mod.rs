//! Walks what is to be backed up, depth first, the entries of each folder in the order of their names' bytes.
//!
//! What it promises: no link is followed below a source. Every entry that is taken comes as a step, and every one that could not be read
//! as a failure; nothing else ends a walk but the callback and `Cancel`. Everything below a source is reached through the folder above
//! it, never by its whole path: a path may be of any length, and a folder that is moved or replaced meanwhile leads nowhere else. A walk
//! holds at most `MOST_OPEN` folders open, and of the folders on its way the names of the entries.

mod descent;
mod folder;
mod listing;
mod plan;
#[cfg(test)]
mod tests;
mod top;

use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

pub use self::descent::MOST_OPEN;
use super::open::open_file;
use super::select::Select;
use super::stamp::Stamp;
use crate::vault::cancel::Cancel;
use crate::vault::error::Error;
use crate::vault::failure::Failure;
use crate::vault::tree::Node;

/// What a walk comes upon. Paths are absolute and belong to the file system; names belong to the backup.
#[derive(Debug)]
pub enum Step<'a> {
    /// A folder begins; what follows up to its [`Step::Leave`] is in it.
    Enter { name: &'a [u8], path: &'a Path },
    /// Anything but a folder.
    Entry(Entry<'a>),
    /// A folder ends. Its node has no tree: who keeps the entries knows it. A folder that could not be opened has none between.
    Leave { node: Node, path: &'a Path },
    /// What could not be read, or not wholly.
    Failed(Failure),
}

/// A file, link, device or FIFO. Sockets are never kept.
#[derive(Debug)]
pub struct Entry<'a> {
    /// A file has no chunks yet.
    pub node: Node,
    pub path: &'a Path,
    folder: BorrowedFd<'a>,
    file_name: &'a [u8],
}

/// How to walk.
pub struct Walk<'a> {
    pub select: &'a dyn Select,
    pub cancel: &'a Cancel,
    /// Whether times of access are kept.
    pub with_atime: bool,
}

impl Entry<'_> {
    /// Opens the file that this entry is, and says how it is now. It works during the step alone.
    pub fn open(&self) -> io::Result<(File, Stamp)> {
        open_file(self.folder, self.file_name, self.node.metadata.inode)
    }
}

impl Walk<'_> {
    /// Sources become what restic makes of them: `/a/b` the folder `a` with `b` in it, `x` and `../x` an `x`, and `.` what is in it. A
    /// link as a source is kept as a link. Two things of one name are told apart by `-1`, `-2` … behind it. What lies in two sources
    /// comes once.
    ///
    /// Errors: those of the callback; [`Error::Cancelled`]; [`Error::NotFound`] where no source is there.
    pub fn run(&self, sources: &[PathBuf], on_step: &mut dyn FnMut(Step<'_>) -> Result<(), Error>) -> Result<(), Error> {
        top::walk(self, sources, on_step)
    }
}

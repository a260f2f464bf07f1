//! What a backup leaves out, as restic's options say it.

mod size;
mod tag_file;
#[cfg(test)]
mod tests;

use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

pub use self::size::{SizeError, parse_size_bytes};
pub use self::tag_file::{TagFile, TagFileError};
use super::pattern::Patterns;
use super::select::{Found, Inside, Select, Verdict};

/// Leaves out what any part of it leaves out; the default leaves out nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Exclude {
    /// `--exclude`, `--iexclude` and their files: one list each, because a `!` takes back only within its list.
    pub patterns: Vec<Patterns>,
    /// `--exclude-if-present`, `--exclude-caches`.
    pub tag_files: Vec<TagFile>,
    /// `--exclude-larger-than`: everything but folders that has more bytes.
    pub larger_than_bytes: Option<u64>,
    /// `--one-file-system`: what lies on another file system than its source. A folder on which another is mounted is kept, empty.
    pub one_file_system: bool,
}

impl Select for Exclude {
    fn by_path(&self, path: &Path) -> Verdict {
        let path = path.as_os_str().as_bytes();
        if self.patterns.iter().any(|list| list.matches(path)) { Verdict::Leave } else { Verdict::Take }
    }

    fn by_metadata(&self, found: &Found<'_>) -> Verdict {
        let is_mount_point = || found.is_folder && found.parent_device == found.source_device;
        let is_here = !self.one_file_system || found.device == found.source_device || is_mount_point();
        let is_too_large = || self.larger_than_bytes.is_some_and(|most| !found.is_folder && found.size_bytes > most);
        if is_here && !is_too_large() { Verdict::Take } else { Verdict::Leave }
    }

    fn inside(&self, folder: BorrowedFd<'_>) -> Inside {
        let mut inside = Inside::All;
        for tag_file in self.tag_files.iter().filter(|tag_file| tag_file.marks(folder)) {
            inside = match inside {
                Inside::All => Inside::Only(tag_file.name().to_vec()),
                // Each keeps its own file alone.
                Inside::Only(name) if name == tag_file.name() => Inside::Only(name),
                _ => Inside::Nothing,
            };
        }
        inside
    }
}

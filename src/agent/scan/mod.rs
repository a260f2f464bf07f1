//! Which files a backup takes: what the selection covers, but for file systems that hold no files, sockets, and the agent's own folder.
//!
//! The longest item that is a path or lies above it decides, and of two of one length the exclusion; paths are compared as bytes. A folder
//! that is not covered but has an inclusion below it is there for that alone. What an item says of its type is of no matter, what is on
//! the disk is; only `Database` inclusions are none at all. No symlink is followed, but for those above an outermost inclusion, which are
//! part of a path that was given.
//!
//! File systems that the kernel makes up (`file_systems`) are left out wherever they are mounted, and with them whatever is mounted in
//! them; their mount points are kept as empty folders, but for those of automounts: opening one would mount something. What lies in memory
//! alone (tmpfs, ramfs, and so `/dev` too) is left out the same way, unless the inclusion that covers it lies in that file system itself:
//! whoever includes `/tmp` wants it, whoever includes `/` does not. The agent's own folder is known by its inode, under whatever path it is
//! met, and is kept as an empty folder.

mod file_systems;
mod inclusions;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use file_systems::{FileSystems, Kind};

use crate::model::selection::{ItemType, Matcher, Selection};
use crate::vault::failure::Failure;
use crate::vault::source::select::{Found, Inside, Select, Verdict};

/// What a backup of a selection is to walk, and what of it.
pub struct Scan {
    matcher: Matcher,
    file_systems: FileSystems,
    /// Of each file system in memory that inclusions lie in: what those cover.
    in_memory: HashMap<u64, Matcher>,
    /// Devices of file systems that are left out but for the way to an inclusion.
    ways: HashSet<u64>,
    /// Device and inode of the agent's folder.
    own: Option<(u64, u64)>,
}

/// A selection compared with what is on the disk.
pub struct Plan {
    pub scan: Scan,
    /// The outermost inclusions that are there; all others are met on the way.
    pub sources: Vec<PathBuf>,
    /// One for each inclusion that is not there, or is nothing that can be backed up.
    pub failures: Vec<Failure>,
    /// Whether any inclusion is there at all.
    pub is_any_there: bool,
    /// Inclusions that name a database: those are never backed up.
    pub databases: usize,
}

impl Plan {
    /// `own` is the agent's folder.
    pub fn new(selection: &Selection, own: &Path) -> Self {
        let (databases, inclusions): (Vec<_>, Vec<_>) =
            selection.inclusions.iter().cloned().partition(|item| item.item_type == ItemType::Database);
        let selection = Selection { inclusions, exclusions: selection.exclusions.clone() };
        let file_systems = FileSystems::default();
        let inspected = inclusions::inspect(&selection, own, &file_systems);
        let in_memory = inspected.in_memory.into_iter().map(|(device, inclusions)| {
            let of_device = Selection { inclusions, exclusions: selection.exclusions.clone() };
            (device, of_device.matcher())
        });
        let scan = Scan {
            matcher: selection.matcher(),
            in_memory: in_memory.collect(),
            file_systems,
            ways: inspected.ways,
            own: rustix::fs::stat(own).ok().map(|stat| (stat.st_dev, stat.st_ino)),
        };
        Self {
            scan,
            sources: inspected.sources,
            failures: inspected.failures,
            is_any_there: inspected.is_any_there,
            databases: databases.len(),
        }
    }
}

impl Select for Scan {
    fn by_path(&self, path: &Path) -> Verdict {
        let path = path.as_os_str().as_bytes();
        match self.matcher.covers(path) {
            true => Verdict::Take,
            false if self.matcher.includes_below(path) => Verdict::Pass,
            false => Verdict::Leave,
        }
    }

    fn by_metadata(&self, found: &Found<'_>) -> Verdict {
        let path = found.path.as_os_str().as_bytes();
        let kind = self.file_systems.kind_at(found.path, found.device);
        let is_taken = match kind {
            Kind::Ordinary => true,
            Kind::Memory => self.in_memory.get(&found.device).is_some_and(|matcher| matcher.covers(path)),
            Kind::Pseudo | Kind::Automount => false,
        };
        let is_mount_point = found.is_folder && found.device != found.parent_device;
        match is_taken || (is_mount_point && kind != Kind::Automount) {
            true => Verdict::Take,
            false if found.is_folder && self.matcher.includes_below(path) => Verdict::Pass,
            false => Verdict::Leave,
        }
    }

    fn inside(&self, folder: BorrowedFd<'_>) -> Inside {
        let Ok(stat) = rustix::fs::fstat(folder) else { return Inside::All };
        let is_own = self.own == Some((stat.st_dev, stat.st_ino));
        let is_closed = || self.file_systems.kind_of(folder, stat.st_dev) != Kind::Ordinary && !self.ways.contains(&stat.st_dev);
        if is_own || is_closed() { Inside::Nothing } else { Inside::All }
    }
}

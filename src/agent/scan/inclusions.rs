//! The inclusions, compared with what is on the disk: which of them are walked from, and what is wrong with the others.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::file_systems::{FileSystems, Kind};
use crate::model::selection::{Item, Selection};
use crate::vault::failure::Failure;

#[derive(Default)]
pub(super) struct Inspected {
    pub sources: Vec<PathBuf>,
    pub failures: Vec<Failure>,
    pub is_any_there: bool,
    pub in_memory: HashMap<u64, Vec<Item>>,
    pub ways: HashSet<u64>,
}

/// What was being done when an inclusion turned out to be none.
const FIND: &str = "find";

/// Looks at each inclusion once.
pub(super) fn inspect(selection: &Selection, own: &Path, file_systems: &FileSystems) -> Inspected {
    let own = std::fs::canonicalize(own).ok();
    let mut inspected = Inspected::default();
    let mut items: Vec<(PathBuf, &Item)> = selection.inclusions.iter().map(|item| (clean(item), item)).collect();
    // Name by name, so that what lies in an inclusion follows right behind it.
    items.sort_by(|(one, _), (other, _)| one.cmp(other));
    items.dedup_by(|(one, _), (other, _)| one == other);
    for (path, item) in items {
        let outer = inspected.sources.last().filter(|outer| path.starts_with(outer)).cloned();
        match look(&path, outer.as_deref(), own.as_deref(), file_systems, &mut inspected.is_any_there) {
            Err(failure) => inspected.failures.push(failure),
            Ok((device, kind)) => {
                inspected.note_ways(&path, device, kind, file_systems);
                if kind == Kind::Memory {
                    inspected.in_memory.entry(device).or_default().push(item.clone());
                }
                if outer.is_none() {
                    inspected.sources.push(path);
                }
            }
        }
    }
    inspected
}

impl Inspected {
    /// File systems on the way here that are left out otherwise.
    fn note_ways(&mut self, path: &Path, device: u64, kind: Kind, file_systems: &FileSystems) {
        if kind != Kind::Ordinary {
            self.ways.insert(device);
        }
        for above in path.ancestors().skip(1) {
            if let Ok(stat) = rustix::fs::stat(above)
                && file_systems.kind_at(above, stat.st_dev) != Kind::Ordinary
            {
                self.ways.insert(stat.st_dev);
            }
        }
    }
}

/// Without doubled separators and dots; what is no path of this system stays as it is.
fn clean(item: &Item) -> PathBuf {
    Path::new(OsStr::from_bytes(item.path.bytes())).components().collect()
}

/// The device of an inclusion that can be backed up, and its kind.
fn look(path: &Path, outer: Option<&Path>, own: Option<&Path>, all: &FileSystems, is_any_there: &mut bool) -> Result<(u64, Kind), Failure> {
    let stat = if path.is_absolute() { rustix::fs::lstat(path) } else { Err(Errno::NOENT) };
    let stat = stat.map_err(|error| Failure::of_io(path, FIND, &io::Error::from(error)))?;
    *is_any_there = true;
    if is_inside(path, own) {
        return Err(Failure::of(path, FIND, "it is the agent's own folder, which is never backed up"));
    }
    let mut device = stat.st_dev;
    if all.kind_at(path, device) == Kind::Automount {
        device = mounted(path, &stat).unwrap_or(device);
    }
    let kind = all.kind_at(path, device);
    if matches!(kind, Kind::Pseudo | Kind::Automount) {
        return Err(Failure::of(path, FIND, "it lies in a file system that holds no files of its own"));
    }
    match outer.and_then(|outer| link_between(outer, path)) {
        Some(link) => {
            let why = format!("it lies behind the link {}, which is not followed: include what the link leads to", link.display());
            Err(Failure::of(path, FIND, why))
        }
        None => Ok((device, kind)),
    }
}

/// Whether it lies in the agent's folder, whatever links lead there.
fn is_inside(path: &Path, own: Option<&Path>) -> bool {
    let (Some(own), Some(above), Some(name)) = (own, path.parent(), path.file_name()) else { return false };
    std::fs::canonicalize(above).is_ok_and(|above| above.join(name).starts_with(own))
}

/// Has what belongs there mounted, as it was asked for by name. The device of it.
fn mounted(path: &Path, stat: &Stat) -> Option<u64> {
    let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = is_folder.then(|| rustix::fs::open(path, flags, Mode::empty()))?;
    rustix::fs::fstat(opened.ok()?).ok().map(|stat| stat.st_dev)
}

/// The first link on the way from an inclusion to one that lies in it.
fn link_between<'a>(outer: &Path, path: &'a Path) -> Option<&'a Path> {
    let between = path.ancestors().skip(1).take_while(|above| above.starts_with(outer));
    let is_link = |above: &&Path| rustix::fs::lstat(*above).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink);
    between.filter(is_link).last()
}

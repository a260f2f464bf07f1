//! What of a file system is taken. A walk asks; `exclude::Exclude` is one answer.

use std::os::fd::BorrowedFd;
use std::path::Path;

/// What a path is taken for. Of two verdicts the later one here is the stricter one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Verdict {
    /// It is taken. What is in a folder is asked about in turn.
    Take,
    /// It is not taken for itself, but something below it may be: a folder is there only where something in it is.
    Pass,
    /// Neither it nor anything below it.
    Leave,
}

/// What there is of a folder for all who look into it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Inside {
    All,
    /// One entry, and that only where it is there.
    Only(Vec<u8>),
    Nothing,
}

/// An entry of which nothing but this is known yet.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// Absolute.
    pub path: &'a Path,
    pub is_folder: bool,
    pub size_bytes: u64,
    /// `st_dev` of the entry, of the folder it lies in, and of the source by which the walk came here.
    pub device: u64,
    pub parent_device: u64,
    pub source_device: u64,
}

/// Every answer is asked for once; a folder's entries only where the folder is not left. Folders above a source are not asked about.
pub trait Select {
    /// Asked first: a path that is left costs no look at the disk. Absolute, without `.` and `..`.
    fn by_path(&self, _path: &Path) -> Verdict {
        Verdict::Take
    }

    /// Asked of what [`Select::by_path`] does not leave; the stricter of the two verdicts counts.
    fn by_metadata(&self, _found: &Found<'_>) -> Verdict {
        Verdict::Take
    }

    /// Asked of every folder that is looked into, and of the folder a source lies in. It may be open for its path alone.
    fn inside(&self, _folder: BorrowedFd<'_>) -> Inside {
        Inside::All
    }
}

/// Takes everything.
pub struct Everything;

impl Select for Everything {}

impl Inside {
    pub(super) fn has(&self, name: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::Only(only) => only == name,
            Self::Nothing => false,
        }
    }
}

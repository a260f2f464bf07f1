//! What stands at an entry's place already, and whether it is replaced.

use rustix::fs::{FileType, Stat};

use crate::vault::tree::Time;

/// When what is there is replaced; the names are restic's. Folders are never replaced, only filled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Overwrite {
    #[default]
    Always,
    /// As [`Self::Always`], but bytes that are the same already are not restored again. A file of the right size and time is taken to be
    /// the same.
    IfChanged,
    /// Where the backup's entry was modified later.
    IfNewer,
    Never,
}

/// Something that is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Existing {
    pub is_file: bool,
    pub is_folder: bool,
    pub size_bytes: u64,
    pub modified: Time,
}

impl Overwrite {
    /// Whether what is there makes way for an entry that was modified then.
    pub fn replaces(self, existing: &Existing, modified: Time) -> bool {
        match self {
            Self::Always | Self::IfChanged => true,
            Self::IfNewer => modified > existing.modified,
            Self::Never => false,
        }
    }

    /// Whether one has to look before writing.
    pub fn looks(self) -> bool {
        self != Self::Always
    }
}

impl From<&Stat> for Existing {
    fn from(stat: &Stat) -> Self {
        let kind = FileType::from_raw_mode(stat.st_mode);
        Self {
            is_file: kind == FileType::RegularFile,
            is_folder: kind == FileType::Directory,
            size_bytes: u64::try_from(stat.st_size).unwrap_or_default(),
            modified: Time { seconds: stat.st_mtime, nanos: u32::try_from(stat.st_mtime_nsec).unwrap_or_default() },
        }
    }
}

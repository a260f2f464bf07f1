//! The permissions of what is made: the owner's alone; the group's too where `config` lets the group read, as `restic` does it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// `st_mode` of new folders and files.
pub struct Modes {
    pub folder: u32,
    pub file: u32,
}

const GROUP_READS: u32 = 0o040;

impl Modes {
    pub fn of(config: &Path) -> Self {
        let is_shared = config.metadata().is_ok_and(|found| found.permissions().mode() & GROUP_READS != 0);
        if is_shared { Self { folder: 0o770, file: 0o440 } } else { Self { folder: 0o700, file: 0o400 } }
    }
}

//! A small disk in memory, to be filled up.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A mounted tmpfs; unmounted at the end.
pub struct Disk(PathBuf);

impl Disk {
    /// `None` where nobody may mount.
    pub fn mount(at: &Path, options: &str) -> Option<Self> {
        std::fs::create_dir_all(at).expect("a folder is made");
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", &format!("{options},mode=0700"), "tmpfs"]).arg(at).output();
        done.is_ok_and(|output| output.status.success()).then(|| Self(at.to_owned()))
    }

    /// Whether this user may mount at all.
    pub fn is_possible() -> bool {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self::mount(&folder.path().join("try"), "size=1m").is_some()
    }

    pub fn free_bytes(&self) -> u64 {
        let state = rustix::fs::statvfs(&self.0).expect("the disk is there");
        state.f_bavail * state.f_frsize
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).output());
    }
}

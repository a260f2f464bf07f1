//! A small disk, to be filled up: tmpfs, or ext4 in a file.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A mounted disk; unmounted at the end.
pub struct Disk(PathBuf);

impl Disk {
    /// `options` are those of a tmpfs, or `ext4:SIZE`. `None` where nobody may mount.
    pub fn mount(at: &Path, options: &str) -> Option<Self> {
        std::fs::create_dir_all(at).expect("a folder is made");
        if let Some(size) = options.strip_prefix("ext4:") {
            return Self::mount_ext4(at, size);
        }
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", &format!("{options},mode=0700"), "tmpfs"]).arg(at).output();
        done.is_ok_and(|output| output.status.success()).then(|| Self(at.to_owned()))
    }

    /// The image lies beside the mount, and goes with the folder that both are in.
    fn mount_ext4(at: &Path, size: &str) -> Option<Self> {
        let image = at.with_extension("image");
        let runs = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
        let made = runs(Command::new("truncate").args(["-s", size]).arg(&image))
            && runs(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image))
            && runs(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(at));
        let own = std::fs::Permissions::from_mode(0o700);
        let disk = made.then(|| Self(at.to_owned()));
        // ext4 begins with a folder of its own for what a repair finds.
        disk.inspect(|_| drop((std::fs::set_permissions(at, own), std::fs::remove_dir(at.join("lost+found")))))
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

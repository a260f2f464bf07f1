//! The stock restic on a folder.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A repository in a folder of its own, and a tree to back up.
pub(in crate::vault) struct Restic {
    folder: tempfile::TempDir,
}

impl Restic {
    pub(in crate::vault) const PASSWORD: &'static str = "correct horse";

    /// A new repository of this format version. `None`, with a loud line, where restic is not installed.
    pub(in crate::vault) fn init(version: u32) -> Option<Self> {
        let is_there = Command::new("restic").arg("version").output().is_ok_and(|output| output.status.success());
        if !is_there {
            assert_ne!(std::env::var("STRONGROOM_TEST_TOOLS").as_deref(), Ok("required"), "a tool is missing: restic");
            eprintln!("SKIPPED: restic is not installed");
            return None;
        }
        let restic = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(restic.tree()).unwrap();
        restic.ok(&["init", "--repository-version", &version.to_string()]);
        Some(restic)
    }

    pub(in crate::vault) fn repository(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    /// What is backed up.
    pub(in crate::vault) fn tree(&self) -> PathBuf {
        self.folder.path().join("tree")
    }

    pub(in crate::vault) fn scratch(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(in crate::vault) fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("restic");
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.folder.path());
        command.env("RESTIC_PASSWORD", Self::PASSWORD).env("RESTIC_REPOSITORY", self.repository());
        command.args(["--no-cache", "--quiet"]).args(arguments).stdin(Stdio::null());
        command.output().unwrap()
    }

    #[track_caller]
    pub(in crate::vault) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "restic {arguments:?}: {text}");
        text
    }

    /// Writes a file of the tree.
    pub(in crate::vault) fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.tree().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    pub(in crate::vault) fn backup(&self) {
        self.ok(&["backup", &self.tree().display().to_string()]);
    }

    /// Whether `restic check --read-data` is content, and what it says.
    pub(in crate::vault) fn check(&self) -> (bool, String) {
        let output = self.run(&["check", "--read-data", "--no-lock"]);
        (output.status.success(), format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
    }

    /// Every file of a snapshot as restic restores it, by its path.
    pub(in crate::vault) fn restored(&self, snapshot: &str) -> Vec<(PathBuf, Vec<u8>)> {
        let target = tempfile::tempdir_in(self.folder.path()).unwrap();
        self.ok(&["restore", snapshot, "--target", &target.path().display().to_string()]);
        let mut files = Vec::new();
        read_below(target.path(), target.path(), &mut files);
        files.sort();
        files
    }
}

fn read_below(root: &Path, folder: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_below(root, &path, files);
        } else {
            files.push((path.strip_prefix(root).unwrap().to_owned(), std::fs::read(&path).unwrap()));
        }
    }
}

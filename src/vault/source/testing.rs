//! What the tests of this folder need of the machine.

use std::process::Command;

use tempfile::TempDir;

/// Says loudly that a test proved nothing. Fails where the tools were promised.
pub(crate) fn skip(why: &str) {
    assert!(std::env::var("STRONGROOM_TEST_TOOLS").as_deref() != Ok("required"), "a tool is missing: {why}");
    println!("SKIPPED: {why}");
}

/// Whether the test may do what only root may; says so where it may not.
pub(crate) fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        skip("only root makes devices, mounts file systems and gives files away");
    }
    is_root
}

/// Stock restic with a repository of its own.
pub(crate) struct Restic {
    dir: TempDir,
}

impl Restic {
    /// `None` where restic is not installed, which it says.
    pub fn new() -> Option<Self> {
        if Command::new("restic").arg("version").output().is_err() {
            skip("restic is not installed");
            return None;
        }
        let restic = Self { dir: tempfile::tempdir().expect("a folder for the repository") };
        output(restic.command().arg("init"));
        Some(restic)
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new("restic");
        command.args(["--no-cache", "-r"]).arg(self.dir.path()).env("RESTIC_PASSWORD", "of a test");
        command
    }
}

/// What it prints, once it has ended well.
pub(crate) fn output(command: &mut Command) -> String {
    let output = command.output().expect("it can be started");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it prints text")
}

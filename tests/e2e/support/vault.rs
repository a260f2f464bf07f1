//! `strongroom vault`, as its user runs it.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::account::Account;
use super::ran::Ran;

/// The password of the tests' repositories; stock restic is given the same.
pub const PASSWORD: &str = "correct horse";

/// One repository, opened with one password. Nothing that is secret is on a command line.
#[derive(Clone)]
pub struct Vault {
    repository: OsString,
    password: String,
    certificate: Option<PathBuf>,
}

impl Vault {
    /// Any repository.
    pub fn at(repository: impl Into<OsString>) -> Self {
        Self { repository: repository.into(), password: PASSWORD.to_owned(), certificate: None }
    }

    /// `path` is what follows the host, with its slash.
    pub fn of(account: &Account, path: &str) -> Self {
        Self { certificate: account.site.certificate.clone(), ..Self::at(account.url(path)) }
    }

    pub fn with_password(&self, password: &str) -> Self {
        Self { password: password.to_owned(), ..self.clone() }
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom"));
        self.equip(&mut command);
        command.arg("vault").args(arguments).stdin(Stdio::null());
        command
    }

    /// The environment of a command: which repository, which password, and nothing else of ours.
    pub fn equip(&self, command: &mut Command) {
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("STRONGROOM_REPOSITORY", &self.repository).env("STRONGROOM_PASSWORD", &self.password);
        if let Some(certificate) = &self.certificate {
            command.env("STRONGROOM_CA_FILE", certificate);
        }
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&self.command(arguments).output().expect("the binary runs"))
    }

    /// Insists that it ends well, without a word of complaint; what it printed.
    #[track_caller]
    pub fn ok(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments).expect_exit(0);
        assert_eq!(ran.complaint, "", "{arguments:?}");
        ran.out
    }

    /// The same, as one JSON value and nothing else.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let out = self.ok(&[arguments, &["--json"]].concat());
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error} in {out}"))
    }

    /// Begins and does not wait.
    pub fn begin(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs")
    }

    /// A backup of the tree; its snapshot's id.
    #[track_caller]
    pub fn backup(&self, tree: &Path) -> String {
        let report = self.json(&["backup", &tree.display().to_string()]);
        report["snapshot_id"].as_str().expect("a snapshot").to_owned()
    }

    /// Insists that this snapshot gives `tree` back, bytes and metadata.
    #[track_caller]
    pub fn expect_restored(&self, snapshot: &str, tree: &Path) {
        let target = tempfile::tempdir().expect("a temporary folder");
        let into = target.path().display().to_string();
        self.ok(&["restore", &format!("{snapshot}:{}", tree.display()), "--target", &into]);
        assert_eq!(entries(target.path()), entries(tree));
    }

    /// The paths of a snapshot's entries.
    #[track_caller]
    pub fn ls(&self, arguments: &[&str]) -> Vec<String> {
        self.ok(&[&["ls"], arguments].concat()).lines().map(str::to_owned).collect()
    }

    #[track_caller]
    pub fn snapshots(&self) -> Vec<String> {
        let list = self.json(&["snapshots"]);
        let id = |snapshot: &Value| snapshot["id"].as_str().expect("an id").to_owned();
        list.as_array().expect("an array").iter().map(id).collect()
    }
}

/// Everything below a folder: path, kind and mode, owner, time, and what is in it.
pub fn entries(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(within) = folders.pop() {
        for entry in std::fs::read_dir(&within).expect("a folder is read") {
            let path = entry.expect("an entry is read").path();
            let metadata = path.symlink_metadata().expect("an entry is there");
            let content = if metadata.is_dir() {
                folders.push(path.clone());
                String::new()
            } else if metadata.is_symlink() {
                std::fs::read_link(&path).expect("a link is read").display().to_string()
            } else {
                super::tree::sha256(&std::fs::read(&path).expect("a file is read"))
            };
            let (name, mode) = (path.strip_prefix(folder).expect("it is below"), metadata.mode());
            let (owner, time) = ((metadata.uid(), metadata.gid()), (metadata.mtime(), metadata.mtime_nsec()));
            found.push(format!("{name:?} {mode:o} {owner:?} {time:?} {content}"));
        }
    }
    found.sort();
    found
}

/// A tree with folders, files, an empty one, a link and odd names.
pub fn planted(seed: u64) -> tempfile::TempDir {
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::PermissionsExt as _;
    let folder = super::restic::planted(seed);
    let at = folder.path();
    std::fs::create_dir(at.join("empty folder")).expect("a folder is made");
    std::fs::write(at.join("empty"), "").expect("a file is written");
    std::fs::write(at.join("object.o"), "an object").expect("a file is written");
    std::fs::write(at.join(std::ffi::OsStr::from_bytes(b"\xff\nodd")), "odd").expect("a file is written");
    std::os::unix::fs::symlink("text", at.join("link")).expect("a link is made");
    std::fs::set_permissions(at.join("text"), std::fs::Permissions::from_mode(0o4640)).expect("a mode is set");
    folder
}

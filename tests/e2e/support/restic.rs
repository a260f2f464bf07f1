//! The real restic, as its user runs it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::account::Account;
use super::program;
use super::ran::Ran;

/// One repository, opened with one password and a cache of its own.
#[derive(Clone)]
pub struct Restic {
    repository: String,
    password: String,
    cache: std::sync::Arc<tempfile::TempDir>,
}

impl Restic {
    /// `path` is what follows the host, with its slash. `None` where restic is not installed.
    pub fn new(account: &Account, path: &str) -> Option<Self> {
        Self::at(format!("rest:{}", account.url(path)))
    }

    /// Any repository that restic knows how to open.
    pub fn at(repository: String) -> Option<Self> {
        program(&["restic"])?;
        let cache = std::sync::Arc::new(tempfile::tempdir().expect("a temporary folder"));
        Some(Self { repository, password: "correct horse".to_owned(), cache })
    }

    pub fn with_password(mut self, password: &str) -> Self {
        password.clone_into(&mut self.password);
        self
    }

    /// The same repository at another path of the same server, or of another start of it.
    pub fn moved(&self, account: &Account, path: &str) -> Self {
        Self { repository: format!("rest:{}", account.url(path)), ..self.clone() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("restic");
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.cache.path());
        command.env("RESTIC_PASSWORD", &self.password).env("RESTIC_REPOSITORY", &self.repository);
        command.env("RESTIC_CACHE_DIR", self.cache.path().join("cache")).env("RESTIC_FROM_PASSWORD", "correct horse");
        command.args(arguments).stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&self.command(arguments).output().expect("restic runs"))
    }

    /// Insists that it ends well; what it printed.
    #[track_caller]
    pub fn ok(&self, arguments: &[&str]) -> String {
        self.run(arguments).expect_exit(0).out
    }

    /// Begins and does not wait.
    pub fn begin(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("restic runs")
    }

    #[track_caller]
    pub fn backup(&self, tree: &Path) {
        self.ok(&["backup", "--quiet", &tree.display().to_string()]);
    }

    /// Restores the newest snapshot into a new folder; the tree as it was below `tree`.
    #[track_caller]
    pub fn restored(&self, tree: &Path) -> (tempfile::TempDir, PathBuf) {
        let target = tempfile::tempdir().expect("a temporary folder");
        self.ok(&["restore", "latest", "--target", &target.path().display().to_string()]);
        let below = target.path().join(tree.strip_prefix("/").expect("a whole path"));
        (target, below)
    }

    /// Insists that the newest snapshot is `tree`, byte for byte.
    #[track_caller]
    pub fn expect_restored(&self, tree: &Path) {
        let (_folder, restored) = self.restored(tree);
        assert_eq!(contents(&restored), contents(tree));
    }

    /// Ids of what is of this type, as restic lists them.
    pub fn list(&self, kind: &str) -> Vec<String> {
        self.ok(&["list", kind, "--no-lock", "--quiet"]).lines().map(str::to_owned).collect()
    }
}

/// restic on a new repository; `None`, with a loud line, where it is not installed.
pub fn repository(account: &Account, path: &str) -> Option<Restic> {
    let restic = Restic::new(account, path);
    match &restic {
        Some(restic) => drop(restic.ok(&["init"])),
        None => super::skip("restic is not installed"),
    }
    restic
}

/// A new account for repositories.
pub fn vault(server: &super::server::TestServer) -> Account {
    server.add_account(&["--kind", "vault"])
}

/// A tree with some folders and files; `seed` makes it another one.
fn plant(folder: &Path, seed: u64) {
    for number in 0..12 {
        let below = folder.join(format!("folder {}", number % 3));
        std::fs::create_dir_all(&below).expect("a folder is made");
        let length = usize::try_from((number + 1) * 40_000).expect("it fits");
        std::fs::write(below.join(format!("file {number}")), super::tree::bytes(seed * 100 + number, length)).expect("a file is written");
    }
    std::fs::write(folder.join("text"), format!("tree {seed}")).expect("a file is written");
}

/// Such a tree in a folder of its own.
pub fn planted(seed: u64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    plant(folder.path(), seed);
    folder
}

/// Every file below `folder`: its path, and its bytes.
pub fn contents(folder: &Path) -> Vec<(OsString, Vec<u8>)> {
    let files = super::tree::files_below(folder);
    let entry = |path: PathBuf| {
        let name = path.strip_prefix(folder).expect("it is below the folder").as_os_str().to_owned();
        (name, std::fs::read(&path).expect("a file of the tree is read"))
    };
    files.into_iter().map(entry).collect()
}

//! The vault's command line, as its user runs it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use serde_json::Value;

use super::ran::Ran;

/// One repository, opened with the password that [`super::restic::Restic`] has, too.
#[derive(Clone)]
pub struct Client {
    repository: OsString,
    password: String,
    /// The words in front of the binary, such as `strace -f`.
    under: Vec<String>,
    home: Arc<tempfile::TempDir>,
}

impl Client {
    /// Any repository: an access URL or a folder.
    pub fn at(repository: impl Into<OsString>) -> Self {
        let home = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        Self { repository: repository.into(), password: "correct horse".to_owned(), under: Vec::new(), home }
    }

    pub fn with_password(&self, password: &str) -> Self {
        Self { password: password.to_owned(), ..self.clone() }
    }

    /// Runs the binary under another program.
    pub fn under(&self, words: &[&str]) -> Self {
        Self { under: words.iter().map(|&word| word.to_owned()).collect(), ..self.clone() }
    }

    /// Its home; whatever it keeps beside the repository is below it.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let binary = env!("CARGO_BIN_EXE_strongroom");
        let mut command = match self.under.split_first() {
            None => Command::new(binary),
            Some((program, words)) => {
                let mut command = Command::new(program);
                command.args(words).arg(binary);
                command
            }
        };
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.home.path());
        command.env("STRONGROOM_REPOSITORY", &self.repository).env("STRONGROOM_PASSWORD", &self.password);
        command.args(["vault", "--json"]).args(arguments).stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&self.command(arguments).output().expect("the binary runs"))
    }

    /// Insists that it ends well; its answer.
    #[track_caller]
    pub fn ok(&self, arguments: &[&str]) -> Value {
        answer(&self.run(arguments).expect_exit(0))
    }

    /// Begins and does not wait. What it prints goes into a file below its home, named `out` and `complaint`.
    pub fn begin(&self, arguments: &[&str]) -> Child {
        let file = |name: &str| std::fs::File::create(self.home.path().join(name)).expect("a file is made");
        self.command(arguments).stdout(file("out")).stderr(file("complaint")).spawn().expect("the binary runs")
    }

    /// What [`Self::begin`] began, when it has ended.
    pub fn end(&self, mut child: Child) -> Ran {
        let ended = child.wait().expect("it ends");
        let file = |name: &str| std::fs::read_to_string(self.home.path().join(name)).expect("it is UTF-8");
        Ran { exit: ended.code().unwrap_or(-1), out: file("out"), complaint: file("complaint") }
    }

    /// A whole backup without a failure.
    #[track_caller]
    pub fn backup(&self, tree: &Path) -> Value {
        self.ok(&["backup", text(tree)])
    }

    /// Restores the newest snapshot without a failure; where the tree is then.
    #[track_caller]
    pub fn restored(&self, tree: &Path, target: &Path) -> PathBuf {
        self.ok(&["restore", "latest", "--target", text(target)]);
        below(target, tree)
    }

    /// Insists that all of it is read again and whole.
    #[track_caller]
    pub fn check(&self) {
        self.ok(&["check", "--read-data"]);
    }
}

/// Where a restore puts what lay there.
pub fn below(target: &Path, tree: &Path) -> PathBuf {
    target.join(tree.strip_prefix("/").expect("a whole path"))
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("paths of tests are UTF-8")
}

/// The object that a command answered.
#[track_caller]
pub fn answer(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

/// Path and errno of each failure that it listed.
#[track_caller]
pub fn failures(answer: &Value) -> Vec<(String, Option<i64>)> {
    assert_eq!(answer["failures_left_out"], 0, "{answer}");
    let one = |failure: &Value| (failure["path"].as_str().expect("a path").to_owned(), failure["errno"].as_i64());
    answer["failures"].as_array().unwrap_or_else(|| panic!("failures in {answer}")).iter().map(one).collect()
}

//! What a backup or restore could not do for one entry: it costs that entry, is listed, and the run goes on.

use std::io;
use std::path::PathBuf;

/// One entry that was not, or not wholly, saved or restored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// The entry. Where several are concerned, the folder above them.
    pub path: PathBuf,
    /// What was being done: `open`, `read`, `set owner`.
    pub doing: &'static str,
    /// The operating system's number, where it was the operating system that refused.
    pub errno: Option<i32>,
    /// Why, for people.
    pub why: String,
}

impl Failure {
    pub fn of_io(path: impl Into<PathBuf>, doing: &'static str, error: &io::Error) -> Self {
        Self { path: path.into(), doing, errno: error.raw_os_error(), why: error.to_string() }
    }

    pub fn of(path: impl Into<PathBuf>, doing: &'static str, why: impl ToString) -> Self {
        Self { path: path.into(), doing, errno: None, why: why.to_string() }
    }
}

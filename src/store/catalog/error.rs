//! What a catalog call can fail with.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// What a caller may conclude.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The statement or transaction did not happen, and trying again would fail again: a mistake of ours or a damaged catalog.
    Failed,
    /// It did not happen; the engine cannot be reached or is busy, trying again may help.
    Unavailable,
    /// It did not happen: no room on the catalog's disk.
    Full,
    /// It did not happen: the disk reported an error (EIO). Nothing may be written until a restart.
    Io,
    /// The outcome of a COMMIT is unknown.
    InDoubt,
}

/// A failed catalog call: the fault, what was being done, and the engine's own error.
#[derive(Debug, thiserror::Error)]
#[error("catalog: {doing}")]
pub struct CatalogError {
    pub fault: Fault,
    pub doing: String,
    #[source]
    pub source: Option<Box<dyn StdError + Send + Sync>>,
}

impl CatalogError {
    pub fn new(fault: Fault, doing: impl Into<String>) -> Self {
        Self { fault, doing: doing.into(), source: None }
    }

    pub fn with_source(fault: Fault, doing: impl Into<String>, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { fault, doing: doing.into(), source: Some(source.into()) }
    }
}

/// One cause told to everyone whose commit it ended.
#[derive(Clone, Debug)]
pub(super) struct SharedCause(Arc<dyn StdError + Send + Sync>);

impl SharedCause {
    pub(super) fn new(cause: Box<dyn StdError + Send + Sync>) -> Self {
        Self(cause.into())
    }
}

impl fmt::Display for SharedCause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl StdError for SharedCause {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

/// The beginning of a statement, for an error's text. Statements hold no values, so nothing secret is in it.
pub(super) fn quoted(statement: &str) -> String {
    const SHOWN: usize = 80;
    let line: String = statement.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("`{} …`", &line[..end]),
        None => format!("`{line}`"),
    }
}

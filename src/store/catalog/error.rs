//! What a catalog call can fail with.

use std::error::Error as StdError;

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

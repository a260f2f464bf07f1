//! A consistent copy of the catalog while a server runs.

use std::path::Path;

use super::{Result, Store};

impl Store {
    /// Copies the catalog into a new file at `path`; what commits meanwhile may or may not be in it. A PostgreSQL catalog is
    /// copied with PostgreSQL's own tools, and the error says so.
    pub async fn backup_catalog(&self, path: &Path) -> Result<()> {
        let path = path.to_owned();
        self.read_at_length(move |connection| connection.copy_to(&path)).await
    }
}

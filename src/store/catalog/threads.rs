//! The catalog's own threads: one writer with group commit, several readers.

use super::{CatalogError, Connection};
use crate::config::StoreConfig;

/// A handle to the catalog's threads. Cheap to clone; the threads end with the last handle.
#[derive(Clone)]
pub struct Catalog {}

impl Catalog {
    /// Opens or makes the catalog, applies migrations when `migrate`, starts the threads. Blocking.
    pub fn open(config: &StoreConfig, migrate: bool) -> Result<Self, CatalogError> {
        todo!("{config:?} {migrate}")
    }

    /// Runs `work` on a reader's connection.
    pub async fn read<T, F>(&self, work: F) -> Result<T, CatalogError>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Connection) -> Result<T, CatalogError> + Send + 'static,
    {
        drop(work);
        todo!()
    }

    /// Runs `work` inside the next shared transaction and returns after its COMMIT.
    /// `work` may run again where the engine rolled the transaction back for a reason of its own (deadlock, serialisation).
    pub async fn write<T, F>(&self, work: F) -> Result<T, CatalogError>
    where
        T: Send + 'static,
        F: FnMut(&mut dyn Connection) -> Result<T, CatalogError> + Send + 'static,
    {
        drop(work);
        todo!()
    }
}

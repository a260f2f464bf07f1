//! A fresh catalog with a table `things`, and ways to look at it and to hold its writer.

use std::future::Future;
use std::sync::mpsc;

use crate::config::{CatalogTarget, StoreConfig};
use crate::store::catalog::engine::{Engine, Role, Target};
use crate::store::catalog::testing;
use crate::store::catalog::{Catalog, CatalogError, Connection, Value};

pub(super) struct Bed {
    pub(super) catalog: Catalog,
    pub(super) config: StoreConfig,
    runtime: tokio::runtime::Runtime,
    pub(super) folder: tempfile::TempDir,
}

/// Holds the writer inside a write of its own until it is let go, so that all jobs queued meanwhile share the next commit.
pub(super) struct Hold(mpsc::Sender<()>);

impl Bed {
    pub(super) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = testing::sqlite_target(folder.path());
        Self::with(config, folder)
    }

    pub(super) fn postgres() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let config = testing::postgres_target(folder.path())?;
        Some(Self::with(config, folder))
    }

    fn with(config: StoreConfig, folder: tempfile::TempDir) -> Self {
        let catalog = Catalog::open(&config, true).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let bed = Self { catalog, config, runtime, folder };
        let table = "CREATE TABLE things (id BIGINT NOT NULL PRIMARY KEY, name BYTEA, words TEXT, number BIGINT)";
        bed.write(move |connection| connection.script(table)).unwrap();
        bed
    }

    pub(super) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub(super) fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut dyn Connection) -> Result<T, CatalogError> + Send + 'static,
    ) -> Result<T, CatalogError> {
        self.wait(self.catalog.write(work))
    }

    pub(super) fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Connection) -> Result<T, CatalogError> + Send + 'static,
    ) -> Result<T, CatalogError> {
        self.wait(self.catalog.read(work))
    }

    /// A connection that the catalog's threads know nothing of.
    pub(super) fn second_connection(&self) -> Box<dyn Engine> {
        Target::new(&self.config).unwrap().connect(Role::Writer).unwrap()
    }

    /// All ids, as a second connection sees them.
    pub(super) fn ids(&self) -> Vec<i64> {
        ids(self.second_connection().as_mut())
    }

    /// Returns once the writer is held.
    pub(super) fn hold_writer(&self) -> Hold {
        let (started, starting) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let catalog = self.catalog.clone();
        self.runtime.spawn(async move {
            let held = move |_: &mut dyn Connection| {
                started.send(()).unwrap();
                // Ends with the hold, also when a test drops it in a panic.
                let _ = released.recv();
                Ok(())
            };
            catalog.write(held).await.unwrap();
        });
        starting.recv().unwrap();
        Hold(release)
    }

    pub(super) fn postgres_url(&self) -> &str {
        match &self.config.catalog {
            CatalogTarget::Postgres(url) => url,
            CatalogTarget::Sqlite => panic!("this test is for PostgreSQL"),
        }
    }

    pub(super) fn engine(&self) -> &'static str {
        if self.is_sqlite() { "SQLite" } else { "PostgreSQL" }
    }

    pub(super) fn is_sqlite(&self) -> bool {
        matches!(self.config.catalog, CatalogTarget::Sqlite)
    }
}

impl Hold {
    pub(super) fn let_go(self) {
        drop(self.0);
    }
}

/// The number of rows changed: 0 where the id is taken.
pub(super) fn insert(connection: &mut dyn Connection, id: i64) -> Result<u64, CatalogError> {
    connection.execute("INSERT INTO things (id) VALUES ($1) ON CONFLICT DO NOTHING", &[Value::Int(id)])
}

pub(super) fn ids(connection: &mut dyn Connection) -> Vec<i64> {
    let rows = connection.query("SELECT id FROM things ORDER BY id", &[]).unwrap();
    rows.iter().map(|row| row.int(0).unwrap()).collect()
}

/// The error with all its causes, as a log would show it, and its `Debug`.
pub(super) fn told(error: &CatalogError) -> String {
    let mut text = format!("{error:?} {error}");
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text.push_str(&format!(": {next}"));
        cause = next.source();
    }
    text
}

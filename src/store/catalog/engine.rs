//! What the catalog's threads need of a connection beyond what closures may use, and which engine is behind it.

use super::error::CatalogError;
use super::postgres::Server;
use super::sqlite::Place;
use super::{Connection, postgres, sqlite};
use crate::config::{CatalogTarget, StoreConfig};

/// Which engine holds the catalog, and how to reach it. Cheap to clone.
#[derive(Clone)]
pub(super) enum Target {
    Sqlite(Place),
    Postgres(Server),
}

/// What a connection is for. A reader's refuses to write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    Reader,
    Writer,
}

/// How far a connection can be trusted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    Good,
    /// A statement of the running transaction failed: only a rollback is possible.
    Failed,
    /// As `Failed`, and the engine chose this transaction to give way to another one: running it again may succeed.
    GaveWay,
    /// The connection broke or its state is unknown: close it.
    Lost,
}

/// A connection as its thread sees it.
pub(super) trait Engine: Connection {
    fn standing(&self) -> Standing;
    /// Whether the connection still answers; asked when another connection was lost.
    fn is_alive(&mut self) -> bool;
    /// Names of all tables in the catalog's place, whoever made them.
    fn tables(&mut self) -> Result<Vec<String>, CatalogError>;
    /// Inside a transaction: waits until no other process migrates; the lock ends with the transaction.
    fn lock_migrations(&mut self) -> Result<(), CatalogError>;
    /// Upkeep between transactions, when nobody waits for an answer.
    fn tend(&mut self) {}
}

impl Target {
    /// Checks what can be checked without connecting.
    pub(super) fn new(config: &StoreConfig) -> Result<Self, CatalogError> {
        match &config.catalog {
            CatalogTarget::Sqlite => Place::new(&config.data).map(Self::Sqlite),
            CatalogTarget::Postgres(url) => Server::new(url).map(Self::Postgres),
        }
    }

    pub(super) fn place(&self) -> Option<&Place> {
        match self {
            Self::Sqlite(place) => Some(place),
            Self::Postgres(_) => None,
        }
    }

    /// A connection whose settings were read back.
    pub(super) fn connect(&self, role: Role) -> Result<Box<dyn Engine>, CatalogError> {
        Ok(match self {
            Self::Sqlite(place) => Box::new(sqlite::SqliteConnection::open(place, role)?),
            Self::Postgres(server) => Box::new(postgres::PostgresConnection::open(server, role)?),
        })
    }
}

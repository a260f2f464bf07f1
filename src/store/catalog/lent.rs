//! A connection as a closure sees it: everything but the transaction around it, which is the catalog's own business.

use std::path::Path;

use super::engine::{Engine, Role};
use super::{CatalogError, Connection, Fault, Row, Value};

/// Lends an engine to one closure. It refuses `begin`, `commit` and `rollback`: the transaction is shared with other closures.
pub(super) struct Lent<'a> {
    pub(super) engine: &'a mut dyn Engine,
    pub(super) role: Role,
}

impl Connection for Lent<'_> {
    fn execute(&mut self, statement: &str, values: &[Value]) -> Result<u64, CatalogError> {
        self.engine.execute(statement, values)
    }

    fn query(&mut self, statement: &str, values: &[Value]) -> Result<Vec<Row>, CatalogError> {
        self.engine.query(statement, values)
    }

    fn script(&mut self, statements: &str) -> Result<(), CatalogError> {
        self.engine.script(statements)
    }

    fn begin(&mut self) -> Result<(), CatalogError> {
        Err(refused("begin"))
    }

    fn commit(&mut self) -> Result<(), CatalogError> {
        Err(refused("commit"))
    }

    fn rollback(&mut self) -> Result<(), CatalogError> {
        Err(refused("roll back"))
    }

    fn wall_micros(&mut self) -> Result<Option<i64>, CatalogError> {
        self.engine.wall_micros()
    }

    fn copy_to(&mut self, path: &Path) -> Result<(), CatalogError> {
        match self.role {
            Role::Reader => self.engine.copy_to(path),
            Role::Writer => Err(CatalogError::new(Fault::Failed, "a copy of the catalog is made by a read, not inside a write")),
        }
    }
}

fn refused(what: &str) -> CatalogError {
    CatalogError::new(Fault::Failed, format!("a closure may not {what} the shared transaction"))
}

//! The catalog: one set of SQL statements for SQLite and PostgreSQL.
//!
//! Columns are TEXT, BIGINT and BYTEA; instants are microseconds, flags 0 or 1, names BYTEA so that both engines order
//! by bytes; parameters are written `$1`. Text with a NUL character is refused by both. A parameter that may be null and that
//! stands where its type does not follow from a column is written `CAST($1 AS BIGINT)`, and sums `CAST(sum(x) AS BIGINT)`.
//!
//! All work runs on threads of the catalog's own, so a handler that is dropped cannot cancel it, and a connection whose call
//! failed in an unknown way is closed, never used again.
//!
//! * [`Catalog::read`] hands a closure a connection outside any transaction of ours, and one that cannot write.
//! * [`Catalog::write`] runs a closure inside a transaction that it shares with other writers waiting at the same time
//!   (group commit). It returns after COMMIT. Any error of any closure rolls the whole transaction back; so a closure
//!   reports outcomes such as "name taken" in its `Ok` value, and an `Err` only for what went wrong.

mod engine;
mod error;
mod lent;
mod migrate;
mod postgres;
mod read_queue;
mod reader;
mod slot;
mod sqlite;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod threads;
mod value;
mod writer;

pub use error::{CatalogError, Fault};
pub use threads::{Catalog, WRITE_TIME};
pub use value::{Row, Value};

/// What one connection of either engine can do. Blocking; only called on the catalog's own threads.
pub trait Connection: Send {
    /// Runs one statement, returns the number of rows it changed. Conflicts that a caller expects are written
    /// `ON CONFLICT DO NOTHING` and judged by this number.
    fn execute(&mut self, statement: &str, values: &[Value]) -> Result<u64, CatalogError>;
    /// Runs one query and returns all its rows: queries carry a LIMIT where there may be many.
    fn query(&mut self, statement: &str, values: &[Value]) -> Result<Vec<Row>, CatalogError>;
    /// Runs a script of several statements without parameters.
    fn script(&mut self, statements: &str) -> Result<(), CatalogError>;
    /// Begins a write transaction (`BEGIN IMMEDIATE` on SQLite). Closures of `read` and `write` are refused: transactions are
    /// the catalog's own business.
    fn begin(&mut self) -> Result<(), CatalogError>;
    /// Ends it. `Fault::InDoubt` where the engine did not say whether it happened; refuses, with a rollback, after a failed
    /// statement, because PostgreSQL would answer such a COMMIT with ROLLBACK and drivers may call that Ok.
    fn commit(&mut self) -> Result<(), CatalogError>;
    fn rollback(&mut self) -> Result<(), CatalogError>;
    /// The engine's own wall clock in microseconds; `None` where it is the machine's (SQLite).
    fn wall_micros(&mut self) -> Result<Option<i64>, CatalogError>;
    /// A consistent copy into the new file `path`, synced, while others read and write; `Fault::Failed` where the engine has
    /// tools of its own, inside a write, and where `path` exists.
    fn copy_to(&mut self, path: &std::path::Path) -> Result<(), CatalogError>;
}

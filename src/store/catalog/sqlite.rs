//! SQLite: what one text of SQL cannot say.

mod copy;
mod fault;
mod place;
mod settings;
mod shared_memory;
mod statement;
mod system_error;

pub(super) use place::Place;
pub(super) use shared_memory::{lost, rest_when_lost};

use std::path::Path;
use std::time::Duration;

use ::rusqlite::config::DbConfig;
use ::rusqlite::{Connection as Raw, OpenFlags};

use super::engine::{Engine, Role, Standing};
use super::error::quoted;
use super::{CatalogError, Connection, Fault, Row, Value};

/// How long a statement waits for another process that writes.
const BUSY_WAIT: Duration = Duration::from_secs(30);
/// How long a checkpoint waits for readers before it leaves the rest to a later one.
const CHECKPOINT_WAIT: Duration = Duration::from_millis(100);
/// The write-ahead log is written into the catalog, and begun again from its start, when it has grown by so many pages: 4 MiB.
const WAL_STEP_PAGES: i64 = 1_024;
/// The file of the log keeps this much, so that a commit writes where there is room already and no length has to be synced with it.
const WAL_KEPT_BYTES: u64 = 8 << 20;
const STATEMENTS_KEPT: usize = 128;

/// A connection to `catalog.db` whose settings were read back.
pub(super) struct SqliteConnection {
    raw: Raw,
    place: Place,
    role: Role,
    standing: Standing,
    in_transaction: bool,
    /// The pages in the write-ahead log at which `tend` looks after it again.
    tend_at_pages: i64,
}

impl SqliteConnection {
    /// Opens the file that is there, never makes one.
    pub(super) fn open(place: &Place, role: Role) -> Result<Self, CatalogError> {
        place.refuse_when_lost()?;
        place.judge()?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opening = |error| fault::opening(&error, place.path());
        let raw = Raw::open_with_flags(place.path(), flags).map_err(opening)?;
        raw.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        settings::set_up(&raw, role).map_err(opening)??;
        Ok(Self { raw, place: place.clone(), role, standing: Standing::Good, in_transaction: false, tend_at_pages: WAL_STEP_PAGES })
    }

    /// Runs one call of the engine; after a failure inside a transaction only a rollback is possible.
    fn call<T>(&mut self, doing: &str, call: impl FnOnce(&Raw) -> Result<T, CatalogError>) -> Result<T, CatalogError> {
        if self.standing != Standing::Good {
            return Err(CatalogError::new(Fault::Failed, format!("{doing}: an earlier statement of this transaction failed")));
        }
        self.place.refuse_when_lost().inspect_err(|_| self.standing = Standing::Lost)?;
        let outcome = call(&self.raw).map_err(|error| match error.fault {
            Fault::Io => CatalogError { fault: self.fault_of_io(), ..error },
            _ => error,
        });
        outcome.inspect_err(|error| {
            self.standing = match error.fault {
                Fault::Io => Standing::Lost,
                _ if self.in_transaction => Standing::Failed,
                _ => Standing::Good,
            };
            if error.fault == Fault::Io && self.role == Role::Writer {
                self.place.suspend_writes();
            }
        })
    }

    /// What the last call's I/O error really was.
    fn fault_of_io(&self) -> Fault {
        let (extended, system) = system_error::last(&self.raw);
        fault::of_io(extended, system)
    }

    /// After a COMMIT that failed: what is certain, and what is not.
    fn judge_commit(&mut self, error: &::rusqlite::Error) -> CatalogError {
        let of_io = fault::is_io(error).then(|| self.fault_of_io());
        let fault = fault::of_commit(error, !self.raw.is_autocommit(), of_io == Some(Fault::Full));
        if of_io == Some(Fault::Io) {
            self.place.suspend_writes();
        }
        self.standing = Standing::Failed;
        if fault == Fault::InDoubt || self.rollback().is_err() {
            self.standing = Standing::Lost;
        }
        CatalogError::with_source(fault, "committing", fault::cause(error))
    }
}

impl Connection for SqliteConnection {
    fn execute(&mut self, statement: &str, values: &[Value]) -> Result<u64, CatalogError> {
        self.call("executing", |raw| statement::execute(raw, statement, values))
    }

    fn query(&mut self, statement: &str, values: &[Value]) -> Result<Vec<Row>, CatalogError> {
        self.call("querying", |raw| statement::query(raw, statement, values))
    }

    fn script(&mut self, statements: &str) -> Result<(), CatalogError> {
        self.call("a script", |raw| raw.execute_batch(statements).map_err(|error| fault::statement(&error, quoted(statements))))
    }

    fn begin(&mut self) -> Result<(), CatalogError> {
        self.place.refuse_when_suspended()?;
        self.call("beginning", |raw| {
            raw.execute_batch("BEGIN IMMEDIATE").map_err(|error| fault::statement(&error, "beginning".to_owned()))
        })?;
        self.in_transaction = true;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), CatalogError> {
        // Some errors make SQLite roll back by itself; what ran after that was committed statement by statement.
        if !self.in_transaction || self.standing != Standing::Good || self.raw.is_autocommit() {
            self.rollback()?;
            return Err(CatalogError::new(Fault::Failed, "committing: refused after a failed statement"));
        }
        self.place.refuse_when_lost().inspect_err(|_| self.standing = Standing::Lost)?;
        if let Err(error) = self.raw.execute_batch("COMMIT") {
            return Err(self.judge_commit(&error));
        }
        self.in_transaction = false;
        // The disk has failed beside this commit, and whether it has told the truth of its last sync nobody knows.
        self.place.refuse_when_lost().map_err(|error| {
            self.standing = Standing::Lost;
            CatalogError { fault: Fault::InDoubt, ..error }
        })
    }

    fn rollback(&mut self) -> Result<(), CatalogError> {
        self.place.refuse_when_lost().inspect_err(|_| self.standing = Standing::Lost)?;
        if !self.raw.is_autocommit() {
            self.raw.execute_batch("ROLLBACK").map_err(|error| {
                self.standing = Standing::Lost;
                fault::statement(&error, "rolling back".to_owned())
            })?;
        }
        self.in_transaction = false;
        if self.standing != Standing::Lost {
            self.standing = Standing::Good;
        }
        Ok(())
    }

    fn wall_micros(&mut self) -> Result<Option<i64>, CatalogError> {
        Ok(None)
    }

    fn copy_to(&mut self, path: &Path) -> Result<(), CatalogError> {
        copy::copy(&self.raw, path)
    }
}

impl Engine for SqliteConnection {
    fn standing(&self) -> Standing {
        self.standing
    }

    fn is_alive(&mut self) -> bool {
        true
    }

    fn tables(&mut self) -> Result<Vec<String>, CatalogError> {
        let rows = self.query("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name", &[])?;
        rows.iter().map(|row| row.text(0).map(str::to_owned)).collect()
    }

    /// BEGIN IMMEDIATE is the lock.
    fn lock_migrations(&mut self) -> Result<(), CatalogError> {
        Ok(())
    }

    /// Begins a write-ahead log again that has grown. SQLite would do so by itself, but it keeps a disk error of that to itself and
    /// tries again, and an fsync that is tried again may lie.
    fn tend(&mut self) {
        if self.place.refuse_when_suspended().is_err() || checkpoint(&self.raw, "NOOP").is_ok_and(|log| log.pages < self.tend_at_pages) {
            return;
        }
        let begun_again = self.raw.busy_timeout(CHECKPOINT_WAIT).and_then(|()| checkpoint(&self.raw, "RESTART"));
        let checkpoint_fault = begun_again.as_ref().err().filter(|error| fault::is_io(error)).map(|_| self.fault_of_io());
        let outcome = begun_again.and_then(|log| self.raw.busy_timeout(BUSY_WAIT).map(|()| log));
        self.tend_at_pages = match &outcome {
            Ok(log) if log.is_in_use => log.pages + WAL_STEP_PAGES,
            Ok(_) => WAL_STEP_PAGES,
            Err(_) => self.tend_at_pages + WAL_STEP_PAGES,
        };
        if let Err(error) = outcome {
            if checkpoint_fault == Some(Fault::Io) {
                self.place.suspend_writes();
                self.standing = Standing::Lost;
                tracing::error!(error = %fault::cause(&error), "the disk reported an error: the catalog is not written until a restart");
            } else {
                tracing::warn!(error = %fault::cause(&error), "the catalog's write-ahead log could not be emptied and grows");
            }
        }
    }
}

/// What SQLite says of the write-ahead log after a checkpoint, or without one (`NOOP`).
struct Log {
    pages: i64,
    /// Somebody still reads from it, so it cannot begin again.
    is_in_use: bool,
}

fn checkpoint(raw: &Raw, mode: &str) -> Result<Log, ::rusqlite::Error> {
    let mut statement = raw.prepare_cached(&format!("PRAGMA wal_checkpoint({mode})"))?;
    statement.query_row([], |row| Ok(Log { is_in_use: row.get::<_, i64>(0)? != 0, pages: row.get(1)? }))
}

impl Drop for SqliteConnection {
    /// The last connection to close empties the write-ahead log, which would sync again what a sync failed for: not after a
    /// disk error; the next start reads the log.
    fn drop(&mut self) {
        if self.place.refuse_when_suspended().is_err() {
            let _ = self.raw.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        }
    }
}

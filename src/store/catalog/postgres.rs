//! PostgreSQL: what one text of SQL cannot say.

mod fault;
mod parameter;
mod server;

pub(super) use server::Server;

use std::collections::HashMap;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;

use ::postgres::types::{ToSql, Type};
use ::postgres::{Client, Statement};

use super::engine::{Engine, Role, Standing};
use super::error::quoted;
use super::value::refuse_nul;
use super::{CatalogError, Connection, Fault, Row, Value};
use parameter::Parameter;

const STATEMENTS_KEPT: usize = 256;
/// Names the lock that servers which start at once take before they migrate.
const MIGRATION_LOCK: i64 = 0x5352_6367;

/// A connection to a server whose settings were read back.
pub(super) struct PostgresConnection {
    client: Client,
    /// By text and by the types of the values.
    statements: HashMap<(String, Vec<Type>), Statement>,
    standing: Standing,
    in_transaction: bool,
}

impl PostgresConnection {
    /// On a thread of its own, because a server that takes a connection and then is silent would hold this one for as long as it is.
    pub(super) fn open(server: &Server, role: Role) -> Result<Self, CatalogError> {
        let attempt = server.attempt()?;
        let (opened, opening) = mpsc::sync_channel(1);
        let (server, name) = (server.clone(), "catalog-connect".to_owned());
        let connect = move || {
            let outcome = Self::connect(&server, role);
            drop(attempt);
            // A connection that comes too late is closed here.
            let _ = opened.send(outcome);
        };
        let started = thread::Builder::new().name(name).spawn(connect);
        started.map_err(|error| CatalogError::with_source(Fault::Unavailable, "starting a thread of the catalog", error))?;
        match opening.recv_timeout(server::OPEN_TIME) {
            Ok(outcome) => outcome,
            Err(RecvTimeoutError::Timeout) => Err(server::silent()),
            Err(RecvTimeoutError::Disconnected) => Err(CatalogError::new(Fault::Failed, "connecting to PostgreSQL panicked")),
        }
    }

    fn connect(server: &Server, role: Role) -> Result<Self, CatalogError> {
        let mut client = server.connect()?;
        server::judge(&mut client)?;
        server::set_up(&mut client, role)?;
        Ok(Self { client, statements: HashMap::new(), standing: Standing::Good, in_transaction: false })
    }

    fn refuse_after_failure(&self, doing: &str) -> Result<(), CatalogError> {
        match self.standing {
            Standing::Good => Ok(()),
            _ => Err(CatalogError::new(Fault::Failed, format!("{doing}: an earlier statement of this transaction failed"))),
        }
    }

    /// Notes how far the connection can still be trusted, and says what the failure means.
    fn failed(&mut self, error: &::postgres::Error, doing: String) -> CatalogError {
        let verdict = fault::of_statement(error);
        self.standing = match verdict.standing {
            Standing::Lost => Standing::Lost,
            _ if self.client.is_closed() => Standing::Lost,
            standing if self.in_transaction => standing,
            _ => Standing::Good,
        };
        CatalogError::with_source(verdict.fault, doing, fault::cause(error))
    }

    fn refuse(&mut self, error: CatalogError) -> CatalogError {
        if self.in_transaction {
            self.standing = Standing::Failed;
        }
        error
    }

    fn prepared(&mut self, text: &str, values: &[Value]) -> Result<Statement, CatalogError> {
        self.refuse_after_failure("preparing")?;
        refuse_nul(values).map_err(|error| self.refuse(error))?;
        let key = (text.to_owned(), values.iter().map(parameter::declared).collect::<Vec<_>>());
        if let Some(statement) = self.statements.get(&key) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare_typed(text, &key.1).map_err(|error| self.failed(&error, quoted(text)))?;
        if statement.params().len() != values.len() {
            let text = format!("{}: {} values for {} parameters", quoted(text), values.len(), statement.params().len());
            return Err(self.refuse(CatalogError::new(Fault::Failed, text)));
        }
        if self.statements.len() >= STATEMENTS_KEPT {
            self.statements.clear();
        }
        self.statements.insert(key, statement.clone());
        Ok(statement)
    }

    fn batch(&mut self, statements: &str, doing: String) -> Result<(), CatalogError> {
        self.refuse_after_failure(&doing)?;
        self.client.batch_execute(statements).map_err(|error| self.failed(&error, doing))
    }
}

impl Connection for PostgresConnection {
    fn execute(&mut self, statement: &str, values: &[Value]) -> Result<u64, CatalogError> {
        let prepared = self.prepared(statement, values)?;
        let parameters: Vec<_> = values.iter().map(Parameter).collect();
        self.client.execute(&prepared, &references(&parameters)).map_err(|error| self.failed(&error, quoted(statement)))
    }

    fn query(&mut self, statement: &str, values: &[Value]) -> Result<Vec<Row>, CatalogError> {
        let prepared = self.prepared(statement, values)?;
        let parameters: Vec<_> = values.iter().map(Parameter).collect();
        let rows = self.client.query(&prepared, &references(&parameters)).map_err(|error| self.failed(&error, quoted(statement)))?;
        let read = rows.iter().map(|row| parameter::row(row, statement)).collect::<Result<Vec<_>, _>>();
        read.map_err(|error| self.refuse(error))
    }

    fn script(&mut self, statements: &str) -> Result<(), CatalogError> {
        self.batch(statements, quoted(statements))
    }

    fn begin(&mut self) -> Result<(), CatalogError> {
        self.batch("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", "beginning".to_owned())?;
        self.in_transaction = true;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), CatalogError> {
        if !self.in_transaction || self.standing != Standing::Good {
            self.rollback()?;
            return Err(CatalogError::new(Fault::Failed, "committing: refused after a failed statement"));
        }
        self.in_transaction = false;
        self.client.batch_execute("COMMIT").map_err(|error| {
            let verdict = fault::of_commit(&error);
            self.standing = verdict.standing;
            CatalogError::with_source(verdict.fault, "committing", fault::cause(&error))
        })
    }

    fn rollback(&mut self) -> Result<(), CatalogError> {
        self.in_transaction = false;
        if self.standing != Standing::Lost {
            self.standing = Standing::Good;
        }
        // Outside a transaction this is a warning. A connection that does not even do this is closed by the server too.
        self.batch("ROLLBACK", "rolling back".to_owned()).inspect_err(|_| self.standing = Standing::Lost)
    }

    fn wall_micros(&mut self) -> Result<Option<i64>, CatalogError> {
        let rows = self.query("SELECT CAST(floor(extract(epoch FROM clock_timestamp()) * 1000000) AS BIGINT)", &[])?;
        rows.first().map(|row| row.int(0)).transpose()
    }

    fn copy_to(&mut self, _path: &Path) -> Result<(), CatalogError> {
        Err(CatalogError::new(Fault::Failed, "a catalog in PostgreSQL is copied by its own tools, such as `pg_dump`"))
    }
}

impl Engine for PostgresConnection {
    fn standing(&self) -> Standing {
        self.standing
    }

    fn is_alive(&mut self) -> bool {
        self.client.is_valid(server::ANSWER_TIME).is_ok()
    }

    fn tables(&mut self) -> Result<Vec<String>, CatalogError> {
        let rows =
            self.query("SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename", &[])?;
        rows.iter().map(|row| row.text(0).map(str::to_owned)).collect()
    }

    fn lock_migrations(&mut self) -> Result<(), CatalogError> {
        self.script(&format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
    }
}

fn references<'a>(parameters: &'a [Parameter<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    parameters.iter().map(|parameter| parameter as _).collect()
}

//! The settings of every connection, read back, because SQLite passes over what it does not keep.

use ::rusqlite::config::DbConfig;
use ::rusqlite::types::ValueRef;
use ::rusqlite::{Connection as Raw, Error};

use super::super::engine::Role;
use super::super::{CatalogError, Fault};
use super::{BUSY_WAIT, WAL_KEPT_BYTES};

/// Sets what our promises need and reads each of it back.
pub(super) fn set_up(raw: &Raw, role: Role) -> Result<Result<(), CatalogError>, Error> {
    raw.busy_timeout(BUSY_WAIT)?;
    // A plan that depends on the values would be made anew for each call: a statement that is kept would be parsed as often as run.
    if !raw.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)? {
        return Ok(Err(CatalogError::new(Fault::Failed, "SQLite does not keep its plans for catalog.db")));
    }
    let query_only = if role == Role::Reader { "1" } else { "0" };
    let kept = WAL_KEPT_BYTES.to_string();
    let wanted = [
        ("journal_mode", "WAL", "wal"),
        synchronous(),
        ("query_only", query_only, query_only),
        ("cell_size_check", "ON", "1"),
        ("mmap_size", "0", "0"),
        ("temp_store", "MEMORY", "2"),
        ("foreign_keys", "OFF", "0"),
        ("wal_autocheckpoint", "0", "0"),
        ("journal_size_limit", &kept, &kept),
    ];
    for (pragma, value, read_back) in wanted {
        let mut told = raw.prepare(&format!("PRAGMA {pragma} = {value}"))?;
        let mut rows = told.query([])?;
        while rows.next()?.is_some() {}
        let found = pragma_text(raw, pragma)?;
        if found != read_back {
            let text = format!("SQLite does not keep `{pragma} = {value}` for catalog.db, it answers `{found}`");
            return Ok(Err(CatalogError::new(Fault::Failed, text)));
        }
    }
    Ok(Ok(()))
}

/// Each commit is on the disk before it is told.
fn synchronous() -> (&'static str, &'static str, &'static str) {
    fail::fail_point!("catalog-sync", |_| ("synchronous", "NORMAL", "1"));
    ("synchronous", "FULL", "2")
}

/// What the engine says of one of its settings.
fn pragma_text(raw: &Raw, pragma: &str) -> Result<String, Error> {
    raw.query_row(&format!("PRAGMA {pragma}"), [], |row| {
        Ok(match row.get_ref(0)? {
            ValueRef::Integer(number) => number.to_string(),
            other => other.as_str().unwrap_or("no text").to_owned(),
        })
    })
}

#[cfg(test)]
mod tests {
    use ::rusqlite::StatementStatus;

    use super::*;

    /// Symptom that this prevents: each look-up was parsed and planned again, which took more time than the look-up.
    #[test]
    fn a_kept_statement_is_planned_once_whatever_its_values() {
        let raw = Raw::open_in_memory().expect("memory");
        raw.execute_batch("CREATE TABLE things (id TEXT NOT NULL PRIMARY KEY, size BIGINT)").expect("a table");
        let _ = set_up(&raw, Role::Writer).expect("settings");
        let mut statement = raw.prepare_cached("SELECT size FROM things WHERE id = $1").expect("a statement");
        for id in ["a", "b", "c"] {
            statement.query_row([id], |_| Ok(())).expect_err("no such row");
        }
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    }
}

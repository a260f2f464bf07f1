//! The settings of every connection, read back, because SQLite passes over what it does not keep.

use ::rusqlite::types::ValueRef;
use ::rusqlite::{Connection as Raw, Error};

use super::super::engine::Role;
use super::super::{CatalogError, Fault};
use super::BUSY_WAIT;

/// Sets what our promises need and reads each of it back.
pub(super) fn set_up(raw: &Raw, role: Role) -> Result<Result<(), CatalogError>, Error> {
    raw.busy_timeout(BUSY_WAIT)?;
    let query_only = if role == Role::Reader { "1" } else { "0" };
    let wanted = [
        ("journal_mode", "WAL", "wal"),
        synchronous(),
        ("query_only", query_only, query_only),
        ("cell_size_check", "ON", "1"),
        ("mmap_size", "0", "0"),
        ("temp_store", "MEMORY", "2"),
        ("foreign_keys", "OFF", "0"),
        ("wal_autocheckpoint", "0", "0"),
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

//! Migrations: numbered scripts inside the binary, each applied in a transaction of its own.
//!
//! A migration only adds, so the version before runs on its result: a catalog that is newer by one is accepted, one that is
//! newer still is refused.

use super::engine::Engine;
use super::{CatalogError, Fault, Value};
use crate::clock::Clock;

/// The scripts, the first makes version 1.
pub(super) const SCRIPTS: &[&str] = &[
    include_str!("migrations/0001_files.sql"),
    include_str!("migrations/0002_sessions.sql"),
    include_str!("migrations/0003_vaults.sql"),
    concat!(include_str!("migrations/0004_users.sql"), include_str!("migrations/0004_fleet.sql")),
];
const TABLE: &str = "CREATE TABLE migrations (version BIGINT NOT NULL PRIMARY KEY, applied_at BIGINT NOT NULL)";

/// Brings the catalog to this binary's version when `migrate`, else refuses one that is not there yet. Says whether the catalog
/// was empty.
pub(super) fn bring_up(engine: &mut dyn Engine, migrate: bool) -> Result<bool, CatalogError> {
    bring_up_with(engine, migrate, SCRIPTS)
}

pub(super) fn bring_up_with(engine: &mut dyn Engine, migrate: bool, scripts: &[&str]) -> Result<bool, CatalogError> {
    let ours = scripts.len();
    let found = version(engine)?;
    if found > ours + 1 {
        return Err(refused(format!("it has version {found}, this strongroom knows {ours}: install the newer strongroom that wrote it")));
    }
    if found < ours && !migrate {
        return Err(refused(format!(
            "it has version {found}, this strongroom needs {ours}: start `strongroom serve` once, which brings it up"
        )));
    }
    while apply_next(engine, scripts)? {}
    Ok(found == 0)
}

/// Applies the next script, unless another process was faster. `false` when none is left.
fn apply_next(engine: &mut dyn Engine, scripts: &[&str]) -> Result<bool, CatalogError> {
    if version(engine)? >= scripts.len() {
        return Ok(false);
    }
    engine.begin()?;
    let outcome = apply_in_transaction(engine, scripts);
    match outcome {
        Ok(()) => engine.commit()?,
        // The error that led here says more than one of the rollback.
        Err(_) => drop(engine.rollback()),
    }
    outcome.map(|()| true)
}

/// Under the lock the version is read again: two servers that start at once apply each script once.
fn apply_in_transaction(engine: &mut dyn Engine, scripts: &[&str]) -> Result<(), CatalogError> {
    engine.lock_migrations()?;
    let found = version(engine)?;
    let Some(script) = scripts.get(found) else { return Ok(()) };
    if found == 0 {
        engine.script(TABLE)?;
    }
    engine.script(script)?;
    let applied_at = engine.wall_micros()?.unwrap_or_else(|| Clock::system().wall().micros());
    let number = i64::try_from(found + 1).expect("there are few migrations");
    engine.execute("INSERT INTO migrations (version, applied_at) VALUES ($1, $2)", &[Value::Int(number), Value::Int(applied_at)])?;
    Ok(())
}

/// The last migration applied; 0 for an empty catalog. Tables of somebody else are refused.
fn version(engine: &mut dyn Engine) -> Result<usize, CatalogError> {
    let tables = engine.tables()?;
    if tables.is_empty() {
        return Ok(0);
    }
    if !tables.iter().any(|table| table == "migrations") {
        return Err(refused(format!("it holds tables that are not ours (`{}`): give strongroom a database of its own", tables[0])));
    }
    let rows = engine.query("SELECT max(version) FROM migrations", &[])?;
    let number = rows.first().map(|row| row.optional_int(0)).transpose()?.flatten();
    number
        .and_then(|number| usize::try_from(number).ok())
        .filter(|number| *number > 0)
        .ok_or_else(|| refused("its table `migrations` names no version: restore a copy or run `strongroom catalog rebuild`".to_owned()))
}

fn refused(why: String) -> CatalogError {
    CatalogError::new(Fault::Failed, format!("this catalog cannot be used: {why}"))
}

//! Migrations: from nothing, again, forward, and the limits of going back.

use super::bed::{Bed, insert, told};
use crate::store::catalog::migrate::{SCRIPTS, bring_up_with};
use crate::store::catalog::{Catalog, CatalogError, Fault, Value};

super::on_both_engines!(
    a_catalog_is_made_once_and_opened_again,
    a_catalog_that_is_newer_by_one_is_used_and_a_newer_one_refused,
    an_older_catalog_is_refused_or_brought_up,
    a_migration_that_fails_leaves_nothing,
    a_catalog_without_a_version_is_refused,
);

const LATER: &str = "CREATE TABLE later (id BIGINT NOT NULL); ALTER TABLE things ADD COLUMN extra BIGINT";

/// The version that this binary knows.
fn ours() -> i64 {
    i64::try_from(SCRIPTS.len()).unwrap()
}

/// What a binary knows that has one script more.
fn scripts_and(script: &'static str) -> Vec<&'static str> {
    [SCRIPTS, &[script]].concat()
}

fn up_to(version: i64) -> Vec<i64> {
    (1..=version).collect()
}

fn versions(bed: &Bed) -> Vec<i64> {
    let rows = bed.second_connection().query("SELECT version FROM migrations ORDER BY version", &[]).unwrap();
    rows.iter().map(|row| row.int(0).unwrap()).collect()
}

fn opened(bed: &Bed) -> Result<Catalog, CatalogError> {
    Catalog::open(&bed.config, true)
}

fn a_catalog_is_made_once_and_opened_again(bed: &Bed) {
    assert!(bed.catalog.was_created());
    bed.write(|connection| insert(connection, 1)).unwrap();
    for migrate in [true, false] {
        let again = Catalog::open(&bed.config, migrate).unwrap();
        assert!(!again.was_created());
    }
    assert_eq!((versions(bed), bed.ids()), (up_to(ours()), vec![1]));
}

fn a_catalog_that_is_newer_by_one_is_used_and_a_newer_one_refused(bed: &Bed) {
    let newer = "INSERT INTO migrations (version, applied_at) VALUES ($1, 0)";
    bed.write(move |connection| connection.execute(newer, &[Value::Int(ours() + 1)])).unwrap();
    assert!(!opened(bed).unwrap().was_created());
    bed.write(move |connection| connection.execute(newer, &[Value::Int(ours() + 2)])).unwrap();
    for migrate in [true, false] {
        let Err(error) = Catalog::open(&bed.config, migrate) else { panic!("a catalog from the future was opened") };
        assert!(error.fault == Fault::Failed && told(&error).contains(&format!("version {}", ours() + 2)), "{}", told(&error));
    }
}

fn an_older_catalog_is_refused_or_brought_up(bed: &Bed) {
    bed.write(|connection| insert(connection, 1)).unwrap();
    let mut connection = bed.second_connection();
    let error = bring_up_with(connection.as_mut(), false, &scripts_and(LATER)).unwrap_err();
    assert!(told(&error).contains(&format!("has version {}", ours())) && told(&error).contains("strongroom serve"), "{}", told(&error));
    assert_eq!(versions(bed), up_to(ours()));
    assert!(!bring_up_with(connection.as_mut(), true, &scripts_and(LATER)).unwrap());
    assert_eq!((versions(bed), bed.ids()), (up_to(ours() + 1), vec![1]));
}

fn a_migration_that_fails_leaves_nothing(bed: &Bed) {
    let mut connection = bed.second_connection();
    let broken = "CREATE TABLE half (id BIGINT); CREATE TABLE things (id BIGINT)";
    assert!(bring_up_with(connection.as_mut(), true, &scripts_and(broken)).is_err());
    assert_eq!(versions(bed), up_to(ours()));
    assert!(!connection.tables().unwrap().iter().any(|table| table == "half"));
    bring_up_with(connection.as_mut(), true, &scripts_and(LATER)).unwrap();
    assert_eq!(versions(bed), up_to(ours() + 1));
}

fn a_catalog_without_a_version_is_refused(bed: &Bed) {
    bed.write(|connection| connection.execute("DELETE FROM migrations", &[])).unwrap();
    let Err(error) = opened(bed) else { panic!("a catalog without a version was opened") };
    assert!(told(&error).contains("names no version"), "{}", told(&error));
    bed.write(|connection| connection.script("DROP TABLE migrations")).unwrap();
    let Err(error) = opened(bed) else { panic!("somebody else's tables were taken") };
    assert!(told(&error).contains("tables that are not ours"), "{}", told(&error));
}

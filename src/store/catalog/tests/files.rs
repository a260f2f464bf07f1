//! SQLite's file: what is refused, what is made, and what happens at the limits of its disk.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::bed::{Bed, insert, told};
use crate::store::catalog::engine::{Role, Target};
use crate::store::catalog::testing::sqlite_target;
use crate::store::catalog::{Catalog, CatalogError, Connection, Fault, Value};

/// Opens the catalog in `folder`, which must be refused in these words and left as it was.
fn refused(folder: &Path, words: &str) {
    let path = folder.join("catalog.db");
    let before = std::fs::read(&path).ok();
    for migrate in [true, false] {
        let Err(error) = Catalog::open(&sqlite_target(folder), migrate) else { panic!("opened, but wanted: {words}") };
        assert_eq!(error.fault, Fault::Failed, "{}", told(&error));
        assert!(told(&error).contains(words), "{}", told(&error));
        assert_eq!(std::fs::read(&path).ok(), before, "a refused file is left as it is");
    }
}

/// The bytes of a catalog with some rows and nothing in its write-ahead log.
fn whole_catalog() -> Vec<u8> {
    let bed = Bed::sqlite();
    bed.write(|connection| (0..5_000).try_for_each(|id| insert(connection, id).map(drop))).unwrap();
    let path = bed.folder.path().join("whole");
    let target = path.clone();
    bed.read(move |connection| connection.copy_to(&target)).unwrap();
    std::fs::read(path).unwrap()
}

#[test]
fn a_file_that_is_no_catalog_is_refused_and_left_alone() {
    let whole = whole_catalog();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.db");
    let cases: [(&str, Vec<u8>, &str); 6] = [
        ("empty", vec![], "empty or cut short"),
        ("cut in its header", whole[..60].to_vec(), "empty or cut short"),
        ("zeros", vec![0; whole.len()], "filled with zeros"),
        ("text", b"This is not a catalog. ".repeat(100), "not a SQLite database"),
        ("cut to half", whole[..whole.len() / 2 / 4096 * 4096].to_vec(), "damaged"),
        ("cut inside its first page", whole[..1000].to_vec(), ""),
    ];
    for (_, bytes, words) in cases {
        std::fs::write(&path, bytes).unwrap();
        refused(folder.path(), words);
    }
    std::fs::write(&path, whole).unwrap();
    Catalog::open(&sqlite_target(folder.path()), false).unwrap();
}

#[test]
fn the_database_of_another_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let foreign = ::rusqlite::Connection::open(folder.path().join("catalog.db")).unwrap();
    foreign.execute_batch("CREATE TABLE migrations (version BIGINT); INSERT INTO migrations VALUES (1)").unwrap();
    drop(foreign);
    refused(folder.path(), "database of another program");
}

#[test]
fn a_missing_file_is_made_only_when_migrating_and_only_without_a_log_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let Err(error) = Catalog::open(&sqlite_target(folder.path()), false) else { panic!("opened nothing") };
    assert!(told(&error).contains("catalog.db is missing"), "{}", told(&error));
    std::fs::write(folder.path().join("catalog.db-wal"), "rows").unwrap();
    refused(folder.path(), "catalog.db-wal is there");
    std::fs::remove_file(folder.path().join("catalog.db-wal")).unwrap();
    std::fs::write(folder.path().join("catalog.db.new"), "left by a crash").unwrap();
    std::fs::write(folder.path().join("catalog.db.new-wal"), "left by a crash").unwrap();
    let catalog = Catalog::open(&sqlite_target(folder.path()), true).unwrap();
    assert!(catalog.was_created());
    assert!(!folder.path().join("catalog.db.new").exists());
    let mode = std::fs::metadata(folder.path().join("catalog.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_damaged_page_is_found_by_the_integrity_check() {
    let mut bytes = whole_catalog();
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let last_page = bytes.len() - 4096;
    bytes[last_page..].fill(0);
    std::fs::write(folder.path().join("catalog.db"), bytes).unwrap();
    let catalog = Catalog::open(&sqlite_target(folder.path()), false).unwrap();
    let error = runtime.block_on(catalog.integrity_check()).unwrap_err();
    assert_eq!(error.fault, Fault::Failed, "{}", told(&error));
    let whole = Bed::sqlite();
    whole.wait(whole.catalog.integrity_check()).unwrap();
}

#[test]
fn a_full_catalog_says_so_and_goes_on_when_there_is_room() {
    let bed = Bed::sqlite();
    let big = || Value::Bytes(vec![1; 1 << 20]);
    let put = "INSERT INTO things (id, name) VALUES ($1, $2)";
    let limit = |pages: i64| move |connection: &mut dyn Connection| connection.script(&format!("PRAGMA max_page_count = {pages}"));
    bed.write(limit(60)).unwrap();
    let error = bed.write(move |connection| connection.execute(put, &[Value::Int(1), big()])).unwrap_err();
    assert_eq!(error.fault, Fault::Full, "{}", told(&error));
    bed.write(limit(1_000_000)).unwrap();
    bed.write(move |connection| connection.execute(put, &[Value::Int(2), big()])).unwrap();
    assert_eq!(bed.ids(), [2]);
}

#[test]
fn after_a_disk_error_nothing_is_written_and_reading_goes_on() -> Result<(), CatalogError> {
    let bed = Bed::sqlite();
    let Target::Sqlite(place) = Target::new(&bed.config)? else { panic!("this is SQLite") };
    let target = Target::Sqlite(place.clone());
    let mut connection = target.connect(Role::Writer)?;
    insert(connection.as_mut(), 1)?;
    place.suspend_writes();
    assert_eq!(connection.begin().unwrap_err().fault, Fault::Io);
    assert_eq!(target.connect(Role::Writer)?.begin().unwrap_err().fault, Fault::Io, "a new connection changes nothing");
    assert_eq!(connection.query("SELECT id FROM things", &[])?.len(), 1);
    Ok(())
}

#[test]
fn the_write_ahead_log_stays_small_beside_readers() {
    let bed = Bed::sqlite();
    let log = bed.folder.path().join("catalog.db-wal");
    let mut largest = 0;
    for id in 0..48 {
        let bytes = Value::Bytes(vec![7; 1 << 20]);
        bed.write(move |connection| connection.execute("INSERT INTO things (id, name) VALUES ($1, $2)", &[Value::Int(id), bytes.clone()]))
            .unwrap();
        let seen = bed.read(|connection| connection.query("SELECT count(*) FROM things", &[])).unwrap();
        assert_eq!(seen[0].int(0).unwrap(), id + 1);
        largest = largest.max(std::fs::metadata(&log).unwrap().len());
    }
    assert!((1 << 20..16 << 20).contains(&largest), "the log grew to {largest} bytes");
}

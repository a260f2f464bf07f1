//! A PostgreSQL server that restarts, stalls or hangs up, and servers of ours that meet on one.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use super::bed::{Bed, insert, told};
use crate::config::{CatalogTarget, StoreConfig};
use crate::store::catalog::testing::{postgres_url, postgres_url_with, raw_postgres, sqlite_target};
use crate::store::catalog::{Catalog, Connection, Fault, Value};

const OTHERS: &str =
    "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";

fn config_of(url: &str) -> StoreConfig {
    StoreConfig { catalog: CatalogTarget::Postgres(url.to_owned()), ..sqlite_target(std::path::Path::new("/nonexistent")) }
}

fn count(client: &mut ::postgres::Client, query: &str) -> i64 {
    client.query_one(&format!("SELECT count(*) {query}"), &[]).unwrap().get(0)
}

#[test]
fn connections_that_the_server_ended_are_opened_again() {
    let Some(bed) = Bed::postgres() else { return };
    bed.read(|connection| connection.query("SELECT id FROM things", &[])).unwrap();
    let mut owner = raw_postgres(bed.postgres_url());
    owner.execute(&format!("SELECT pg_terminate_backend(pid) {OTHERS}"), &[]).unwrap();
    while count(&mut owner, OTHERS) > 0 {
        thread::yield_now();
    }
    assert_eq!(bed.write(|connection| insert(connection, 1)).unwrap(), 1, "nothing had happened, so the writer began again by itself");
    for _ in 0..4 {
        let rows = bed.read(|connection| connection.query("SELECT id FROM things", &[])).unwrap();
        assert_eq!(rows.len(), 1, "readers heard of the loss before they used their connections");
    }
}

#[test]
fn a_connection_that_ends_before_the_commit_is_no_doubt() {
    let Some(bed) = Bed::postgres() else { return };
    let error = bed
        .write(|connection| {
            insert(connection, 1)?;
            connection.query("SELECT pg_terminate_backend(pg_backend_pid())", &[])
        })
        .unwrap_err();
    assert_eq!(error.fault, Fault::Unavailable, "{}", told(&error));
    assert_eq!(bed.write(|connection| insert(connection, 2)).unwrap(), 1);
    assert_eq!(bed.ids(), [2]);
}

/// Makes every COMMIT that inserted things wait for an advisory lock that `owner` holds.
fn make_commits_wait(owner: &mut ::postgres::Client) {
    let script = "CREATE FUNCTION wait_in_commit() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NULL; END';
        CREATE CONSTRAINT TRIGGER waits AFTER INSERT ON things DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION wait_in_commit();
        SELECT pg_advisory_lock(42)";
    owner.batch_execute(script).unwrap();
}

#[test]
fn a_connection_that_ends_inside_the_commit_leaves_everyone_in_doubt() {
    let Some(bed) = Bed::postgres() else { return };
    let mut owner = raw_postgres(bed.postgres_url());
    make_commits_wait(&mut owner);
    let hold = bed.hold_writer();
    let (answered, answers) = mpsc::channel();
    for id in 1..=2 {
        let (catalog, answered) = (bed.catalog.clone(), answered.clone());
        let mut write = Box::pin(async move { catalog.write(move |connection| insert(connection, id)).await });
        assert!(bed.wait(async { futures_util::poll!(&mut write) }).is_pending());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        thread::spawn(move || answered.send(runtime.block_on(write)).unwrap());
    }
    hold.let_go();
    let waiting = format!("{OTHERS} AND wait_event_type = 'Lock' AND query = 'COMMIT'");
    while count(&mut owner, &waiting) == 0 {
        thread::yield_now();
    }
    owner.execute(&format!("SELECT pg_terminate_backend(pid) {waiting}"), &[]).unwrap();
    for _ in 1..=2 {
        let error = answers.recv().unwrap().unwrap_err();
        assert_eq!(error.fault, Fault::InDoubt, "{}", told(&error));
    }
    owner.batch_execute("SELECT pg_advisory_unlock(42)").unwrap();
    assert_eq!(bed.write(|connection| insert(connection, 3)).unwrap(), 1, "the next write has a connection of its own");
    assert_eq!(bed.ids(), [3]);
}

#[test]
fn a_constraint_that_fails_in_the_commit_is_no_doubt() {
    let Some(bed) = Bed::postgres() else { return };
    let table = "CREATE TABLE once (id BIGINT UNIQUE DEFERRABLE INITIALLY DEFERRED)";
    bed.write(move |connection| connection.script(table)).unwrap();
    let error = bed.write(|connection| connection.execute("INSERT INTO once VALUES (1), (1)", &[])).unwrap_err();
    assert_eq!((error.fault, error.doing.as_str()), (Fault::Failed, "committing"));
    bed.write(|connection| insert(connection, 1)).unwrap();
    assert_eq!(bed.ids(), [1]);
}

/// Two servers change two rows in opposite order: the one that the engine lets give way runs again. That run begins with the row
/// that the other one holds; with its own it could take it before the other one wakes, and meet the next deadlock.
#[test]
fn a_transaction_that_gave_way_in_a_deadlock_runs_again() {
    let Some(bed) = Bed::postgres() else { return };
    bed.write(|connection| connection.script("INSERT INTO things (id, number) VALUES (1, 0), (2, 0)")).unwrap();
    let other = Catalog::open(&bed.config, true).unwrap();
    let meeting = Arc::new(Barrier::new(2));
    let runs = Arc::new(AtomicU32::new(0));
    let change = |own: i64, others: i64| {
        let (meeting, runs, mut is_first_run) = (Arc::clone(&meeting), Arc::clone(&runs), true);
        move |connection: &mut dyn Connection| {
            runs.fetch_add(1, Ordering::SeqCst);
            let mut update = |id| connection.execute("UPDATE things SET number = number + 1 WHERE id = $1", &[Value::Int(id)]);
            if std::mem::take(&mut is_first_run) {
                update(own)?;
                meeting.wait();
                return update(others);
            }
            update(others)?;
            update(own)
        }
    };
    let (one, two) = bed.wait(async { tokio::join!(bed.catalog.write(change(1, 2)), other.write(change(2, 1))) });
    assert_eq!((one.unwrap(), two.unwrap()), (1, 1));
    assert!(runs.load(Ordering::SeqCst) >= 3, "at least one of them ran again");
    let rows = bed.read(|connection| connection.query("SELECT number FROM things ORDER BY id", &[])).unwrap();
    assert_eq!(rows.iter().map(|row| row.int(0).unwrap()).collect::<Vec<_>>(), [2, 2], "each change was made once");
}

#[test]
fn a_transaction_that_always_gives_way_is_tried_five_times() {
    let Some(bed) = Bed::postgres() else { return };
    let runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    let error = bed.write(move |connection| {
        counted.fetch_add(1, Ordering::SeqCst);
        insert(connection, 1)?;
        connection.script("DO 'BEGIN RAISE EXCEPTION SQLSTATE ''40001''; END'")
    });
    assert_eq!((error.unwrap_err().fault, runs.load(Ordering::SeqCst)), (Fault::Unavailable, 5));
    assert_eq!(bed.write(|connection| insert(connection, 2)).unwrap(), 1);
    assert_eq!(bed.ids(), [2]);
}

#[test]
fn servers_that_start_at_once_migrate_once() {
    let Some(url) = postgres_url() else { return };
    let servers: Vec<_> = (0..6)
        .map(|_| {
            let config = config_of(&url);
            thread::spawn(move || Catalog::open(&config, true).map(drop))
        })
        .collect();
    for server in servers {
        server.join().unwrap().unwrap();
    }
    let known = i64::try_from(crate::store::catalog::migrate::SCRIPTS.len()).unwrap();
    assert_eq!(count(&mut raw_postgres(&url), "FROM migrations"), known);
}

#[test]
fn an_empty_database_is_not_made_a_catalog_without_migrating() {
    let Some(url) = postgres_url() else { return };
    let Err(error) = Catalog::open(&config_of(&url), false) else { panic!("opened nothing") };
    assert!(told(&error).contains("version 0"), "{}", told(&error));
    assert_eq!(count(&mut raw_postgres(&url), "FROM pg_tables WHERE schemaname = 'public'"), 0);
}

#[test]
fn a_server_that_may_lose_rows_or_text_is_refused_by_name() {
    let Some(url) = postgres_url() else { return };
    let name = url.rsplit('/').next().unwrap();
    raw_postgres(&url).batch_execute(&format!("ALTER DATABASE {name} SET synchronous_commit = off")).unwrap();
    let ascii = postgres_url_with("ENCODING 'SQL_ASCII' TEMPLATE template0").unwrap();
    for (url, words) in [(&url, "synchronous_commit is off"), (&ascii, "SQL_ASCII")] {
        let Err(error) = Catalog::open(&config_of(url), true) else { panic!("taken, but wanted: {words}") };
        assert!(error.fault == Fault::Failed && told(&error).contains(words), "{}", told(&error));
    }
}

#[test]
fn a_server_that_is_not_there_is_unavailable_and_its_password_is_not_told() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let Err(error) = Catalog::open(&config_of(&format!("postgres://someone:swordfish@127.0.0.1:{port}/c")), true) else {
        panic!("connected")
    };
    assert_eq!(error.fault, Fault::Unavailable);
    assert!(!told(&error).contains("swordfish"), "{}", told(&error));
}

//! Readers: panics, refused writes, time, copies.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use futures_util::poll;

use super::bed::{Bed, insert};
use crate::store::catalog::testing::sqlite_target;
use crate::store::catalog::{Catalog, Fault, Value};

super::on_both_engines!(
    a_read_that_panics_fails_alone,
    a_read_that_nobody_waits_for_any_more_is_passed_over,
    a_reader_cannot_write,
    a_failed_query_does_not_spoil_the_next_one,
    wall_time_is_the_engines_where_it_has_one,
    a_copy_is_whole_private_and_never_replaces,
);

fn a_read_that_panics_fails_alone(bed: &Bed) {
    for _ in 0..5 {
        let error = bed.read::<()>(|_| panic!("a mistake in a closure")).unwrap_err();
        assert_eq!(error.fault, Fault::Failed);
    }
    assert!(bed.read(|connection| connection.query("SELECT id FROM things", &[])).unwrap().is_empty());
}

/// After an engine's silence the queue is full of reads whose callers were told long ago that there is no answer.
fn a_read_that_nobody_waits_for_any_more_is_passed_over(bed: &Bed) {
    let (ran, released) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (started, starting) = mpsc::channel();
    let holds: Vec<_> = (0..bed.config.catalog_readers)
        .map(|_| {
            let (released, started) = (Arc::clone(&released), started.clone());
            let mut hold = Box::pin(bed.catalog.read(move |_| {
                started.send(()).unwrap();
                while !released.load(Ordering::SeqCst) {
                    std::thread::yield_now();
                }
                Ok(())
            }));
            assert!(bed.wait(async { poll!(&mut hold) }).is_pending());
            hold
        })
        .collect();
    holds.iter().for_each(|_| starting.recv().unwrap());
    let runs = Arc::clone(&ran);
    let mut given_up = Box::pin(bed.catalog.read(move |_| {
        runs.store(true, Ordering::SeqCst);
        Ok(())
    }));
    assert!(bed.wait(async { poll!(&mut given_up) }).is_pending(), "all readers are held");
    drop(given_up);
    released.store(true, Ordering::SeqCst);
    holds.into_iter().for_each(|hold| bed.wait(hold).unwrap());
    bed.read(|_| Ok(())).unwrap();
    assert!(!ran.load(Ordering::SeqCst));
}

fn a_reader_cannot_write(bed: &Bed) {
    assert!(bed.read(|connection| insert(connection, 1)).is_err());
    assert!(bed.read(|connection| connection.begin()).is_err());
    assert!(bed.ids().is_empty());
}

fn a_failed_query_does_not_spoil_the_next_one(bed: &Bed) {
    let rows = bed.read(|connection| {
        assert_eq!(connection.query("SELECT nothing FROM nowhere", &[]).unwrap_err().fault, Fault::Failed);
        connection.query("SELECT id FROM things", &[])
    });
    assert!(rows.unwrap().is_empty());
}

fn wall_time_is_the_engines_where_it_has_one(bed: &Bed) {
    let before = crate::clock::Clock::system().wall().micros();
    let told = bed.read(|connection| connection.wall_micros()).unwrap();
    let after = crate::clock::Clock::system().wall().micros();
    match told {
        Some(micros) => assert!(!bed.is_sqlite() && (before..=after).contains(&micros), "{before} {micros} {after}"),
        None => assert!(bed.is_sqlite()),
    }
}

fn a_copy_is_whole_private_and_never_replaces(bed: &Bed) {
    use std::os::unix::fs::PermissionsExt;
    bed.write(|connection| (0..500).try_for_each(|id| insert(connection, id).map(drop))).unwrap();
    let folder = bed.folder.path().join("copy");
    std::fs::create_dir(&folder).unwrap();
    let path = folder.join("catalog.db");
    let target = path.clone();
    let inside = bed.write(move |connection| connection.copy_to(&target)).unwrap_err();
    assert_eq!(inside.fault, Fault::Failed);
    let target = path.clone();
    let outcome = bed.read(move |connection| connection.copy_to(&target));
    if !bed.is_sqlite() {
        assert_eq!(outcome.unwrap_err().fault, Fault::Failed);
        return;
    }
    outcome.unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let bytes = std::fs::read(&path).unwrap();
    let target = path.clone();
    assert_eq!(bed.read(move |connection| connection.copy_to(&target)).unwrap_err().fault, Fault::Failed);
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "a copy does not replace a file");
    let copy = Catalog::open(&sqlite_target(&folder), false).unwrap();
    bed.wait(copy.integrity_check()).unwrap();
    let count = bed.wait(copy.read(|connection| connection.query("SELECT count(*) FROM things", &[]))).unwrap();
    assert_eq!(count[0].0, [Value::Int(500)]);
}

//! Group commit: who shares a transaction shares its end, and nobody is told Ok before it.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use futures_util::poll;

use super::bed::{Bed, ids, insert, told};
use crate::figure::figure;
use crate::store::catalog::{CatalogError, Connection, Fault};

super::on_both_engines!(
    rows_answered_ok_survive_any_number_of_dropped_handlers,
    a_loser_by_conflict_alone_sees_no_row_changed,
    a_failing_statement_fails_the_whole_shared_commit,
    an_error_of_a_closure_fails_the_whole_shared_commit,
    a_panic_fails_the_shared_commit_and_the_next_one_works,
    a_panic_closes_the_connection_that_it_left_behind,
    a_failed_statement_that_a_closure_kept_to_itself_is_not_committed,
    a_closure_may_not_end_the_shared_transaction,
    a_commit_is_refused_after_a_failed_statement,
    handles_that_go_leave_taken_jobs_to_their_end,
    more_jobs_than_the_queue_holds_are_told_without_a_wait,
);

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, CatalogError>> + 'a>>;

/// Queues a write and returns while it waits.
fn queued<'a, T: Send + 'static>(
    bed: &'a Bed,
    work: impl FnMut(&mut dyn Connection) -> Result<T, CatalogError> + Send + 'static,
) -> Answer<'a, T> {
    let mut answer: Answer<'a, T> = Box::pin(bed.catalog.write(work));
    assert!(bed.wait(async { poll!(&mut answer) }).is_pending(), "the writer is held");
    answer
}

fn rows_answered_ok_survive_any_number_of_dropped_handlers(bed: &Bed) {
    let handlers: i64 = 10_000;
    let answered = Arc::new(Mutex::new(BTreeSet::new()));
    bed.wait(async {
        for wave in 0..handlers / 100 {
            let tasks: Vec<_> =
                (0..100).map(|place| tokio::spawn(handle(bed.catalog.clone(), Arc::clone(&answered), wave * 100 + place))).collect();
            for task in tasks {
                task.await.unwrap();
            }
        }
        bed.catalog.write(|_| Ok(())).await.unwrap();
    });
    let seen: BTreeSet<i64> = bed.ids().into_iter().collect();
    let answered = answered.lock().unwrap();
    let lost: Vec<_> = answered.difference(&seen).collect();
    assert!(lost.is_empty(), "answered Ok and not there: {lost:?}");
    let dropped = handlers - i64::try_from(answered.len()).unwrap();
    assert!(dropped > handlers / 10 && dropped < handlers, "{dropped} of {handlers} were dropped before their answer");
    assert!(seen.len() > answered.len(), "a job that was taken runs although nobody waits for it");
    let text = format!("{handlers} handlers, {dropped} dropped at random polls: 0 of {} rows answered Ok lost", answered.len());
    figure("D24b", bed.engine(), &text, None);
}

/// Inserts `id`; half of the handlers are dropped after some polls, whatever they had come to.
async fn handle(catalog: crate::store::catalog::Catalog, answered: Arc<Mutex<BTreeSet<i64>>>, id: i64) {
    let mut work = Box::pin(async {
        let changed = catalog.write(move |connection| insert(connection, id)).await.unwrap();
        assert_eq!(changed, 1);
        answered.lock().unwrap().insert(id);
    });
    let mut random = [0; 2];
    getrandom::fill(&mut random).unwrap();
    if random[0].is_multiple_of(2) {
        return work.await;
    }
    for _ in 0..random[1] {
        if poll!(&mut work).is_ready() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

fn a_loser_by_conflict_alone_sees_no_row_changed(bed: &Bed) {
    let hold = bed.hold_writer();
    let winner = queued(bed, |connection| insert(connection, 1));
    let loser = queued(bed, |connection| insert(connection, 1));
    let other = queued(bed, |connection| insert(connection, 2));
    let config = bed.config.clone();
    let witness = queued(bed, move |connection| {
        let mut second = crate::store::catalog::engine::Target::new(&config)?.connect(crate::store::catalog::engine::Role::Reader)?;
        Ok((ids(connection), ids(second.as_mut())))
    });
    hold.let_go();
    let (inside, outside) = bed.wait(witness).unwrap();
    assert_eq!((inside, outside), (vec![1, 2], vec![]), "all of them shared one transaction");
    assert_eq!(bed.wait(winner).unwrap(), 1);
    assert_eq!(bed.wait(loser).unwrap(), 0);
    assert_eq!(bed.wait(other).unwrap(), 1);
    assert_eq!(bed.ids(), [1, 2]);
    figure("D24c", &format!("{}, unique conflict", bed.engine()), "the loser alone hears of it, its neighbours are stored", None);
}

fn a_failing_statement_fails_the_whole_shared_commit(bed: &Bed) {
    let hold = bed.hold_writer();
    let before = queued(bed, |connection| insert(connection, 1));
    let failing = queued(bed, |connection| connection.execute("INSERT INTO things (id) VALUES (1)", &[]));
    let after = queued(bed, |connection| insert(connection, 2));
    hold.let_go();
    let own = bed.wait(failing).unwrap_err();
    assert_eq!(own.fault, Fault::Failed);
    for innocent in [before, after] {
        let error = bed.wait(innocent).unwrap_err();
        assert_eq!(error.fault, Fault::Unavailable);
        assert!(error.to_string().contains("another statement of the shared commit failed"), "{error}");
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), std::error::Error::source(&own).unwrap().to_string());
    }
    assert!(bed.ids().is_empty());
    bed.write(|connection| insert(connection, 3)).unwrap();
    assert_eq!(bed.ids(), [3]);
    figure("D24c", &format!("{}, failing statement", bed.engine()), "all of the shared commit fail, 0 false 201", None);
}

fn an_error_of_a_closure_fails_the_whole_shared_commit(bed: &Bed) {
    let hold = bed.hold_writer();
    let before = queued(bed, |connection| insert(connection, 1));
    let failing = queued::<()>(bed, |_| Err(CatalogError::new(Fault::Full, "no room for it")));
    hold.let_go();
    assert_eq!(bed.wait(before).unwrap_err().fault, Fault::Unavailable);
    let own = bed.wait(failing).unwrap_err();
    assert_eq!((own.fault, own.doing.as_str()), (Fault::Full, "no room for it"));
    assert!(bed.ids().is_empty());
}

fn a_panic_fails_the_shared_commit_and_the_next_one_works(bed: &Bed) {
    let hold = bed.hold_writer();
    let before = queued(bed, |connection| insert(connection, 1));
    let panicking = queued::<()>(bed, |connection| {
        insert(connection, 2)?;
        panic!("a mistake in a closure");
    });
    hold.let_go();
    assert_eq!(bed.wait(before).unwrap_err().fault, Fault::Unavailable);
    assert_eq!(bed.wait(panicking).unwrap_err().fault, Fault::Failed);
    assert!(bed.ids().is_empty());
    assert_eq!(bed.write(|connection| insert(connection, 3)).unwrap(), 1);
    assert_eq!(bed.ids(), [3]);
}

fn a_failed_statement_that_a_closure_kept_to_itself_is_not_committed(bed: &Bed) {
    let error = bed
        .write(|connection| {
            insert(connection, 1)?;
            assert!(connection.execute("INSERT INTO things (id) VALUES (1)", &[]).is_err());
            assert!(insert(connection, 2).is_err(), "after a failed statement nothing else runs");
            Ok(())
        })
        .unwrap_err();
    assert_eq!(error.fault, Fault::Failed);
    assert!(error.to_string().contains("passed over a failed statement"), "the closure is told, not its neighbours: {error}");
    assert!(bed.ids().is_empty());
}

/// A temporary table lives as long as its connection, so it shows whether that is still the one from before.
fn a_panic_closes_the_connection_that_it_left_behind(bed: &Bed) {
    bed.write(|connection| connection.script("CREATE TEMPORARY TABLE mine (id BIGINT)")).unwrap();
    let look = |connection: &mut dyn Connection| connection.query("SELECT id FROM mine", &[]);
    bed.write(look).unwrap();
    bed.write::<()>(|_| panic!("a mistake in a closure")).unwrap_err();
    assert_eq!(bed.write(look).unwrap_err().fault, Fault::Failed);
}

fn a_closure_may_not_end_the_shared_transaction(bed: &Bed) {
    bed.write(|connection| {
        insert(connection, 1)?;
        assert!(connection.begin().is_err() && connection.commit().is_err() && connection.rollback().is_err());
        Ok(())
    })
    .unwrap();
    assert_eq!(bed.ids(), [1], "the refusals did no harm to the transaction");
}

fn a_commit_is_refused_after_a_failed_statement(bed: &Bed) {
    let mut connection = bed.second_connection();
    connection.begin().unwrap();
    insert(connection.as_mut(), 1).unwrap();
    assert!(connection.execute("INSERT INTO things (id) VALUES (1)", &[]).is_err());
    let error = connection.commit().unwrap_err();
    assert_eq!(error.fault, Fault::Failed, "{}", told(&error));
    assert!(bed.ids().is_empty());
    connection.begin().unwrap();
    insert(connection.as_mut(), 2).unwrap();
    connection.commit().unwrap();
    assert_eq!(bed.ids(), [2], "the connection is good again");
}

fn handles_that_go_leave_taken_jobs_to_their_end(bed: &Bed) {
    let hold = bed.hold_writer();
    drop(queued(bed, |connection| insert(connection, 1)));
    drop(queued(bed, |connection| insert(connection, 2)));
    hold.let_go();
    bed.write(|_| Ok(())).unwrap();
    assert_eq!(bed.ids(), [1, 2]);
}

fn more_jobs_than_the_queue_holds_are_told_without_a_wait(bed: &Bed) {
    let (jobs, hold) = (1_100, bed.hold_writer());
    let (told, heard) = std::sync::mpsc::channel();
    bed.wait(async {
        for id in 0..jobs {
            let told = told.clone();
            bed.catalog.write_and_tell(move |connection| insert(connection, id), move |outcome| told.send(outcome).unwrap());
        }
    });
    drop(told);
    hold.let_go();
    assert!(heard.iter().all(|outcome| outcome.is_ok_and(|changed| changed == 1)));
    assert_eq!(bed.ids(), (0..jobs).collect::<Vec<_>>());
}

//! Restores and cleanups from state to state, and the attempts of a restore.

use super::fleet::{Fleet, MINUTE, TENANT, refused, update};
use super::rig::Rig;
use crate::model::instant::DAY_MICROS;
use crate::model::run::RunState as S;
use crate::model::schedule::Timing;
use crate::model::selection::Filter;
use crate::model::work::{Job, RunUpdate};
use crate::store::fleet::restores::RestoreChange;

async fn with_backup(rig: Rig) -> (Fleet, i64) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", Timing::Manually).await;
    let backup = fleet.back_up(configuration).await;
    (fleet, backup)
}

pub(super) async fn a_restore_is_changed_only_before_it_is_started(rig: Rig) {
    let (fleet, backup) = with_backup(rig).await;
    let restore = fleet.restore_of(backup).await;
    assert_eq!((fleet.restore(restore).await.state, fleet.restore(restore).await.attempt), (S::Creating, 0));
    assert!(fleet.wanted(restore).await.is_none());
    let change = || RestoreChange { destination_path: Some("/elsewhere".to_owned()), ..RestoreChange::default() };
    let add = async || {
        let item = super::fleet::item("/srv/a");
        refused(&fleet.store().add_restore_item(TENANT, restore, Filter::Include, item, None).await.expect("the catalog answers"))
    };
    assert_eq!(refused(&fleet.store().update_restore(TENANT, restore, change()).await.expect("the catalog answers")), "allowed");
    assert_eq!((add().await, add().await), ("allowed", "allowed"));
    assert_eq!(fleet.start_restore(restore, None).await, "allowed");
    assert_eq!(refused(&fleet.store().update_restore(TENANT, restore, change()).await.expect("the catalog answers")), "invalid");
    assert_eq!((add().await, fleet.start_restore(restore, None).await), ("invalid", "invalid"));
    let Job::Restore { destination_path, selection, .. } = fleet.wanted(restore).await.expect("it is wanted").job else {
        panic!("it is a restore")
    };
    assert_eq!((&destination_path[..], selection.inclusions.len()), ("/elsewhere", 1));
}

pub(super) async fn a_restore_may_start_again_from_each_end_and_older_attempts_are_dropped(rig: Rig) {
    let (fleet, backup) = with_backup(rig).await;
    let restore = fleet.restore_of(backup).await;
    let report = async |attempt, state| fleet.report(restore, RunUpdate { attempt, ..update(state) }).await;
    for (attempt, end) in [(1, S::Completed), (2, S::CompletedWithErrors), (3, S::Failed), (4, S::Stopped)] {
        assert_eq!(fleet.start_restore(restore, None).await, "allowed");
        let run = fleet.restore(restore).await;
        assert_eq!((run.state, run.attempt, run.started_at, run.completed_at), (S::StartRequested, attempt, None, None));
        for old in [S::Queued, S::Completed, S::Failed] {
            assert_eq!(report(attempt - 1, old).await, Ok(None), "of the attempt before");
            assert_eq!(report(attempt + 1, old).await, Ok(None), "of none there was");
        }
        assert_eq!(fleet.restore(restore).await, run);
        for state in [S::Queued, S::Preparing, S::InProgress] {
            assert_eq!(report(attempt, state).await.expect("it goes on").expect("it is live").state, state);
        }
        assert_eq!(fleet.start_restore(restore, None).await, "invalid", "it is live");
        if end == S::Stopped {
            assert_eq!(refused(&report(attempt, end).await), "conflict", "nobody stopped it");
            fleet.store().stop_restore(TENANT, restore).await.expect("the catalog answers").expect("it is live");
        }
        assert_eq!(report(attempt, end).await, Ok(None));
        assert_eq!(fleet.restore(restore).await.state, end);
        for late in [S::Completed, S::InProgress, S::Failed] {
            assert_eq!(report(attempt, late).await, Ok(None));
        }
        assert_eq!(fleet.restore(restore).await.state, end, "a final state never changes");
        let stopped = fleet.store().stop_restore(TENANT, restore).await.expect("the catalog answers");
        assert_eq!(refused(&stopped), "invalid");
    }
}

pub(super) async fn a_restore_whose_stop_is_not_answered_is_stopped_after_ten_minutes(rig: Rig) {
    let (fleet, backup) = with_backup(rig).await;
    let restore = fleet.restore_of(backup).await;
    fleet.start_restore(restore, None).await;
    fleet.say_all(restore, &[S::Queued]).await;
    for _ in 0..2 {
        fleet.store().stop_restore(TENANT, restore).await.expect("the catalog answers").expect("it is live");
    }
    fleet.pass(10 * MINUTE - 1).await;
    assert_eq!(fleet.restore(restore).await.state, S::StopRequested);
    fleet.pass(1).await;
    assert_eq!(fleet.restore(restore).await.state, S::Stopped);
}

pub(super) async fn a_restore_that_was_never_started_goes_after_90_days(rig: Rig) {
    let (fleet, backup) = with_backup(rig).await;
    let (idle, done) = (fleet.restore_of(backup).await, fleet.restore_of(backup).await);
    fleet.start_restore(done, None).await;
    fleet.say_all(done, &[S::Queued, S::Preparing, S::InProgress, S::Completed]).await;
    fleet.pass(90 * DAY_MICROS).await;
    assert_eq!(fleet.restore(idle).await.state, S::Creating);
    fleet.pass(1).await;
    assert_eq!(refused(&fleet.store().restore(TENANT, idle).await.expect("the catalog answers")), "not found");
    assert_eq!(fleet.restore(done).await.state, S::Completed);
}

pub(super) async fn a_live_restore_is_not_deleted_and_an_ended_one_stays_in_the_history(rig: Rig) {
    let (fleet, backup) = with_backup(rig).await;
    let restore = fleet.restore_of(backup).await;
    let delete = async |id| refused(&fleet.store().delete_restore(TENANT, id).await.expect("the catalog answers"));
    fleet.start_restore(restore, None).await;
    assert_eq!(delete(restore).await, "invalid");
    fleet.store().stop_restore(TENANT, restore).await.expect("the catalog answers").expect("it is live");
    assert_eq!(
        (delete(restore).await, delete(restore).await, fleet.start_restore(restore, None).await),
        ("allowed", "not found", "not found")
    );
    let history = fleet.store().activity(TENANT, Some(fleet.agent)).await.expect("the catalog answers").expect("it is ours");
    assert!(history.iter().any(|entry| entry.run.id == restore));
}

/// A cleanup knows the same limits, and only one of an agent is live.
pub(super) async fn a_cleanup_goes_through_its_states_alone(rig: Rig) {
    let (fleet, _) = with_backup(rig).await;
    let start = async || fleet.store().start_cleanup(TENANT, fleet.agent).await.expect("the catalog answers");
    let state = async |id| fleet.store().cleanup_report(TENANT, id).await.expect("the catalog answers").expect("it is there").0.state;
    let first = start().await.expect("none runs");
    assert_eq!((state(first).await, refused(&start().await)), (S::StartRequested, "invalid"));
    assert_eq!(fleet.say(first, S::Preparing).await, "conflict");
    fleet.say_all(first, &[S::Queued, S::Preparing, S::InProgress]).await;
    assert_eq!(refused(&start().await), "invalid");
    fleet.say_all(first, &[S::Completed, S::Failed, S::Completed]).await;
    assert_eq!(state(first).await, S::Completed);
    let second = start().await.expect("none runs");
    fleet.pass(DAY_MICROS).await;
    let (run, report) = fleet.store().cleanup_report(TENANT, second).await.expect("the catalog answers").expect("it is there");
    assert_eq!((run.state, &report.reason[..]), (S::Failed, "AgentOffline"));
}

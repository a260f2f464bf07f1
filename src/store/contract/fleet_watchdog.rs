//! Runs that nobody takes, whose agent is silent or stands still, and what comes of them after all.

use super::fleet::{Fleet, MINUTE, TENANT, asked, hourly, refused, startup, update};
use super::rig::Rig;
use crate::model::instant::HOUR_MICROS;
use crate::model::run::RunState as S;
use crate::model::run_record::Counters;
use crate::model::schedule::Timing;
use crate::model::work::{RequestKind, RunUpdate};
use crate::store::fleet::startup::KnownSnapshot;

pub(super) async fn a_start_waits_24_hours_of_service_and_is_missed_then(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", Timing::Manually).await;
    let backup = fleet.start(configuration).await;
    fleet.pass_unserved(30 * HOUR_MICROS).await;
    fleet.pass(24 * HOUR_MICROS - 1).await;
    assert_eq!(fleet.state(backup).await, S::StartRequested);
    fleet.pass(1).await;
    assert_eq!((fleet.state(backup).await, fleet.backup_report(backup).await.0.reason), (S::Missed, "Missed".to_owned()));
    fleet.hear().await;
    assert_eq!(fleet.states(configuration).await, [S::Missed], "what a user started is not made good");
}

pub(super) async fn a_silent_agent_loses_what_it_has_after_30_minutes_of_service(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", Timing::Manually).await;
    let done = fleet.back_up(configuration).await;
    let mut backups = Vec::new();
    for states in [&[S::Queued, S::Preparing, S::InProgress][..], &[S::Queued, S::Preparing], &[S::Queued]] {
        let backup = fleet.start(configuration).await;
        fleet.say_all(backup, states).await;
        backups.push(backup);
    }
    let restore = fleet.restore_of(done).await;
    fleet.start_restore(restore, None).await;
    fleet.say_all(restore, &[S::Queued, S::Preparing]).await;
    let cleanup = fleet.store().start_cleanup(TENANT, fleet.agent).await.expect("the catalog answers").expect("none runs");
    fleet.say_all(cleanup, &[S::Queued]).await;
    fleet.pass(29 * MINUTE).await;
    fleet.hear().await;
    fleet.pass_unserved(5 * HOUR_MICROS).await;
    fleet.pass(30 * MINUTE - 1).await;
    for backup in &backups {
        assert!(fleet.state(*backup).await.is_taken(), "it was heard of");
    }
    fleet.pass(1).await;
    for backup in backups {
        assert_eq!(fleet.state(backup).await, S::Failed);
        assert_eq!(fleet.backup_report(backup).await.0.reason, "AgentLost");
    }
    let restored = fleet.store().restore_report(TENANT, restore).await.expect("the catalog answers").expect("it has ended");
    assert_eq!((restored.0.run.state, &restored.1.reason[..]), (S::Failed, "AgentLost"));
    let cleaned = fleet.store().cleanup_report(TENANT, cleanup).await.expect("the catalog answers").expect("it is there");
    assert_eq!((cleaned.0.state, &cleaned.1.reason[..]), (S::Failed, "AgentLost"));
}

pub(super) async fn a_run_that_stands_still_for_6_hours_is_given_up(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let mut runs = Vec::new();
    for named in ["still", "searching", "storing", "queued"] {
        let configuration = fleet.configure(named, Timing::Manually).await;
        let run = fleet.start(configuration).await;
        fleet.say_all(run, &[S::Queued]).await;
        runs.push(run);
    }
    for run in &runs[..3] {
        fleet.say_all(*run, &[S::Preparing, S::InProgress]).await;
    }
    for round in 1..=24 {
        fleet.pass(15 * MINUTE).await;
        fleet.hear().await;
        if round == 24 {
            break;
        }
        fleet.say_all(runs[0], &[S::InProgress]).await;
        let counters = Counters { bytes_searched: round, ..Counters::default() };
        fleet.report(runs[1], RunUpdate { counters, ..update(S::InProgress) }).await.expect("it goes on");
        fleet.report(runs[2], RunUpdate { bytes_done: round, ..update(S::InProgress) }).await.expect("it goes on");
    }
    let mut states = Vec::new();
    for run in &runs {
        states.push(fleet.state(*run).await);
    }
    assert_eq!(states, [S::Failed, S::InProgress, S::InProgress, S::Queued]);
    assert_eq!(fleet.backup_report(runs[0]).await.0.reason, "Stalled");
}

/// A cleanup gives way to backups, and one that is halted waits for somebody's word: neither is its own fault.
pub(super) async fn a_cleanup_that_has_to_wait_is_not_given_up(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", Timing::Manually).await;
    let cleanup = fleet.store().start_cleanup(TENANT, fleet.agent).await.expect("the catalog answers").expect("none runs");
    fleet.say_all(cleanup, &[S::Queued, S::Preparing, S::InProgress]).await;
    let backup = fleet.start(configuration).await;
    fleet.say_all(backup, &[S::Queued, S::Preparing]).await;
    let state = async || fleet.store().cleanup_report(TENANT, cleanup).await.expect("the catalog answers").expect("it is there").0.state;
    let pass_hours = async |hours: i64| {
        for hour in 0..hours * 3 {
            let counters = Counters { files_searched: fleet.store().now().micros() + hour, ..Counters::default() };
            fleet.report(backup, RunUpdate { counters, ..update(S::Preparing) }).await.expect("it goes on");
            fleet.pass(20 * MINUTE).await;
            fleet.hear().await;
        }
    };
    pass_hours(8).await;
    assert_eq!(state().await, S::InProgress, "it waits for the backup");
    fleet.report(backup, RunUpdate { state: S::Failed, ..update(S::Failed) }).await.expect("it may end");
    pass_hours(5).await;
    assert_eq!(state().await, S::InProgress, "its own time begins when it can go on");
    pass_hours(2).await;
    assert_eq!(state().await, S::Failed);
}

pub(super) async fn a_late_backup_is_recorded_once_and_stands_for_the_catch_up(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", hourly(23)).await;
    fleet.pass(23 * HOUR_MICROS).await;
    let backup = fleet.backups(configuration).await[0].id;
    fleet.say_all(backup, &[S::Queued, S::Preparing, S::InProgress]).await;
    fleet.pass(31 * MINUTE).await;
    assert_eq!(fleet.state(backup).await, S::Failed);
    let given_up = fleet.backup(backup).await;
    let snapshot = fleet.snapshot(fleet.agent).await;
    let end = RunUpdate { snapshot: Some(snapshot.clone()), files_done: 7, ..update(S::Completed) };
    for _ in 0..3 {
        assert_eq!(fleet.report(backup, end.clone()).await, Ok(None));
    }
    let runs = fleet.backups(configuration).await;
    assert_eq!(fleet.states(configuration).await, [S::Failed, S::Completed]);
    assert_eq!((&runs[0], runs[1].snapshot.as_deref(), runs[1].started_at), (&given_up, Some(&snapshot[..]), given_up.started_at));
    assert_eq!(fleet.restorable(configuration).await, [runs[1].id]);
    fleet.hear().await;
    fleet.pass(MINUTE).await;
    assert_eq!(fleet.states(configuration).await, [S::Failed, S::Completed], "nothing is owed any more");
}

/// The agent came back, and its catch-up was waiting for it before its report arrived.
pub(super) async fn a_late_backup_calls_off_a_catch_up_that_waits(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", hourly(23)).await;
    fleet.pass(23 * HOUR_MICROS).await;
    let backup = fleet.backups(configuration).await[0].id;
    fleet.say_all(backup, &[S::Queued, S::Preparing, S::InProgress]).await;
    fleet.pass(31 * MINUTE).await;
    fleet.hear().await;
    assert_eq!(fleet.states(configuration).await, [S::Failed, S::StartScheduled]);
    for snapshot in [None, Some(format!("/g1/snapshots/{}", "0b".repeat(32)))] {
        let end = RunUpdate { snapshot, ..update(S::Completed) };
        assert_eq!(fleet.report(backup, end).await, Ok(None));
        assert_eq!(fleet.states(configuration).await, [S::Failed, S::StartScheduled], "there is no such backup");
    }
    let snapshot = Some(fleet.snapshot(fleet.agent).await);
    fleet.report(backup, RunUpdate { snapshot, ..update(S::Completed) }).await.expect("it is taken");
    assert_eq!(fleet.states(configuration).await, [S::Failed, S::Stopped, S::Completed]);
}

/// After a restart the agent tells its snapshots first and then the report that it could not deliver.
pub(super) async fn a_late_backup_that_the_start_brought_back_is_not_listed_twice(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", Timing::Manually).await;
    let backup = fleet.start(configuration).await;
    fleet.say_all(backup, &[S::Queued, S::Preparing, S::InProgress]).await;
    let snapshot = fleet.snapshot(fleet.agent).await;
    fleet.pass(31 * MINUTE).await;
    let known = KnownSnapshot { name: snapshot.clone(), backup, configuration, taken_at: fleet.store().now() };
    let mut up = startup("web-a");
    up.snapshots = vec![known];
    fleet.store().start_agent(fleet.agent, up.clone()).await.expect("the catalog answers").expect("it may start");
    fleet.report(backup, RunUpdate { snapshot: Some(snapshot), ..update(S::Completed) }).await.expect("it is taken");
    fleet.store().start_agent(fleet.agent, up).await.expect("the catalog answers").expect("it may start");
    fleet.hear().await;
    assert_eq!(fleet.states(configuration).await, [S::Failed, S::Completed], "and nothing is owed");
}

pub(super) async fn a_passphrase_that_nobody_takes_is_erased(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", Timing::Manually).await;
    fleet.encrypt().await;
    let backup = fleet.start(configuration).await;
    fleet.say_all(backup, &[S::Queued, S::Preparing, S::InProgress]).await;
    let snapshot = Some(fleet.snapshot_in(fleet.agent, 2).await);
    fleet.report(backup, RunUpdate { snapshot, ..update(S::Completed) }).await.expect("it may end");
    let kept = async |restore| fleet.ask("SELECT ciphertext FROM runs WHERE id = $1 AND ciphertext IS NOT NULL", restore).await;
    let restore = fleet.restore_of(backup).await;
    let nothing = crate::store::catalog::Value::Null;
    assert_eq!(fleet.start_restore(restore, Some(b"canary")).await, "allowed");
    assert_ne!(kept(restore).await, nothing);
    fleet.pass(24 * HOUR_MICROS).await;
    let ended = fleet.store().restore_report(TENANT, restore).await.expect("the catalog answers").expect("it has ended");
    assert_eq!((ended.0.run.state, &ended.1.reason[..]), (S::Failed, "AgentOffline"));
    assert_eq!(kept(restore).await, nothing);
    fleet.start_restore(restore, Some(b"canary")).await;
    fleet.store().stop_restore(TENANT, restore).await.expect("the catalog answers").expect("it waits");
    assert_eq!((fleet.restore(restore).await.state, kept(restore).await), (S::Stopped, nothing.clone()));
    fleet.start_restore(restore, Some(b"canary")).await;
    assert_eq!(refused(&fleet.report(restore, RunUpdate { attempt: 3, ..update(S::Queued) }).await), "allowed");
    assert_eq!(kept(restore).await, nothing, "its agent has it");
    let guid = fleet.store().ask_agent(TENANT, fleet.agent, asked(RequestKind::ChangePassword)).await.expect("the catalog answers");
    assert!(guid.is_ok());
}

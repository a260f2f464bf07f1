//! How backups go from state to state: by what users ask for and what agents report.

use super::fleet::{Fleet, MINUTE, TENANT, item, refused, settings, update};
use super::rig::{Rig, name};
use crate::model::instant::HOUR_MICROS;
use crate::model::run::RunState as S;
use crate::model::run_record::Counters;
use crate::model::schedule::Timing;
use crate::model::work::{Job, RunUpdate};

pub(super) async fn a_backup_goes_through_its_states_in_order_and_repeats_change_nothing(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", Timing::Manually).await;
    let backup = fleet.start(configuration).await;
    assert_eq!(fleet.state(backup).await, S::StartRequested);
    for early in [S::Preparing, S::InProgress, S::Completed, S::Failed, S::Stopped] {
        assert_eq!(fleet.say(backup, early).await, "conflict", "{early:?} before it was taken");
    }
    for (state, early) in [(S::Queued, S::InProgress), (S::Preparing, S::Stopped), (S::InProgress, S::Stopped)] {
        fleet.say_all(backup, &[state]).await;
        fleet.pass(MINUTE).await;
        let before = fleet.backup(backup).await;
        assert_eq!(before.state, state);
        fleet.say_all(backup, &[state, S::Queued]).await;
        assert_eq!(fleet.say(backup, early).await, "conflict", "{early:?} after {state:?}");
        assert_eq!(fleet.backup(backup).await, before, "{state:?} again");
    }
    let started_at = fleet.backup(backup).await.started_at.expect("it has begun");
    let snapshot = fleet.snapshot(fleet.agent).await;
    let counters = Counters { files_searched: 412, bytes_searched: 100 << 20, errors: 0 };
    let end = RunUpdate { counters, files_done: 6, bytes_done: 9, snapshot: Some(snapshot.clone()), ..update(S::Completed) };
    fleet.report(backup, end.clone()).await.expect("it may end");
    let ended = fleet.backup(backup).await;
    assert_eq!((ended.state, ended.counters, ended.snapshot.as_deref()), (S::Completed, counters, Some(&snapshot[..])));
    assert_eq!((ended.started_at, ended.completed_at), (Some(started_at), Some(fleet.store().now())), "the server's time");
    assert_eq!((ended.snapshot_number, ended.generation), (Some(1), Some(1)));
    let (report, can_restore) = fleet.backup_report(backup).await;
    assert_eq!((report.files_done, report.bytes_done, &report.reason[..], &report.diagnostics[..]), (6, 9, "Success", "No errors"));
    assert!(can_restore && fleet.wanted(backup).await.is_none());
    fleet.pass(MINUTE).await;
    for late in [S::Queued, S::Preparing, S::InProgress, S::Completed, S::CompletedWithErrors, S::Failed, S::Stopped] {
        assert_eq!(fleet.report(backup, RunUpdate { state: late, ..end.clone() }).await, Ok(None), "{late:?}");
    }
    assert_eq!(fleet.backup(backup).await, ended, "a final state never changes");
    assert_eq!(fleet.states(configuration).await, [S::Completed]);
}

pub(super) async fn only_the_agent_of_a_run_reports_it_and_only_the_tenant_sees_it(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", Timing::Manually).await;
    let other = fleet.register("web-b").await;
    let backup = fleet.start(configuration).await;
    assert_eq!(refused(&fleet.report_as(other, backup, update(S::Queued)).await), "not found");
    assert_eq!(fleet.say(backup + 1, S::Queued).await, "not found");
    for stranger in ["100001", "", "10000"] {
        assert_eq!(refused(&fleet.store().backup(stranger, backup).await.expect("the catalog answers")), "not found");
        assert_eq!(refused(&fleet.store().stop_backup(stranger, backup).await.expect("the catalog answers")), "not found");
        assert_eq!(refused(&fleet.store().start_backup(stranger, configuration).await.expect("the catalog answers")), "not found");
    }
    assert_eq!(fleet.state(backup).await, S::StartRequested);
    assert_eq!(fleet.stop(configuration).await, "not found", "an id of something else");
}

pub(super) async fn a_stop_ends_at_once_what_waits_and_asks_for_what_is_taken(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", Timing::Manually).await;
    let waiting = fleet.start(configuration).await;
    assert_eq!(fleet.stop(waiting).await, "allowed");
    assert_eq!((fleet.state(waiting).await, fleet.stop(waiting).await), (S::Stopped, "invalid"));
    assert_eq!(fleet.report(waiting, update(S::Queued)).await, Ok(None), "an agent that was about to take it lets it go");
    assert_eq!(fleet.backup_report(waiting).await.0.reason, "Stopped");
    for taken in [&[S::Queued][..], &[S::Queued, S::Preparing], &[S::Queued, S::Preparing, S::InProgress]] {
        let backup = fleet.start(configuration).await;
        fleet.say_all(backup, taken).await;
        for _ in 0..2 {
            assert_eq!((fleet.stop(backup).await, fleet.state(backup).await), ("allowed", S::StopRequested));
        }
        assert!(fleet.wanted(backup).await.expect("it is still wanted").stops());
        fleet.say_all(backup, taken).await;
        assert_eq!(fleet.state(backup).await, S::StopRequested, "what it does meanwhile changes nothing");
        fleet.say_all(backup, &[S::Stopped]).await;
        assert_eq!((fleet.state(backup).await, fleet.stop(backup).await), (S::Stopped, "invalid"));
        assert_eq!(fleet.wanted(backup).await, None);
    }
    assert!(fleet.restorable(configuration).await.is_empty());
}

pub(super) async fn a_stop_without_an_answer_ends_after_ten_minutes_of_service(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", Timing::Manually).await;
    let backup = fleet.start(configuration).await;
    fleet.say_all(backup, &[S::Queued, S::Preparing]).await;
    fleet.stop(backup).await;
    fleet.pass_unserved(HOUR_MICROS).await;
    fleet.pass(10 * MINUTE - 1).await;
    assert_eq!(fleet.state(backup).await, S::StopRequested);
    fleet.pass(1).await;
    assert_eq!(fleet.state(backup).await, S::Stopped);
}

pub(super) async fn what_ended_before_the_stop_was_seen_is_what_it_came_to(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", Timing::Manually).await;
    let backup = fleet.start(configuration).await;
    fleet.say_all(backup, &[S::Queued, S::Preparing, S::InProgress]).await;
    fleet.stop(backup).await;
    let snapshot = Some(fleet.snapshot(fleet.agent).await);
    fleet.report(backup, RunUpdate { snapshot, ..update(S::CompletedWithErrors) }).await.expect("it may end");
    assert_eq!(fleet.state(backup).await, S::CompletedWithErrors);
    assert_eq!(fleet.restorable(configuration).await, [backup]);
    let failed = fleet.start(configuration).await;
    fleet.say_all(failed, &[S::Queued]).await;
    fleet.stop(failed).await;
    fleet.report(failed, RunUpdate { reason: Some("OutOfDiskSpace".to_owned()), ..update(S::Failed) }).await.expect("it may end");
    assert_eq!(fleet.backup_report(failed).await.0.reason, "OutOfDiskSpace");
}

pub(super) async fn a_start_is_skipped_while_another_waits_and_waits_while_another_runs(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", Timing::Manually).await;
    let first = fleet.start(configuration).await;
    let second = fleet.start(configuration).await;
    fleet.say_all(first, &[S::Queued]).await;
    let third = fleet.start(configuration).await;
    for skipped in [second, third] {
        let run = fleet.backup(skipped).await;
        assert_eq!((run.state, run.started_at, run.completed_at), (S::Skipped, run.completed_at, Some(fleet.store().now())));
        assert_eq!(fleet.backup_report(skipped).await.0.reason, "Skipped");
        assert_eq!((fleet.stop(skipped).await, fleet.wanted(skipped).await), ("invalid", None));
    }
    fleet.say_all(first, &[S::Preparing]).await;
    let fourth = fleet.start(configuration).await;
    assert_eq!(fleet.state(fourth).await, S::StartRequested);
    fleet.say_all(fourth, &[S::Queued]).await;
    assert_eq!(fleet.state(fourth).await, S::Queued, "taking it is enough, also behind another run");
    let other = fleet.configure("mail", Timing::Manually).await;
    let fifth = fleet.start(other).await;
    assert_eq!(fleet.state(fifth).await, S::StartRequested, "another configuration is not in the way");
}

pub(super) async fn what_cannot_run_is_not_started(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", Timing::Manually).await;
    let start = async || refused(&fleet.store().start_backup(TENANT, configuration).await.expect("the catalog answers"));
    fleet.store().enable_configuration(TENANT, configuration, false).await.expect("the catalog answers").expect("it is there");
    assert_eq!(start().await, "invalid");
    fleet.store().enable_configuration(TENANT, configuration, true).await.expect("the catalog answers").expect("it is there");
    fleet.store().enable_agent(TENANT, fleet.agent, false).await.expect("the catalog answers").expect("it is there");
    assert_eq!(start().await, "invalid");
    fleet.store().enable_agent(TENANT, fleet.agent, true).await.expect("the catalog answers").expect("it is there");
    assert_eq!(start().await, "allowed");
    fleet.store().delete_configuration(TENANT, configuration).await.expect("the catalog answers").expect("it is there");
    assert_eq!(start().await, "not found");
}

pub(super) async fn a_backup_without_its_snapshot_in_the_vault_has_failed(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", Timing::Manually).await;
    let other = fleet.register("web-b").await;
    let hidden = fleet.snapshot(fleet.agent).await;
    fleet.hide(fleet.agent, &hidden).await;
    let damaged = fleet.snapshot(fleet.agent).await;
    let file = fleet.store().find(&fleet.vault(fleet.agent).await, &name(&damaged)).await.expect("the catalog answers");
    fleet.store().mark_damaged(&file.expect("it is there").id).await.expect("the catalog answers");
    let names = [
        None,
        Some(format!("/g1/snapshots/{}", "0a".repeat(32))),
        Some(hidden),
        Some(damaged),
        Some(fleet.snapshot(other).await),
        Some("/g1/config".to_owned()),
    ];
    for snapshot in names {
        let backup = fleet.start(configuration).await;
        fleet.say_all(backup, &[S::Queued, S::Preparing, S::InProgress]).await;
        let end = RunUpdate { snapshot: snapshot.clone(), ..update(S::Completed) };
        assert_eq!(fleet.report(backup, end).await, Ok(None));
        let run = fleet.backup(backup).await;
        assert_eq!((run.state, run.snapshot), (S::Failed, None), "{snapshot:?}");
        assert_eq!(fleet.backup_report(backup).await.0.reason, "AgentError");
    }
    assert!(fleet.restorable(configuration).await.is_empty());
}

pub(super) async fn a_backup_that_found_less_than_half_says_so(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", Timing::Manually).await;
    let complete = async |files_searched, state| {
        let backup = fleet.start(configuration).await;
        fleet.say_all(backup, &[S::Queued, S::Preparing, S::InProgress]).await;
        let counters = Counters { files_searched, ..Counters::default() };
        let snapshot = Some(fleet.snapshot(fleet.agent).await);
        fleet.report(backup, RunUpdate { counters, snapshot, ..update(state) }).await.expect("it may end");
        fleet.pass(MINUTE).await;
        fleet.backup_report(backup).await.0.diagnostics
    };
    assert_eq!(complete(100, S::Completed).await, "No errors");
    assert_eq!(complete(50, S::Completed).await, "No errors");
    let less = "This backup found less than half of the files of the one before";
    assert_eq!(complete(24, S::Completed).await, format!("No errors. {less}: 24 of 50."));
    assert_eq!(complete(11, S::CompletedWithErrors).await, format!("Completed With Errors. {less}: 11 of 24."));
    assert_eq!(complete(11, S::Completed).await, "No errors");
}

pub(super) async fn edits_reach_what_waits_and_never_what_is_taken(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure_as(fleet.agent, settings("before", Timing::Manually)).await;
    let handed = async |run| match fleet.wanted(run).await.expect("it is wanted").job {
        Job::Backup { name, selection, prescript, .. } => (name, selection.inclusions[0].path.as_str().to_owned(), prescript),
        other => panic!("{other:?}"),
    };
    let backup = fleet.start(configuration).await;
    let edit = async |name: &'static str, path: &'static str, script: &'static str| {
        let change = move |settings: &mut crate::model::configuration::ConfigurationSettings| {
            settings.name = name.to_owned();
            settings.selection.inclusions = vec![item(path)];
            settings.prescript = script.to_owned();
        };
        fleet.change(configuration, change).await;
    };
    edit("waiting", "/etc", "first").await;
    let waiting = ("waiting".to_owned(), "/etc".to_owned(), "first".to_owned());
    assert_eq!(handed(backup).await, waiting);
    fleet.say_all(backup, &[S::Queued]).await;
    edit("taken", "/var", "second").await;
    fleet.say_all(backup, &[S::Queued, S::Preparing]).await;
    assert_eq!(handed(backup).await, waiting);
    let view = fleet.store().backup(TENANT, backup).await.expect("the catalog answers").expect("it is there");
    assert_eq!(view.configuration_name, "waiting");
}

pub(super) async fn deactivating_stops_what_is_not_taken(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", Timing::Manually).await;
    let taken = fleet.start(configuration).await;
    fleet.say_all(taken, &[S::Queued, S::Preparing]).await;
    let waiting = fleet.start(configuration).await;
    fleet.store().enable_configuration(TENANT, configuration, false).await.expect("the catalog answers").expect("it is there");
    assert_eq!((fleet.state(taken).await, fleet.state(waiting).await), (S::Preparing, S::Stopped));
    let other = fleet.configure("mail", Timing::Manually).await;
    let (first, second) = (fleet.start(other).await, fleet.start(other).await);
    fleet.store().delete_configuration(TENANT, other).await.expect("the catalog answers").expect("it is there");
    assert_eq!((fleet.state(first).await, fleet.state(second).await), (S::Stopped, S::Skipped));
    fleet.store().delete_configuration(TENANT, configuration).await.expect("the catalog answers").expect("it is there");
    assert_eq!(fleet.state(taken).await, S::StopRequested, "nobody wants it any more");
}

pub(super) async fn a_disabled_agent_finishes_what_it_stores_and_starts_nothing(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let mut runs = Vec::new();
    for (number, states) in
        [&[][..], &[S::Queued], &[S::Queued, S::Preparing], &[S::Queued, S::Preparing, S::InProgress]].iter().enumerate()
    {
        let configuration = fleet.configure(&format!("number {number}"), Timing::Manually).await;
        let run = fleet.start(configuration).await;
        fleet.say_all(run, states).await;
        runs.push(run);
    }
    fleet.store().enable_agent(TENANT, fleet.agent, false).await.expect("the catalog answers").expect("it is there");
    let mut states = Vec::new();
    for run in &runs {
        states.push(fleet.state(*run).await);
    }
    assert_eq!(states, [S::Stopped, S::StopRequested, S::StopRequested, S::InProgress]);
    let snapshot = Some(fleet.snapshot(fleet.agent).await);
    fleet.report(runs[3], RunUpdate { snapshot, ..update(S::Completed) }).await.expect("it may end");
    assert_eq!(fleet.state(runs[3]).await, S::Completed);
}

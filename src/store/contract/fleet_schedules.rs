//! When backups run by themselves: once for each instant, planned anew when something changes.

use super::fleet::{Fleet, MINUTE, TENANT, daily, hourly, settings};
use super::rig::{Rig, start};
use crate::model::instant::{DAY_MICROS, HOUR_MICROS, Instant, SECOND_MICROS};
use crate::model::run::RunState as S;
use crate::model::schedule::{Half, Timing};
use crate::model::time_zone::ZoneId;

/// The rig's clock begins at 08:00 UTC of a Friday.
fn hours(count: i64) -> Instant {
    start().plus_micros(count * HOUR_MICROS)
}

pub(super) async fn a_due_instant_becomes_one_run_and_the_next_is_planned(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", daily(9, 0, Half::Am)).await;
    assert_eq!(fleet.next_at(configuration).await, Some(hours(1)));
    assert_eq!(fleet.pass(HOUR_MICROS - 1).await.due, 0);
    assert_eq!(fleet.pass(1).await.due, 1);
    assert_eq!((fleet.pass(0).await.due, fleet.pass(SECOND_MICROS).await.due), (0, 0), "once");
    let runs = fleet.backups(configuration).await;
    assert_eq!((runs.len(), runs[0].state, runs[0].due_at, runs[0].occurrences), (1, S::StartScheduled, Some(hours(1)), 1));
    assert_eq!(fleet.next_at(configuration).await, Some(hours(25)));
    assert!(fleet.wanted(runs[0].id).await.is_some());
}

pub(super) async fn an_instant_that_finds_another_run_waiting_is_skipped(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", hourly(1)).await;
    fleet.pass(HOUR_MICROS).await;
    let first = fleet.backups(configuration).await[0].id;
    fleet.say_all(first, &[S::Queued]).await;
    fleet.pass(MINUTE).await;
    for _ in 0..4 {
        fleet.pass(15 * MINUTE).await;
        fleet.hear().await;
    }
    let skipped = fleet.backups(configuration).await[1].clone();
    assert_eq!(
        (skipped.state, skipped.due_at, skipped.started_at, skipped.completed_at),
        (S::Skipped, Some(hours(2)), Some(hours(2)), Some(hours(2)))
    );
    fleet.say_all(first, &[S::Preparing]).await;
    for _ in 0..4 {
        fleet.pass(15 * MINUTE).await;
        fleet.hear().await;
    }
    assert_eq!(fleet.states(configuration).await, [S::Preparing, S::Skipped, S::StartScheduled], "one that runs is not in the way");
}

pub(super) async fn after_days_without_a_server_one_run_stands_for_all_that_passed(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let often = fleet.configure("often", hourly(1)).await;
    let nightly = fleet.configure("nightly", daily(2, 30, Half::Am)).await;
    assert_eq!(fleet.pass_unserved(3 * DAY_MICROS + MINUTE).await.due, 2);
    for (configuration, newest, count) in [(often, hours(72), 72), (nightly, hours(66).plus_micros(30 * MINUTE), 3)] {
        let runs = fleet.backups(configuration).await;
        assert_eq!((runs.len(), runs[0].due_at, runs[0].occurrences), (1, Some(newest), count));
        fleet.complete(runs[0].id).await;
        let report = fleet.backup_report(runs[0].id).await.0;
        assert_eq!(report.diagnostics, format!("No errors. It stands for {count} occurrences."));
        assert!(fleet.next_at(configuration).await.is_some_and(|next| next > fleet.store().now()));
    }
    assert_eq!(fleet.next_at(often).await, Some(hours(73)));
}

pub(super) async fn grace_counts_only_the_time_that_a_server_ran(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", daily(9, 0, Half::Am)).await;
    fleet.pass(HOUR_MICROS).await;
    fleet.pass_unserved(10 * HOUR_MICROS).await;
    fleet.pass(15 * MINUTE - 1).await;
    assert_eq!(fleet.states(configuration).await, [S::StartScheduled]);
    assert_eq!(fleet.pass(1).await.missed, 1);
    let runs = fleet.backups(configuration).await;
    assert_eq!((runs[0].state, runs[0].started_at, runs[0].completed_at), (S::Missed, Some(hours(1)), Some(hours(1))));
}

/// A wall clock that was wrong and is set right: what was planned by it is planned anew, and nothing that ran runs again.
pub(super) async fn a_clock_that_was_set_back_takes_back_what_it_had_planned(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let nightly = fleet.configure("nightly", daily(9, 0, Half::Am)).await;
    let often = fleet.configure("often", hourly(2)).await;
    fleet.rig.clock.jump_wall(10 * DAY_MICROS);
    let made_ahead = fleet.configure("made ahead", hourly(2)).await;
    fleet.pass(0).await;
    assert_eq!(fleet.next_at(nightly).await, Some(hours(10 * 24 + 1)));
    assert_eq!(fleet.next_at(made_ahead).await, Some(hours(10 * 24 + 2)));
    let before = fleet.backups(often).await.len();
    fleet.rig.clock.jump_wall(-10 * DAY_MICROS);
    fleet.pass(SECOND_MICROS).await;
    for (configuration, next) in [(nightly, hours(1)), (often, hours(2)), (made_ahead, hours(2))] {
        assert_eq!(fleet.next_at(configuration).await, Some(next));
    }
    fleet.pass(2 * HOUR_MICROS).await;
    assert_eq!(fleet.backups(made_ahead).await.iter().map(|run| (run.due_at, run.occurrences)).collect::<Vec<_>>(), [(Some(hours(2)), 1)]);
    assert_eq!(fleet.backups(often).await.len(), before + 1);
    for configuration in [nightly, often, made_ahead] {
        let mut instants: Vec<_> = fleet.backups(configuration).await.iter().map(|run| run.due_at).collect();
        let all = instants.len();
        instants.sort();
        instants.dedup();
        assert_eq!(instants.len(), all);
    }
}

pub(super) async fn nothing_runs_of_what_is_inactive_disabled_or_deleted(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let other = fleet.register("web-b").await;
    let manual = fleet.configure("manual", Timing::Manually).await;
    let inactive = fleet
        .configure_as(
            fleet.agent,
            crate::model::configuration::ConfigurationSettings { is_active: false, ..settings("inactive", hourly(1)) },
        )
        .await;
    let deactivated = fleet.configure("deactivated", hourly(1)).await;
    let deleted = fleet.configure("deleted", hourly(1)).await;
    let disabled = fleet.configure_as(other, settings("disabled", hourly(1))).await;
    fleet.store().enable_configuration(TENANT, deactivated, false).await.expect("the catalog answers").expect("it is there");
    fleet.store().delete_configuration(TENANT, deleted).await.expect("the catalog answers").expect("it is there");
    fleet.store().enable_agent(TENANT, other, false).await.expect("the catalog answers").expect("it is there");
    fleet.change(disabled, |settings| settings.name = "renamed".to_owned()).await;
    for configuration in [manual, inactive, deactivated, deleted, disabled] {
        assert_eq!(fleet.next_at(configuration).await, None);
    }
    assert_eq!(fleet.pass(2 * DAY_MICROS).await.due, 0);
    fleet.pass_unserved(2 * DAY_MICROS).await;
    for configuration in [manual, inactive, deactivated, deleted, disabled] {
        assert!(fleet.backups(configuration).await.is_empty());
    }
    fleet.store().enable_agent(TENANT, other, true).await.expect("the catalog answers").expect("it is there");
    assert_eq!(fleet.next_at(disabled).await, Some(hours(4 * 24 + 1)), "what passed meanwhile is not made good");
    assert_eq!(fleet.pass(0).await.due, 0);
}

pub(super) async fn the_hourly_grid_stays_until_the_schedule_changes(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", hourly(2)).await;
    fleet.pass(30 * MINUTE).await;
    fleet.change(configuration, |_| {}).await;
    fleet.change(configuration, |settings| settings.name = "renamed".to_owned()).await;
    for enabled in [false, true, true] {
        fleet.store().enable_configuration(TENANT, configuration, enabled).await.expect("the catalog answers").expect("it is there");
    }
    for enabled in [false, true] {
        fleet.store().enable_agent(TENANT, fleet.agent, enabled).await.expect("the catalog answers").expect("it is there");
    }
    fleet.pass_unserved(MINUTE).await;
    assert_eq!(fleet.next_at(configuration).await, Some(hours(2)));
    fleet.change(configuration, |settings| settings.schedule.timing = hourly(3)).await;
    assert_eq!(fleet.next_at(configuration).await, Some(fleet.store().now().plus_micros(3 * HOUR_MICROS)));
    fleet.change(configuration, |settings| settings.schedule.timing = daily(9, 0, Half::Am)).await;
    assert_eq!(fleet.next_at(configuration).await, Some(hours(1)));
    fleet.change(configuration, |settings| settings.schedule.zone = ZoneId::parse("Europe/Berlin").expect("a zone")).await;
    assert_eq!(fleet.next_at(configuration).await, Some(hours(24)), "09:00 of Berlin is 08:00, and that was today");
    fleet.change(configuration, |settings| settings.schedule.timing = Timing::Manually).await;
    assert_eq!(fleet.next_at(configuration).await, None);
}

/// In the seconds between an instant and the tick that sees it.
pub(super) async fn an_edit_takes_no_instant_away_that_has_come(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let edited = fleet.configure("edited", daily(9, 0, Half::Am)).await;
    let moved = fleet.configure("moved", daily(9, 0, Half::Am)).await;
    let stopped = fleet.configure("stopped", daily(9, 0, Half::Am)).await;
    fleet.rig.pass(HOUR_MICROS + 3 * SECOND_MICROS).await;
    fleet.change(edited, |settings| settings.name = "renamed".to_owned()).await;
    fleet.change(moved, |settings| settings.schedule.timing = daily(11, 0, Half::Am)).await;
    fleet.store().enable_configuration(TENANT, stopped, false).await.expect("the catalog answers").expect("it is there");
    fleet.pass(0).await;
    assert_eq!(fleet.backups(edited).await.iter().map(|run| run.due_at).collect::<Vec<_>>(), [Some(hours(1))]);
    assert!(fleet.backups(moved).await.is_empty() && fleet.backups(stopped).await.is_empty());
    assert_eq!((fleet.next_at(edited).await, fleet.next_at(moved).await), (Some(hours(25)), Some(hours(3))));
}

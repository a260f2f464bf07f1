//! Which backups can be restored, which a cleanup forgets, and when their rows go.

use super::fleet::{Fleet, TENANT, refused, settings};
use super::rig::{Rig, name};
use crate::model::configuration::VersionRetention;
use crate::model::instant::{DAY_MICROS, HOUR_MICROS, SECOND_MICROS};
use crate::model::run::RunState as S;
use crate::model::schedule::Timing;
use crate::model::stored_file::StoredFile;
use crate::model::work::Job;
use crate::store::fleet::restores::NewRestore;

/// A fleet with a configuration and two backups of it, a day apart.
async fn with_two(rig: Rig) -> (Fleet, i64, [i64; 2]) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", Timing::Manually).await;
    let first = fleet.back_up(configuration).await;
    fleet.rig.pass(DAY_MICROS).await;
    let second = fleet.back_up(configuration).await;
    (fleet, configuration, [first, second])
}

async fn keep(fleet: &Fleet, configuration: i64, days: i64) {
    fleet.change(configuration, move |settings| settings.retention = VersionRetention::from_days(days).expect("a retention")).await;
}

async fn snapshot_of(fleet: &Fleet, backup: i64) -> String {
    fleet.backup(backup).await.snapshot.expect("it has one")
}

async fn file_of(fleet: &Fleet, backup: i64) -> StoredFile {
    let path = snapshot_of(fleet, backup).await;
    let found = fleet.store().find(&fleet.vault(fleet.agent).await, &name(&path)).await.expect("the catalog answers");
    found.expect("it is there")
}

/// Makes a cleanup and ends it; what it was told to forget, sorted.
async fn cleaned(fleet: &Fleet) -> Vec<String> {
    let cleanup = fleet.store().start_cleanup(TENANT, fleet.agent).await.expect("the catalog answers").expect("none runs");
    let Job::Cleanup { mut forget, .. } = fleet.wanted(cleanup).await.expect("it is wanted").job else { panic!("it is a cleanup") };
    fleet.say_all(cleanup, &[S::Queued, S::Preparing, S::Completed]).await;
    forget.sort();
    forget
}

pub(super) async fn superseded_backups_expire_after_their_days_and_the_newest_never(rig: Rig) {
    let (fleet, configuration, [first, second]) = with_two(rig).await;
    fleet.rig.pass(29 * DAY_MICROS).await;
    assert_eq!(fleet.restorable(configuration).await, [second, first], "at least that many days");
    fleet.rig.pass(1).await;
    assert_eq!(fleet.restorable(configuration).await, [second]);
    assert_eq!((fleet.backup_report(first).await.1, fleet.backup_report(second).await.1), (false, true));
    let wanted = NewRestore {
        backup: first,
        source: fleet.agent,
        destination: fleet.agent,
        destination_path: String::new(),
        overwrites: false,
        datacenter: None,
    };
    assert_eq!(refused(&fleet.store().create_restore(TENANT, wanted).await.expect("the catalog answers")), "invalid");
    fleet.rig.pass(900 * DAY_MICROS).await;
    assert_eq!(fleet.restorable(configuration).await, [second]);
    assert_eq!(fleet.store().restore_points(TENANT).await.expect("the catalog answers")[0].backup, second);
}

pub(super) async fn the_present_retention_is_that_of_all_backups(rig: Rig) {
    let (fleet, configuration, [first, second]) = with_two(rig).await;
    fleet.rig.pass(40 * DAY_MICROS).await;
    for (days, expected) in [(30, vec![second]), (60, vec![second, first]), (30, vec![second]), (0, vec![second, first])] {
        keep(&fleet, configuration, days).await;
        assert_eq!(fleet.restorable(configuration).await, expected, "{days} days");
    }
    fleet.rig.pass(9_000 * DAY_MICROS).await;
    assert_eq!(fleet.restorable(configuration).await, [second, first], "0 is for ever");
    keep(&fleet, configuration, 60).await;
    assert_eq!(cleaned(&fleet).await, [snapshot_of(&fleet, first).await]);
    keep(&fleet, configuration, 0).await;
    assert_eq!(fleet.restorable(configuration).await, [second], "what a cleanup was told to forget does not come back");
}

pub(super) async fn while_expiry_is_paused_nothing_expires_and_nothing_is_forgotten(rig: Rig) {
    let (fleet, configuration, [first, second]) = with_two(rig).await;
    let deleted = fleet.configure("deleted", Timing::Manually).await;
    fleet.back_up(deleted).await;
    fleet.store().delete_configuration(TENANT, deleted).await.expect("the catalog answers").expect("it is there");
    fleet.rig.clock.jump_wall(400 * DAY_MICROS);
    fleet.rig.pass(40 * DAY_MICROS).await;
    assert_eq!(fleet.restorable(configuration).await, [second, first]);
    assert!(cleaned(&fleet).await.is_empty());
    fleet.rig.clock.jump_wall(-400 * DAY_MICROS);
    fleet.rig.pass(0).await;
    assert_eq!(fleet.restorable(configuration).await, [second]);
    assert_eq!(cleaned(&fleet).await.len(), 2);
}

/// A mark of damage may be taken off again, so it lets nothing go that nothing superseded.
pub(super) async fn a_damaged_snapshot_is_neither_offered_nor_forgotten_without_an_heir(rig: Rig) {
    let (fleet, configuration, [first, second]) = with_two(rig).await;
    let alone = fleet.configure("alone", Timing::Manually).await;
    let only = fleet.back_up(alone).await;
    for backup in [second, only] {
        fleet.store().mark_damaged(&file_of(&fleet, backup).await.id).await.expect("the catalog answers");
    }
    fleet.rig.pass(400 * DAY_MICROS).await;
    assert_eq!((fleet.restorable(configuration).await, fleet.restorable(alone).await), (vec![first], vec![]));
    assert!(cleaned(&fleet).await.is_empty());
    let third = fleet.back_up(configuration).await;
    assert_eq!(fleet.restorable(configuration).await, [third]);
    let mut expected = vec![snapshot_of(&fleet, first).await, snapshot_of(&fleet, second).await];
    expected.sort();
    assert_eq!(cleaned(&fleet).await, expected, "both have an heir now");
}

pub(super) async fn a_cleanup_forgets_exactly_what_no_backup_needs(rig: Rig) {
    let (fleet, configuration, [first, second]) = with_two(rig).await;
    let deleted = fleet.configure("deleted", Timing::Manually).await;
    let of_deleted = fleet.back_up(deleted).await;
    let shared = fleet.configure("shared", Timing::Manually).await;
    let other = fleet.register("web-b").await;
    let elsewhere = fleet.configure_as(other, settings("elsewhere", Timing::Manually)).await;
    let run = fleet.start(elsewhere).await;
    fleet.complete_as(other, run).await;
    let unnamed = fleet.snapshot(fleet.agent).await;
    assert!(cleaned(&fleet).await.is_empty());
    fleet.rig.pass(40 * DAY_MICROS).await;
    fleet.store().delete_configuration(TENANT, deleted).await.expect("the catalog answers").expect("it is there");
    // An agent that names one snapshot for two runs.
    let twice = fleet.start(shared).await;
    fleet.say_all(twice, &[S::Queued, S::Preparing]).await;
    let again = Some(snapshot_of(&fleet, first).await);
    let end = crate::model::work::RunUpdate { snapshot: again, ..super::fleet::update(S::Completed) };
    fleet.report(twice, end).await.expect("it may end");
    let (name_of_deleted, name_of_first) = (snapshot_of(&fleet, of_deleted).await, snapshot_of(&fleet, first).await);
    assert_eq!(cleaned(&fleet).await, std::slice::from_ref(&name_of_deleted), "another backup needs the first one's");
    assert_eq!((fleet.restorable(configuration).await, fleet.restorable(shared).await), (vec![second], vec![twice]));
    assert_eq!(cleaned(&fleet).await, std::slice::from_ref(&name_of_deleted), "it is still there");
    fleet.hide(fleet.agent, &name_of_deleted).await;
    assert!(cleaned(&fleet).await.is_empty());
    fleet.store().delete_configuration(TENANT, shared).await.expect("the catalog answers").expect("it is there");
    assert_eq!(cleaned(&fleet).await, [name_of_first]);
    assert!(fleet.rig.store.find(&fleet.vault(fleet.agent).await, &name(&unnamed)).await.expect("the catalog answers").is_some());
}

pub(super) async fn weekly_cleanups_come_round_alone_and_spread_over_the_week(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let mut agents = vec![fleet.agent];
    for number in 1..20 {
        agents.push(fleet.register(&format!("number {number}")).await);
    }
    let mut minutes = std::collections::BTreeSet::new();
    for agent in &agents {
        let crate::store::catalog::Value::Int(due) = fleet.ask("SELECT cleanup_due_at FROM agents WHERE id = $1", *agent).await else {
            panic!("each has one")
        };
        assert!(due > fleet.store().now().plus_micros(7 * DAY_MICROS).micros(), "not in its first week");
        minutes.insert(due / (60 * SECOND_MICROS));
    }
    assert_eq!(minutes.len(), agents.len());
    fleet.store().enable_agent(TENANT, agents[19], false).await.expect("the catalog answers").expect("it is there");
    let (mut made, mut most) = (0, 0);
    for _ in 0..(8 * 7 * 4) {
        let ticked = fleet.pass(6 * HOUR_MICROS).await;
        (made, most) = (made + ticked.cleanups, most.max(ticked.cleanups));
    }
    assert!((6 * 20..=8 * 20).contains(&made) && most < 10, "{made} in all, {most} at one time");
    let history = fleet.store().activity(TENANT, None).await.expect("the catalog answers").expect("it is ours");
    for agent in &agents[..19] {
        let ours: Vec<_> = history.iter().filter(|entry| entry.run.agent == *agent).map(|entry| entry.run.state).collect();
        assert!((5..=7).contains(&ours.len()), "{ours:?}");
        assert!(ours.iter().filter(|state| state.is_live()).count() <= 1);
    }
    assert!(history.iter().all(|entry| entry.run.agent != agents[19]), "one that is disabled starts nothing");
}

pub(super) async fn a_snapshot_that_vanished_is_told_once_until_it_is_back(rig: Rig) {
    let (fleet, configuration, [first, second]) = with_two(rig).await;
    let note = async || fleet.store().note_vanished().await.expect("the catalog answers");
    assert_eq!(note().await, 0);
    fleet.rig.pass(SECOND_MICROS).await;
    let whole = fleet.store().now().plus_micros(-1);
    let path = snapshot_of(&fleet, second).await;
    fleet.hide(fleet.agent, &path).await;
    assert_eq!(fleet.restorable(configuration).await, [first], "before anybody has noticed");
    assert_eq!((note().await, note().await), (1, 0));
    let account = fleet.vault(fleet.agent).await;
    fleet.rig.pass(SECOND_MICROS).await;
    fleet.store().revive(&account, whole).await.expect("it can be revived");
    assert_eq!((note().await, fleet.restorable(configuration).await), (0, vec![second, first]));
    assert!(cleaned(&fleet).await.is_empty(), "nobody said that it may go");
    fleet.hide(fleet.agent, &path).await;
    assert_eq!((note().await, note().await), (1, 0));
    fleet.rig.pass(40 * DAY_MICROS).await;
    fleet.back_up(configuration).await;
    assert_eq!(cleaned(&fleet).await, [snapshot_of(&fleet, first).await]);
    fleet.hide(fleet.agent, &snapshot_of(&fleet, first).await).await;
    assert_eq!(note().await, 0, "a cleanup was to forget it");
}

pub(super) async fn runs_are_remembered_for_90_days_after_they_were_of_use(rig: Rig) {
    let (fleet, configuration, [first, second]) = with_two(rig).await;
    let failed = fleet.start(configuration).await;
    fleet.say_all(failed, &[S::Queued, S::Preparing, S::Failed]).await;
    let restore = fleet.restore_of(second).await;
    fleet.start_restore(restore, None).await;
    fleet.say_all(restore, &[S::Queued, S::Preparing, S::InProgress, S::Completed]).await;
    let forget = async || fleet.store().forget_runs().await.expect("the catalog answers");
    fleet.rig.pass(90 * DAY_MICROS).await;
    assert_eq!(forget().await, 0);
    fleet.rig.pass(1).await;
    assert_eq!(forget().await, 2, "the one that failed, and the restore");
    assert_eq!(refused(&fleet.store().backup(TENANT, failed).await.expect("the catalog answers")), "not found");
    let third = fleet.back_up(configuration).await;
    let late = fleet.restore_of(third).await;
    assert_eq!(cleaned(&fleet).await.len(), 2);
    for backup in [first, second] {
        fleet.hide(fleet.agent, &snapshot_of(&fleet, backup).await).await;
    }
    fleet.rig.pass(91 * DAY_MICROS).await;
    assert_eq!(forget().await, 1, "the cleanup; the bytes of both snapshots are still there");
    fleet.rig.pass(2 * DAY_MICROS).await;
    fleet.rig.expire_due().await.expect("expiry runs");
    assert_eq!(forget().await, 2);
    let left: Vec<i64> = fleet.backups(configuration).await.iter().map(|run| run.id).collect();
    assert_eq!((left, fleet.restorable(configuration).await), (vec![third], vec![third]));
    assert_eq!(fleet.restore(late).await.state, S::Creating, "it is still in the making");
}

//! What becomes of occurrences that no agent took in time.

use super::fleet::{Fleet, MINUTE, TENANT, hourly, settings};
use super::rig::Rig;
use crate::model::configuration::{ConfigurationSettings, MissedAction};
use crate::model::instant::HOUR_MICROS;
use crate::model::run::RunState as S;

/// As many hours pass without a word of the agent, and what became due is missed.
async fn miss(fleet: &Fleet, hours: usize) {
    for _ in 0..hours {
        fleet.pass(45 * MINUTE).await;
        fleet.pass(15 * MINUTE).await;
    }
    fleet.pass(20 * MINUTE).await;
}

pub(super) async fn however_many_were_missed_one_backup_makes_them_good(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", hourly(1)).await;
    miss(&fleet, 5).await;
    assert_eq!(fleet.states(configuration).await, [S::Missed; 5]);
    fleet.pass(MINUTE).await;
    assert_eq!(fleet.states(configuration).await.len(), 5, "its agent is not there yet");
    assert_eq!(fleet.hear().await.catch_ups, 1);
    let runs = fleet.backups(configuration).await;
    assert_eq!((runs.len(), runs[5].state, runs[5].is_catch_up, runs[5].due_at), (6, S::StartScheduled, true, runs[4].due_at));
    assert_eq!((fleet.hear().await.catch_ups, fleet.pass(MINUTE).await.catch_ups), (0, 0));
    fleet.complete(runs[5].id).await;
    assert_eq!((fleet.hear().await.catch_ups, fleet.states(configuration).await.len()), (0, 6));
}

pub(super) async fn nothing_is_made_good_where_the_next_time_is_soon_enough(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let patient = ConfigurationSettings { missed_action: MissedAction::Wait, ..settings("patient", hourly(1)) };
    let configuration = fleet.configure_as(fleet.agent, patient).await;
    miss(&fleet, 3).await;
    fleet.hear().await;
    assert_eq!(fleet.states(configuration).await, [S::Missed; 3]);
    fleet.pass(40 * MINUTE).await;
    assert_eq!(fleet.states(configuration).await, [S::Missed, S::Missed, S::Missed, S::StartScheduled]);
}

/// The agent came back and went away again before it took it.
pub(super) async fn a_catch_up_that_is_missed_itself_is_owed_again(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", hourly(23)).await;
    fleet.pass(23 * HOUR_MICROS).await;
    fleet.pass(15 * MINUTE).await;
    for round in 1..=3 {
        assert_eq!(fleet.hear().await.catch_ups, 1, "round {round}");
        fleet.pass(15 * MINUTE).await;
        assert_eq!(fleet.states(configuration).await, vec![S::Missed; 1 + round]);
    }
    fleet.hear().await;
    let last = fleet.backups(configuration).await.last().expect("there are some").id;
    fleet.complete(last).await;
    assert_eq!(fleet.hear().await.catch_ups, 0);
}

pub(super) async fn a_backup_that_was_lost_is_made_good_and_one_that_failed_is_not(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", hourly(23)).await;
    fleet.pass(23 * HOUR_MICROS).await;
    let first = fleet.backups(configuration).await[0].id;
    fleet.say_all(first, &[S::Queued, S::Preparing]).await;
    fleet.pass(31 * MINUTE).await;
    assert_eq!(fleet.hear().await.catch_ups, 1);
    let second = fleet.backups(configuration).await[1].id;
    fleet.say_all(second, &[S::Queued, S::Preparing, S::Failed]).await;
    assert_eq!((fleet.hear().await.catch_ups, fleet.states(configuration).await), (0, vec![S::Failed, S::Failed]));
}

pub(super) async fn a_backup_that_goes_well_pays_what_is_owed(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", hourly(23)).await;
    fleet.pass(23 * HOUR_MICROS).await;
    fleet.pass(15 * MINUTE).await;
    fleet.back_up(configuration).await;
    assert_eq!((fleet.hear().await.catch_ups, fleet.states(configuration).await), (0, vec![S::Missed, S::Completed]));
}

pub(super) async fn what_nobody_wants_any_more_is_not_made_good(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let mut owed = Vec::new();
    for named in ["deactivated", "patient", "deleted", "kept"] {
        owed.push(fleet.configure(named, hourly(23)).await);
    }
    fleet.pass(23 * HOUR_MICROS).await;
    fleet.pass(15 * MINUTE).await;
    for enabled in [false, true] {
        fleet.store().enable_configuration(TENANT, owed[0], enabled).await.expect("the catalog answers").expect("it is there");
    }
    fleet.change(owed[1], |settings| settings.missed_action = MissedAction::Wait).await;
    fleet.store().delete_configuration(TENANT, owed[2]).await.expect("the catalog answers").expect("it is there");
    fleet.change(owed[3], |settings| settings.name = "renamed".to_owned()).await;
    fleet.store().enable_agent(TENANT, fleet.agent, false).await.expect("the catalog answers").expect("it is there");
    assert_eq!(fleet.hear().await.catch_ups, 0, "the agent is disabled");
    fleet.store().enable_agent(TENANT, fleet.agent, true).await.expect("the catalog answers").expect("it is there");
    assert_eq!(fleet.hear().await.catch_ups, 1);
    assert_eq!(fleet.states(owed[3]).await, [S::Missed, S::StartScheduled]);
}

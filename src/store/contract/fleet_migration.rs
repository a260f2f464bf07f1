//! A vault that goes to another agent.

use super::fleet::{Fleet, TENANT, asked, hourly, refused, registration, settings};
use super::rig::{Rig, put};
use crate::model::run::RunState as S;
use crate::model::schedule::Timing;
use crate::model::work::RequestKind;
use crate::store::fleet::registration::Registration;
use crate::store::fleet::requests::RequestOutcome;
use crate::store::fleet::restores::NewRestore;

async fn migrate(fleet: &Fleet, from: i64, to: i64) -> &'static str {
    refused(&fleet.store().migrate_vault(TENANT, from, to).await.expect("the catalog answers"))
}

async fn stored(fleet: &Fleet, agent: i64, path: &str) {
    put(fleet.store(), &fleet.vault(agent).await, path, b"bytes").await.expect("the name is free");
}

pub(super) async fn what_stands_in_the_way_of_a_migration_is_refused(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", Timing::Manually).await;
    let (from, to) = (fleet.agent, fleet.register("web-b").await);
    let foreign = Registration { tenant: "100001".to_owned(), ..registration("web-x") };
    let foreign = fleet.store().register_agent(foreign).await.expect("the catalog answers").expect("it can register");
    for (one, other) in [(from, from), (from, foreign), (foreign, to), (from, 0)] {
        assert_eq!(migrate(&fleet, one, other).await, "forbidden", "{one} {other}");
    }
    let backup = fleet.start(configuration).await;
    assert_eq!(migrate(&fleet, from, to).await, "forbidden", "a backup waits");
    fleet.complete(backup).await;
    let restore = fleet.restore_of(backup).await;
    fleet.start_restore(restore, None).await;
    assert_eq!(migrate(&fleet, from, to).await, "forbidden", "a restore waits");
    fleet.store().stop_restore(TENANT, restore).await.expect("the catalog answers").expect("it waits");
    let cleanup = fleet.store().start_cleanup(TENANT, to).await.expect("the catalog answers").expect("none runs");
    assert_eq!(migrate(&fleet, from, to).await, "forbidden", "a cleanup waits");
    for state in [S::Queued, S::Preparing, S::Completed] {
        fleet.report_as(to, cleanup, super::fleet::update(state)).await.expect("it is in order");
    }
    let configured = fleet.configure_as(to, settings("www", Timing::Manually)).await;
    assert_eq!(migrate(&fleet, from, to).await, "forbidden", "it has a configuration");
    fleet.store().delete_configuration(TENANT, configured).await.expect("the catalog answers").expect("it is there");
    stored(&fleet, to, "/g1/config").await;
    stored(&fleet, to, &format!("/g1/keys/{}", "0a".repeat(32))).await;
    let filled = fleet.register("web-c").await;
    stored(&fleet, filled, &format!("/g1/data/{}", "0a".repeat(32))).await;
    assert_eq!(migrate(&fleet, from, filled).await, "forbidden", "its vault is not empty");
    let encrypted = fleet.register("web-d").await;
    let guid = fleet.store().ask_agent(TENANT, encrypted, asked(RequestKind::Encrypt)).await.expect("the catalog answers");
    let guid = guid.expect("it may be asked");
    fleet.store().note_request(encrypted, &guid, RequestOutcome::Succeeded).await.expect("the catalog answers").expect("it is there");
    assert_eq!(migrate(&fleet, from, encrypted).await, "forbidden");
    assert_eq!(migrate(&fleet, encrypted, to).await, "forbidden");
    assert_eq!(fleet.restorable(configuration).await, [backup], "nothing has moved");
    assert_eq!(migrate(&fleet, from, to).await, "allowed", "a repository that was only made is empty");
}

pub(super) async fn a_migrated_vault_belongs_to_its_new_agent_with_all_its_backups(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", hourly(1)).await;
    let (from, to) = (fleet.agent, fleet.register("web-b").await);
    let (first, second) = (fleet.back_up(configuration).await, fleet.back_up(configuration).await);
    let (vault, dropped) = (fleet.vault(from).await.id, fleet.vault(to).await.id);
    stored(&fleet, to, "/g1/config").await;
    assert_eq!(migrate(&fleet, from, to).await, "allowed");
    assert_eq!(fleet.vault(to).await.id, vault);
    assert!(![&vault, &dropped].contains(&&fleet.vault(from).await.id));
    let empty = fleet.store().holdings(&fleet.vault(from).await.id).await.expect("the catalog answers");
    assert_eq!((empty.live_files, empty.hidden_files), (0, 0));
    let gone = fleet.store().holdings(&dropped).await.expect("the catalog answers");
    assert_eq!((gone.live_files, gone.hidden_files), (0, 1));
    assert_eq!(fleet.restorable(configuration).await, [second, first]);
    for backup in [first, second] {
        let run = fleet.backup(backup).await;
        assert_eq!((run.agent, run.source, run.maker, run.configuration), (to, to, from, Some(configuration)));
    }
    let view = fleet.store().configuration(TENANT, configuration).await.expect("the catalog answers").expect("it is there");
    assert_eq!((view.configuration.agent, view.configuration.settings.is_active, view.configuration.next_at), (from, false, None));
    for source in [from, to] {
        let wanted =
            NewRestore { backup: first, source, destination: to, destination_path: String::new(), overwrites: false, datacenter: None };
        let made = fleet.store().create_restore(TENANT, wanted).await.expect("the catalog answers").expect("it can be made");
        assert_eq!(fleet.start_restore(made.run.id, None).await, "allowed");
        let pinned = fleet.store().pinned_vault(to, made.run.id).await.expect("the catalog answers").expect("it is live");
        assert_eq!(pinned.account, vault.as_str());
        fleet.store().stop_restore(TENANT, made.run.id).await.expect("the catalog answers").expect("it is live");
    }
    let next = fleet.configure_as(to, settings("next", Timing::Manually)).await;
    let third = fleet.start(next).await;
    fleet.complete_as(to, third).await;
    assert_eq!(fleet.backup(third).await.snapshot_number, Some(3), "numbers of one vault go on");
    assert_eq!(fleet.store().note_vanished().await.expect("the catalog answers"), 0);
}

/// Its configurations go with it; what another agent has of it stays.
pub(super) async fn backups_that_were_migrated_outlive_the_agent_that_made_them(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", Timing::Manually).await;
    let backup = fleet.back_up(configuration).await;
    let (from, to) = (fleet.agent, fleet.register("web-b").await);
    assert_eq!(migrate(&fleet, from, to).await, "allowed");
    fleet.store().delete_agent(TENANT, from).await.expect("the catalog answers").expect("it is there");
    assert_eq!(fleet.restorable(configuration).await, [backup]);
    assert_eq!(fleet.store().restore_points(TENANT).await.expect("the catalog answers").len(), 1);
    fleet.store().delete_agent(TENANT, to).await.expect("the catalog answers").expect("it is there");
    assert_eq!(fleet.restorable(configuration).await, Vec::<i64>::new());
}

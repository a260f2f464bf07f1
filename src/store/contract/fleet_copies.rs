//! The fleet outlives its catalog, as accounts and users do.

use super::fleet::{Fleet, MINUTE, TENANT, asked, hourly, key, refused, settings, update};
use super::rig::Rig;
use crate::model::instant::HOUR_MICROS;
use crate::model::run::RunState as S;
use crate::model::schedule::Timing;
use crate::model::work::{RequestKind, RunUpdate};
use crate::store::Store;
use crate::store::fleet::startup::AgentKey;

const AGENTS: usize = 100;
const BACKUPS: usize = 3;

/// What users see of it all.
async fn seen(fleet: &Fleet) -> Vec<(i64, Vec<i64>, Option<crate::model::instant::Instant>)> {
    let views = fleet.store().configurations(TENANT, None).await.expect("the catalog answers").expect("they are ours");
    let mut seen = Vec::new();
    for view in views {
        seen.push((view.configuration.id, fleet.restorable(view.configuration.id).await, view.configuration.next_at));
    }
    seen
}

async fn taken_up(store: &Store) {
    store.load_newer_control().await.expect("the copy loads");
    store.load_newer_hides().await.expect("the copies of hides load");
    let (_stop, shutdown) = crate::shutdown::channel();
    store.reconcile(&shutdown).await.expect("reconciliation runs");
}

pub(super) async fn a_lost_catalog_gets_its_fleet_back_and_goes_on(rig: Rig) {
    let mut fleet = Fleet::new(rig).await;
    let (mut agents, mut last) = (Vec::new(), 0);
    for number in 0..AGENTS {
        let agent = fleet.register(&format!("number {number}")).await;
        let configuration = fleet.configure_as(agent, settings("www", hourly(1 + i64::try_from(number).expect("few") % 23))).await;
        for _ in 0..BACKUPS {
            last = fleet.start(configuration).await;
            fleet.complete_as(agent, last).await;
        }
        agents.push(agent);
    }
    let before = seen(&fleet).await;
    fleet.store().write_control_if_stale().await.expect("a copy can be written");
    let (empty, _folder) = fleet.rig.with_empty_catalog().await;
    taken_up(&empty).await;
    fleet.rig.store = empty;
    assert_eq!(seen(&fleet).await, before);
    assert_eq!(before.iter().map(|(_, restorable, _)| restorable.len()).sum::<usize>(), AGENTS * BACKUPS);
    let AgentKey::Open(agent) = fleet.hear_of("number 7").await else { panic!("its key opens it") };
    assert_eq!((agent.id, agent.facts.machine_name.as_str()), (agents[7], "number 7"));
    assert_eq!(fleet.backup_report(last).await.0.reason, "Success");
    assert_eq!(fleet.store().note_vanished().await.expect("the catalog answers"), 0);
    fleet.pass(0).await;
    assert_eq!(fleet.pass(HOUR_MICROS).await.due, AGENTS.div_ceil(23), "what is due runs");
    let configuration = before[0].0;
    let run = fleet.backups(configuration).await.last().expect("there is one").id;
    assert!(run > last, "ids do not fall");
    fleet.complete_as(agents[0], run).await;
    assert_eq!(fleet.restorable(configuration).await[0], run);
    assert_eq!(fleet.backup(run).await.snapshot_number, Some(4));
}

pub(super) async fn an_older_catalog_follows_the_fleet_of_the_newest_copy(rig: Rig) {
    let mut fleet = Fleet::new(rig).await;
    let often = fleet.configure("often", hourly(1)).await;
    let deleted = fleet.configure("deleted", Timing::Manually).await;
    let renamed = fleet.configure("first name", Timing::Manually).await;
    let (old_backup, of_deleted) = (fleet.back_up(renamed).await, fleet.back_up(deleted).await);
    fleet.pass(HOUR_MICROS).await;
    let under_way = fleet.backups(often).await[0].id;
    fleet.say_all(under_way, &[S::Queued]).await;
    fleet.store().write_control_if_stale().await.expect("a copy can be written");
    let (yesterday, _folder) = fleet.rig.with_empty_catalog().await;
    taken_up(&yesterday).await;
    // What happened since.
    fleet.say_all(under_way, &[S::Preparing, S::InProgress]).await;
    let snapshot = Some(fleet.snapshot(fleet.agent).await);
    fleet.report(under_way, RunUpdate { snapshot, ..update(S::Completed) }).await.expect("it may end");
    fleet.store().delete_configuration(TENANT, deleted).await.expect("the catalog answers").expect("it is there");
    fleet.change(renamed, |settings| settings.name = "second name".to_owned()).await;
    let again = fleet.configure("first name", Timing::Manually).await;
    let other = fleet.register("web-b").await;
    let of_other = fleet.configure_as(other, settings("www", hourly(2))).await;
    let cleanup = fleet.store().start_cleanup(TENANT, fleet.agent).await.expect("the catalog answers").expect("none runs");
    fleet.say_all(cleanup, &[S::Queued, S::Preparing]).await;
    let forgotten = fleet.backup(of_deleted).await.snapshot.expect("it has one");
    fleet.hide(fleet.agent, &forgotten).await;
    fleet.say_all(cleanup, &[S::Completed]).await;
    fleet.pass(HOUR_MICROS).await;
    let second = fleet.backups(often).await[1].id;
    fleet.complete(second).await;
    let latest = fleet.back_up(renamed).await;
    fleet.store().tell_hides().await.expect("the hides are told");
    fleet.store().write_control_if_stale().await.expect("a copy can be written");
    let (before, instants) = (seen(&fleet).await, fleet.backups(often).await);
    fleet.rig.store = yesterday;
    taken_up(fleet.store()).await;
    assert_eq!(seen(&fleet).await, before);
    assert_eq!(before.iter().map(|(id, ..)| *id).collect::<Vec<_>>(), [often, renamed, again, of_other]);
    assert_eq!((fleet.restorable(renamed).await, fleet.restorable(often).await), (vec![latest, old_backup], vec![second, under_way]));
    assert_eq!((fleet.state(under_way).await, fleet.restorable(deleted).await), (S::Completed, vec![]));
    assert!(matches!(fleet.hear_of("web-b").await, AgentKey::Open(agent) if agent.id == other));
    assert_eq!(fleet.store().note_vanished().await.expect("the catalog answers"), 0, "what was forgotten is no news");
    fleet.pass(0).await;
    let after = fleet.backups(often).await;
    assert_eq!(after.iter().map(|run| run.due_at).collect::<Vec<_>>(), instants.iter().map(|run| run.due_at).collect::<Vec<_>>());
    assert!(fleet.start(again).await > latest);
    let empty = fleet.store().start_cleanup(TENANT, fleet.agent).await.expect("the catalog answers").expect("none runs");
    let crate::model::work::Job::Cleanup { forget, .. } = fleet.wanted(empty).await.expect("it is wanted").job else {
        panic!("it is a cleanup")
    };
    assert!(forget.is_empty(), "{forget:?}");
}

/// A strongroom from before there was a control plane wrote the newest copy.
pub(super) async fn a_copy_from_before_there_was_a_fleet_takes_nothing_away(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", hourly(1)).await;
    fleet.back_up(configuration).await;
    let live = fleet.start(configuration).await;
    let before = (seen(&fleet).await, fleet.backups(configuration).await);
    let copy = crate::store::control::ControlCopy::empty(fleet.store().now());
    let now = fleet.store().now();
    let load = move |connection: &mut dyn crate::store::catalog::Connection| crate::store::control::load(connection, &copy, now);
    fleet.store().write(load).await.expect("the copy loads");
    assert_eq!((seen(&fleet).await, fleet.backups(configuration).await), before);
    assert!(fleet.wanted(live).await.is_some());
    let text = r#"{"format":1,"store_id":"test","change":7,"written_at":0,"accounts":[]}"#;
    let old: crate::store::control::ControlCopy = serde_json::from_str(text).expect("an old copy is read");
    assert!(format!("{old:?}").contains("fleet: None"));
}

pub(super) async fn no_copy_holds_what_opens_anything(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", Timing::Manually).await;
    fleet.encrypt().await;
    let backup = fleet.start(configuration).await;
    fleet.say_all(backup, &[S::Queued, S::Preparing, S::InProgress]).await;
    let snapshot = Some(fleet.snapshot_in(fleet.agent, 2).await);
    fleet.report(backup, RunUpdate { snapshot, ..update(S::Completed) }).await.expect("it may end");
    let restore = fleet.restore_of(backup).await;
    assert_eq!(fleet.start_restore(restore, Some(b"canary of a restore")).await, "allowed");
    let asked = fleet.store().ask_agent(TENANT, fleet.agent, asked(RequestKind::ChangePassword)).await.expect("the catalog answers");
    assert_eq!(refused(&asked), "allowed");
    fleet.pass(MINUTE).await;
    fleet.store().write_control().await.expect("a copy can be written");
    let mut texts = Vec::new();
    for name in fleet.rig.blobs.list_control().expect("they can be listed") {
        let bytes = fleet.rig.blobs.get_control(&name).expect("it can be read");
        if name.ends_with(".json.zst") {
            texts.push(zstd::decode_all(&bytes[..]).expect("it is whole"));
        }
    }
    let holds = |needle: &[u8]| texts.iter().any(|text| text.windows(needle.len()).any(|window| window == needle));
    assert!(holds(b"\"www\"") && holds(data_encoding::BASE64.encode(key("web-a").as_bytes()).as_bytes()), "the hash is there");
    for secret in ["canary of a restore", "canary of a new passphrase", "canary of an old passphrase"] {
        for spelled in
            [secret.to_owned(), data_encoding::BASE64.encode(secret.as_bytes()), data_encoding::HEXLOWER.encode(secret.as_bytes())]
        {
            assert!(!holds(spelled.as_bytes()), "{spelled}");
        }
    }
}

//! Agents from their registration to their end, and back.

use super::fleet::{Fleet, TENANT, asked, hourly, key, refused, registration, settings, startup, update};
use super::rig::Rig;
use crate::model::instant::{HOUR_MICROS, SECOND_MICROS};
use crate::model::run::RunState as S;
use crate::model::schedule::Timing;
use crate::model::work::{RequestKind, RunUpdate};
use crate::store::fleet::registration::Registration;
use crate::store::fleet::requests::RequestOutcome;
use crate::store::fleet::startup::{AgentKey, KnownSnapshot};

async fn register(fleet: &Fleet, registration: Registration) -> Result<i64, &'static str> {
    let outcome = fleet.store().register_agent(registration).await.expect("the catalog answers");
    let refusal = refused(&outcome);
    outcome.map_err(|_| refusal)
}

fn is_open(found: &AgentKey, id: i64) -> bool {
    matches!(found, AgentKey::Open(agent) if agent.id == id)
}

pub(super) async fn a_key_makes_one_agent_and_opens_it_for_its_tenant_alone(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    assert_eq!(register(&fleet, registration("web-a")).await, Ok(fleet.agent), "the answer before was lost");
    let foreign = Registration { tenant: "100001".to_owned(), ..registration("web-a") };
    assert_eq!(register(&fleet, foreign).await, Err("conflict"));
    let twin = register(&fleet, Registration { key: key("another"), ..registration("web-a") }).await.expect("a machine may come twice");
    assert_ne!(twin, fleet.agent);
    assert_eq!(fleet.store().agents(TENANT).await.expect("the catalog answers").len(), 2);
    assert_ne!(fleet.vault(twin).await.id, fleet.vault(fleet.agent).await.id);
    assert!(is_open(&fleet.hear_of("web-a").await, fleet.agent));
    assert!(matches!(fleet.hear_of("nobody").await, AgentKey::Unknown));
    assert_eq!(refused(&fleet.store().agent("100001", fleet.agent).await.expect("the catalog answers")), "not found");
    let newest = fleet.store().agent_of_host(TENANT, "host web-a").await.expect("the catalog answers").expect("there are two");
    assert_eq!(newest.agent.id, twin);
}

pub(super) async fn a_machine_that_takes_over_ends_the_old_key_and_what_was_meant_for_it(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", Timing::Manually).await;
    let backup = fleet.back_up(configuration).await;
    let vault = fleet.vault(fleet.agent).await.id;
    let first = fleet.store().start_agent(fleet.agent, startup("web-a")).await.expect("the catalog answers").expect("it may start");
    let guid = fleet.store().ask_agent(TENANT, fleet.agent, asked(RequestKind::Encrypt)).await.expect("the catalog answers");
    let guid = guid.expect("it may be asked");
    let take_over = |tenant: &str, id| Registration { tenant: tenant.to_owned(), take_over: Some(id), ..registration("web-z") };
    assert_eq!(register(&fleet, take_over(TENANT, fleet.agent + 1000)).await, Err("not found"));
    assert_eq!(register(&fleet, take_over("100001", fleet.agent)).await, Err("not found"));
    for _ in 0..2 {
        assert_eq!(register(&fleet, take_over(TENANT, fleet.agent)).await, Ok(fleet.agent));
    }
    assert!(matches!(fleet.hear_of("web-a").await, AgentKey::Unknown));
    let AgentKey::Open(agent) = fleet.hear_of("web-z").await else { panic!("it has the agent's place") };
    assert_eq!((agent.id, &agent.account, &agent.facts.machine_name[..]), (fleet.agent, &vault, "web-z"));
    assert!(agent.incarnation > first, "the old process is told to end");
    let refused_start = fleet.store().start_agent(fleet.agent, startup("web-a")).await.expect("the catalog answers");
    assert_eq!(refused(&refused_start), "conflict");
    let started = fleet.store().start_agent(fleet.agent, startup("web-z")).await.expect("the catalog answers");
    assert!(started.expect("it may start") > agent.incarnation);
    let wanted = fleet.store().work_of(fleet.agent).await.expect("the catalog answers");
    assert!(wanted.requests.is_empty(), "nobody can read it any more");
    fleet.store().note_request(fleet.agent, &guid, RequestOutcome::Succeeded).await.expect("the catalog answers").expect("it was there");
    let view = fleet.store().agent(TENANT, fleet.agent).await.expect("the catalog answers").expect("it is there");
    assert!(!view.is_encrypted, "what has failed does not succeed later");
    assert_eq!(fleet.restorable(configuration).await, [backup]);
}

pub(super) async fn a_start_tells_the_machine_and_ids_go_on_beyond_what_it_has_seen(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let start = async |up| fleet.store().start_agent(fleet.agent, up).await.expect("the catalog answers");
    assert_eq!((start(startup("web-a")).await, start(startup("web-a")).await), (Ok(1), Ok(2)));
    let mut other = startup("web-a");
    other.fingerprint = "of a clone".to_owned();
    other.highest_run = 5_000_000;
    assert_eq!(refused(&start(other).await), "conflict");
    let configuration = fleet.configure("www", Timing::Manually).await;
    assert!(fleet.start(configuration).await < 5_000_000, "a clone moves nothing");
    let mut ahead = startup("web-a");
    ahead.highest_run = 5_000_000;
    assert_eq!((start(ahead.clone()).await, start(ahead.clone()).await), (Ok(3), Ok(4)));
    let next = fleet.start(configuration).await;
    assert!((6_000_001..6_000_100).contains(&next), "{next}");
    ahead.highest_run = next;
    start(ahead.clone()).await.expect("it may start");
    assert!(fleet.start(configuration).await < next + 100, "what is known is no reason to skip");
    ahead.highest_run = 1 << 40;
    start(ahead).await.expect("it may start");
    assert!(fleet.start(configuration).await < next + 100, "no agent uses up the ids of all");
}

pub(super) async fn backups_that_only_the_vault_knows_are_brought_back_once(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", Timing::Manually).await;
    let (kept, lost) = (fleet.back_up(configuration).await, fleet.back_up(configuration).await);
    let of = |run: &crate::model::run_record::Run| run.snapshot.clone().expect("it has one");
    let (kept_name, lost_name) = (of(&fleet.backup(kept).await), of(&fleet.backup(lost).await));
    let lose =
        move |connection: &mut dyn crate::store::catalog::Connection| connection.execute("DELETE FROM runs WHERE id = $1", &[lost.into()]);
    fleet.store().write(lose).await.expect("the row can be deleted");
    let live = fleet.start(configuration).await;
    fleet.say_all(live, &[S::Queued, S::Preparing, S::InProgress]).await;
    let (new_name, taken_name) = (fleet.snapshot(fleet.agent).await, fleet.snapshot(fleet.agent).await);
    let taken_at = fleet.store().now().plus_micros(-HOUR_MICROS);
    let known = |name: &str, backup, configuration| KnownSnapshot { name: name.to_owned(), backup, configuration, taken_at };
    let absent = format!("/g1/snapshots/{}", "0a".repeat(32));
    let mut up = startup("web-a");
    up.snapshots = vec![
        known(&kept_name, kept, configuration),
        known(&lost_name, lost, configuration),
        known(&new_name, live, configuration),
        known(&taken_name, kept, configuration),
        known(&absent, 1, configuration),
        known("/g1/keys/a", 2, configuration),
        known(&fleet.snapshot(fleet.agent).await, 3, fleet.agent),
        known(&fleet.snapshot(fleet.agent).await, 4, 0),
    ];
    for _ in 0..2 {
        fleet.store().start_agent(fleet.agent, up.clone()).await.expect("the catalog answers").expect("it may start");
        let mut found = fleet.restorable(configuration).await;
        found.sort_unstable();
        assert_eq!((found.len(), found[0], found[1]), (3, kept, lost), "{found:?}");
        assert_eq!(fleet.backup(found[2]).await.snapshot, Some(taken_name.clone()), "under an id of its own");
    }
    let back = fleet.backup(lost).await;
    assert_eq!((back.state, back.completed_at, back.snapshot), (S::Completed, Some(taken_at), Some(lost_name)));
    assert_eq!(fleet.state(live).await, S::InProgress, "its agent has yet to report it");
    up.snapshots = vec![known(&fleet.snapshot(fleet.agent).await, 1 << 40, configuration)];
    fleet.store().start_agent(fleet.agent, up).await.expect("the catalog answers").expect("it may start");
    let highest = *fleet.restorable(configuration).await.iter().max().expect("there are some");
    assert!(highest < 1_000_000, "{highest}");
}

async fn delete(fleet: &Fleet) -> &'static str {
    refused(&fleet.store().delete_agent(TENANT, fleet.agent).await.expect("the catalog answers"))
}

pub(super) async fn a_deleted_agent_has_no_vault_no_key_and_nothing_to_restore(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", hourly(1)).await;
    let (backup, account) = (fleet.back_up(configuration).await, fleet.vault(fleet.agent).await.id);
    let restore = fleet.restore_of(backup).await;
    fleet.pass(HOUR_MICROS).await;
    let waiting = fleet.backups(configuration).await[1].id;
    assert_eq!((delete(&fleet).await, delete(&fleet).await), ("allowed", "not found"));
    assert!(matches!(fleet.hear_of("web-a").await, AgentKey::Deleted(id) if id == fleet.agent));
    assert_eq!(register(&fleet, registration("web-a")).await, Err("conflict"), "the key was used");
    assert_eq!(fleet.state(waiting).await, S::Stopped);
    let holdings = fleet.store().holdings(&account).await.expect("the catalog answers");
    assert_eq!((holdings.live_files, holdings.hidden_files), (0, 1));
    assert!(fleet.restorable(configuration).await.is_empty() && !fleet.backup_report(backup).await.1);
    assert_eq!(fleet.start_restore(restore, None).await, "invalid");
    assert_eq!(refused(&fleet.store().start_backup(TENANT, configuration).await.expect("the catalog answers")), "not found");
    assert_eq!(fleet.pass(3 * HOUR_MICROS).await.due, 0);
    assert_eq!(fleet.backups(configuration).await.len(), 2, "history stays");
}

pub(super) async fn the_last_run_of_a_deleted_agent_may_end_and_then_its_vault_is_hidden(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", Timing::Manually).await;
    let done = fleet.back_up(configuration).await;
    let live = fleet.start(configuration).await;
    fleet.say_all(live, &[S::Queued, S::Preparing, S::InProgress]).await;
    let snapshot = Some(fleet.snapshot(fleet.agent).await);
    let account = fleet.vault(fleet.agent).await.id;
    let live_files = async || fleet.store().holdings(&account).await.expect("the catalog answers").live_files;
    assert_eq!(delete(&fleet).await, "allowed");
    assert_eq!((fleet.restorable(configuration).await, fleet.backup_report(done).await.1), (vec![], false), "at once");
    assert!(fleet.store().restore_points(TENANT).await.expect("the catalog answers").is_empty());
    assert!(is_open(&fleet.hear_of("web-a").await, fleet.agent) && fleet.wanted(live).await.is_some() && live_files().await == 2);
    fleet.report(live, RunUpdate { snapshot, ..update(S::Completed) }).await.expect("it may end");
    assert!(matches!(fleet.hear_of("web-a").await, AgentKey::Deleted(_)));
    assert_eq!(live_files().await, 0);
    assert_eq!(fleet.restorable(configuration).await, Vec::<i64>::new());
}

pub(super) async fn a_revived_agent_is_what_it_was(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let kept = fleet.configure("kept", hourly(1)).await;
    let inactive = fleet.configure("inactive", hourly(1)).await;
    let gone = fleet.configure("gone", hourly(1)).await;
    fleet.store().enable_configuration(TENANT, inactive, false).await.expect("the catalog answers").expect("it is there");
    let (first, second) = (fleet.back_up(kept).await, fleet.back_up(kept).await);
    let hidden = fleet.snapshot(fleet.agent).await;
    fleet.hide(fleet.agent, &hidden).await;
    fleet.store().delete_configuration(TENANT, gone).await.expect("the catalog answers").expect("it is there");
    let revive = async || refused(&fleet.store().revive_agent(fleet.agent).await.expect("the catalog answers"));
    assert_eq!(revive().await, "invalid");
    let before = fleet.store().agent(TENANT, fleet.agent).await.expect("the catalog answers").expect("it is there");
    for _ in 0..2 {
        assert_eq!(delete(&fleet).await, "allowed");
        assert_eq!((revive().await, revive().await), ("allowed", "invalid"));
    }
    fleet.rig.pass(SECOND_MICROS).await;
    assert!(is_open(&fleet.hear_of("web-a").await, fleet.agent));
    let after = fleet.store().agent(TENANT, fleet.agent).await.expect("the catalog answers").expect("it is there");
    assert_eq!((after.vault_bytes, after.vault_uuid, after.agent.deleted_at), (before.vault_bytes, before.vault_uuid, None));
    assert_eq!(fleet.restorable(kept).await, [second, first]);
    assert_eq!(
        fleet.store().holdings(&after.agent.account).await.expect("the catalog answers").live_files,
        2,
        "without what was hidden before"
    );
    let views = fleet.store().configurations(TENANT, None).await.expect("the catalog answers").expect("they are ours");
    let seen: Vec<_> = views.iter().map(|view| (view.configuration.id, view.configuration.settings.is_active)).collect();
    assert_eq!(seen, [(kept, true), (inactive, false)]);
    assert!(fleet.next_at(kept).await.is_some() && fleet.next_at(inactive).await.is_none());
    fleet.back_up(kept).await;
}

pub(super) async fn a_wake_up_reaches_the_agents_of_the_tenant(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let foreign = Registration { tenant: "100001".to_owned(), ..registration("web-x") };
    let foreign = register(&fleet, foreign).await.expect("it can register");
    let other = fleet.register("web-b").await;
    fleet.configure_as(other, settings("www", Timing::Manually)).await;
    let numbers = async |since| fleet.store().work_since(since).await.expect("the catalog answers");
    let last = numbers(0).await.iter().map(|(_, number)| *number).max().expect("they registered");
    assert!(numbers(last).await.is_empty());
    fleet.store().wake_agents(TENANT).await.expect("the catalog answers");
    let mut woken: Vec<i64> = numbers(last).await.into_iter().map(|(agent, _)| agent).collect();
    woken.sort_unstable();
    assert_eq!(woken, [fleet.agent, other]);
    assert!(numbers(0).await.iter().any(|(agent, _)| *agent == foreign));
}

//! What an agent may delete of its own vault.

use super::fleet::{Fleet, TENANT, asked, refused};
use super::rig::{Rig, name, put};
use crate::model::instant::DAY_MICROS;
use crate::model::repository::RepositoryPath;
use crate::model::run::RunState as S;
use crate::model::schedule::Timing;
use crate::model::work::{Job, RequestKind, RunUpdate};
use crate::store::fleet::DeleteVerdict as V;
use crate::store::fleet::requests::RequestOutcome;

async fn judge(fleet: &Fleet, path: &str) -> V {
    let agent = fleet.store().agent(TENANT, fleet.agent).await.expect("the catalog answers").expect("it is there").agent;
    let parsed = RepositoryPath::parse(path).expect("a path of a repository");
    fleet.store().judge_delete(&agent, &parsed, &name(path)).await.expect("the catalog answers")
}

fn path(folder: &str, byte: u8) -> String {
    format!("/g1/{folder}/{}", format!("{byte:02x}").repeat(32))
}

/// A vault with files of each kind, one snapshot that may go and one that is needed.
async fn filled(rig: Rig) -> (Fleet, [String; 2]) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", Timing::Manually).await;
    let old = fleet.back_up(configuration).await;
    fleet.rig.pass(40 * DAY_MICROS).await;
    let new = fleet.back_up(configuration).await;
    let account = fleet.vault(fleet.agent).await;
    put(fleet.store(), &account, "/g1/config", &[7; 1000]).await.expect("the name is free");
    for folder in ["keys", "index", "data"] {
        for byte in 0..4 {
            put(fleet.store(), &account, &path(folder, byte), &[7; 1000]).await.expect("the name is free");
        }
    }
    let mut names = Vec::new();
    for backup in [old, new] {
        names.push(fleet.backup(backup).await.snapshot.expect("it has one"));
    }
    (fleet, names.try_into().expect("two"))
}

async fn cleanup(fleet: &Fleet) -> i64 {
    fleet.store().start_cleanup(TENANT, fleet.agent).await.expect("the catalog answers").expect("none runs")
}

pub(super) async fn nothing_but_locks_is_deleted_without_an_order(rig: Rig) {
    let (fleet, [old, new]) = filled(rig).await;
    let all_refused = async |when: &str| {
        for path in [path("keys", 0), path("index", 0), path("data", 0), old.clone(), new.clone()] {
            assert_eq!(judge(&fleet, &path).await, V::NothingOrdered, "{path} {when}");
        }
        assert_eq!((judge(&fleet, "/g1/config").await, judge(&fleet, &path("locks", 0)).await), (V::Never, V::Allowed), "{when}");
    };
    all_refused("without anything").await;
    let cleanup = cleanup(&fleet).await;
    all_refused("before the cleanup is taken").await;
    fleet.say_all(cleanup, &[S::Queued]).await;
    all_refused("before the cleanup begins").await;
    for states in [&[S::Preparing][..], &[S::InProgress]] {
        fleet.say_all(cleanup, states).await;
        assert_eq!((judge(&fleet, &old).await, judge(&fleet, &new).await), (V::Allowed, V::Never));
        assert_eq!((judge(&fleet, &path("keys", 0)).await, judge(&fleet, "/g1/config").await), (V::NothingOrdered, V::Never));
        assert_eq!((judge(&fleet, &path("index", 0)).await, judge(&fleet, &path("data", 0)).await), (V::Allowed, V::Allowed));
        assert_eq!(judge(&fleet, &path("snapshots", 9)).await, V::Never, "what no row names is never forgotten");
    }
    fleet.say_all(cleanup, &[S::Completed]).await;
    all_refused("after the cleanup").await;
}

pub(super) async fn keys_are_deleted_only_while_the_passphrase_is_being_changed(rig: Rig) {
    let (fleet, [old, _]) = filled(rig).await;
    fleet.encrypt().await;
    let guid = fleet.store().ask_agent(TENANT, fleet.agent, asked(RequestKind::ChangePassword)).await.expect("the catalog answers");
    let guid = guid.expect("it may be asked");
    let note = async |outcome| fleet.store().note_request(fleet.agent, &guid, outcome).await.expect("the catalog answers");
    assert_eq!(judge(&fleet, &path("keys", 0)).await, V::NothingOrdered, "nobody has taken it");
    note(RequestOutcome::Taken).await.expect("it is there");
    for other in [path("index", 0), path("data", 0), old] {
        assert_eq!(judge(&fleet, &other).await, V::NothingOrdered, "{other}");
    }
    assert_eq!(judge(&fleet, &path("keys", 0)).await, V::Allowed);
    let cleanup = cleanup(&fleet).await;
    fleet.say_all(cleanup, &[S::Queued, S::Preparing]).await;
    assert_eq!(judge(&fleet, &path("keys", 0)).await, V::Allowed, "a cleanup is not in its way");
    note(RequestOutcome::Succeeded).await.expect("it is there");
    assert_eq!(judge(&fleet, &path("keys", 1)).await, V::NothingOrdered);
}

pub(super) async fn a_cleanup_halts_at_half_of_the_vault_until_somebody_accepts_it(rig: Rig) {
    let (fleet, _) = filled(rig).await;
    let configuration = fleet.configure("told", Timing::Manually).await;
    fleet.change(configuration, |settings| settings.notify.recipients = "ada@example.net".to_owned()).await;
    let mails = async || fleet.ask("SELECT COUNT(*) FROM mails WHERE id > $1 AND recipient = 'ada@example.net'", 0).await;
    let accept = async || refused(&fleet.store().accept_cleanup(fleet.agent).await.expect("the catalog answers"));
    let cleanup = cleanup(&fleet).await;
    fleet.say_all(cleanup, &[S::Queued, S::Preparing, S::InProgress]).await;
    assert_eq!(accept().await, "not found");
    let is_halted = async || match fleet.wanted(cleanup).await.expect("it is wanted").job {
        Job::Cleanup { is_halted, .. } => is_halted,
        other => panic!("{other:?}"),
    };
    // Of 13 files of 1,000 bytes and two small snapshots.
    let files: Vec<String> = ["data", "index"].iter().flat_map(|folder| (0..4).map(|byte| path(folder, byte))).collect();
    for file in &files[..6] {
        assert_eq!(judge(&fleet, file).await, V::Allowed, "{file}");
        fleet.hide(fleet.agent, file).await;
    }
    assert!(!is_halted().await);
    for _ in 0..3 {
        assert_eq!(judge(&fleet, &files[6]).await, V::Halted);
    }
    assert!(is_halted().await);
    assert_eq!(mails().await, crate::store::catalog::Value::Int(1), "once");
    for round in 0..30 {
        fleet.pass(20 * super::fleet::MINUTE).await;
        fleet.hear().await;
        assert!(is_halted().await, "it waits for somebody's word, round {round}");
    }
    assert_eq!((accept().await, accept().await, is_halted().await), ("allowed", "not found", false));
    for file in &files[6..] {
        assert_eq!(judge(&fleet, file).await, V::Allowed, "{file}");
        fleet.hide(fleet.agent, file).await;
    }
    fleet.pass(super::fleet::MINUTE).await;
    fleet.report(cleanup, RunUpdate { files_done: 8, ..super::fleet::update(S::Completed) }).await.expect("it may end");
    let (run, report) = fleet.store().cleanup_report(TENANT, cleanup).await.expect("the catalog answers").expect("it is there");
    assert_eq!((run.state, report.files_done), (S::Completed, 8));
}

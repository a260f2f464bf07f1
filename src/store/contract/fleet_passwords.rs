//! Passphrases: what is asked of an agent, the generations that follow, and the bound on guessing.

use super::fleet::{Fleet, TENANT, asked, refused, update};
use super::rig::Rig;
use crate::model::instant::{HOUR_MICROS, SECOND_MICROS};
use crate::model::run::RunState as S;
use crate::model::schedule::Timing;
use crate::model::work::{RequestKind as R, RunUpdate};
use crate::store::catalog::Value;
use crate::store::fleet::requests::RequestOutcome as O;

async fn ask(fleet: &Fleet, kind: R) -> Result<String, &'static str> {
    let outcome = fleet.store().ask_agent(TENANT, fleet.agent, asked(kind)).await.expect("the catalog answers");
    let refusal = refused(&outcome);
    outcome.map_err(|_| refusal)
}

async fn note(fleet: &Fleet, guid: &str, outcome: O) -> &'static str {
    refused(&fleet.store().note_request(fleet.agent, guid, outcome).await.expect("the catalog answers"))
}

async fn open(fleet: &Fleet) -> Vec<String> {
    let wanted = fleet.store().work_of(fleet.agent).await.expect("the catalog answers");
    wanted.requests.into_iter().map(|request| request.guid).collect()
}

async fn generations(fleet: &Fleet) -> Vec<(i64, bool)> {
    let wanted = fleet.store().work_of(fleet.agent).await.expect("the catalog answers");
    wanted.vault.generations.iter().map(|generation| (generation.number, generation.is_encrypted)).collect()
}

pub(super) async fn a_newer_request_replaces_one_that_was_not_taken(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let first = ask(&fleet, R::Encrypt).await.expect("it may be asked");
    let second = ask(&fleet, R::Encrypt).await.expect("nobody has taken the first");
    assert_eq!((open(&fleet).await, note(&fleet, &first, O::Succeeded).await), (vec![second.clone()], "not found"));
    assert_eq!((note(&fleet, &second, O::Taken).await, note(&fleet, &second, O::Taken).await), ("allowed", "allowed"));
    assert_eq!(ask(&fleet, R::Encrypt).await, Err("forbidden"), "encryption is being enabled");
    assert_eq!((note(&fleet, &second, O::Failed).await, generations(&fleet).await), ("allowed", vec![(1, false)]));
    assert_eq!(note(&fleet, &second, O::Succeeded).await, "allowed");
    assert_eq!(generations(&fleet).await, [(1, false)], "what has failed does not succeed later");
    assert!(ask(&fleet, R::Encrypt).await.is_ok(), "after a failure it may be asked again");
}

pub(super) async fn encryption_begins_with_the_agents_word_and_never_ends(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", Timing::Manually).await;
    let other = fleet.register("web-b").await;
    let plain = fleet.back_up(configuration).await;
    for kind in [R::ChangePassword, R::VerifyPassword] {
        assert_eq!(ask(&fleet, kind).await, Err("forbidden"), "there is nothing to know yet");
    }
    let guid = ask(&fleet, R::Encrypt).await.expect("it may be asked");
    let stranger = fleet.store().note_request(other, &guid, O::Succeeded).await.expect("the catalog answers");
    assert_eq!(refused(&stranger), "not found");
    let is_encrypted =
        async || fleet.store().agent(TENANT, fleet.agent).await.expect("the catalog answers").expect("it is there").is_encrypted;
    assert!(!is_encrypted().await);
    for outcome in [O::Taken, O::Succeeded, O::Succeeded, O::Taken, O::Failed] {
        assert_eq!(note(&fleet, &guid, outcome).await, "allowed");
    }
    assert_eq!((is_encrypted().await, generations(&fleet).await), (true, vec![(1, false), (2, true)]));
    assert_eq!((ask(&fleet, R::Encrypt).await, open(&fleet).await), (Err("forbidden"), vec![]));
    let backup = fleet.start(configuration).await;
    fleet.say_all(backup, &[S::Queued, S::Preparing, S::InProgress]).await;
    let snapshot = Some(fleet.snapshot_in(fleet.agent, 2).await);
    fleet.report(backup, RunUpdate { snapshot, ..update(S::Completed) }).await.expect("it may end");
    for (backup, expected) in [(plain, false), (backup, true)] {
        let view = fleet.store().backup(TENANT, backup).await.expect("the catalog answers").expect("it is there");
        assert_eq!(view.is_encrypted, expected, "by the generation that holds it");
    }
    assert_eq!(fleet.store().note_generation(fleet.agent, 1).await.expect("the catalog answers"), Ok(()));
    assert_eq!(refused(&fleet.store().note_generation(fleet.agent, 3).await.expect("the catalog answers")), "not found");
}

pub(super) async fn passphrases_are_erased_with_the_end_of_their_request(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    fleet.encrypt().await;
    for outcome in [O::Succeeded, O::Failed] {
        let guid = ask(&fleet, R::ChangePassword).await.expect("it may be asked");
        note(&fleet, &guid, O::Taken).await;
        assert_eq!(ask(&fleet, R::ChangePassword).await, Err("forbidden"), "the password is being changed");
        assert_ne!(fleet.ask("SELECT guid FROM requests WHERE password IS NOT NULL AND agent = $1", fleet.agent).await, Value::Null);
        note(&fleet, &guid, outcome).await;
        let left = "SELECT guid FROM requests WHERE (password IS NOT NULL OR old_password IS NOT NULL) AND agent = $1";
        assert_eq!(fleet.ask(left, fleet.agent).await, Value::Null);
    }
}

pub(super) async fn five_wrong_passphrases_an_hour_are_enough(rig: Rig) {
    let fleet = Fleet::new(rig).await;
    let configuration = fleet.configure("www", Timing::Manually).await;
    fleet.encrypt().await;
    let backup = fleet.start(configuration).await;
    fleet.say_all(backup, &[S::Queued, S::Preparing, S::InProgress]).await;
    let snapshot = Some(fleet.snapshot_in(fleet.agent, 2).await);
    fleet.report(backup, RunUpdate { snapshot, ..update(S::Completed) }).await.expect("it may end");
    let restore = fleet.restore_of(backup).await;
    let fail = async |kind| {
        let guid = ask(&fleet, kind).await.expect("it may be asked");
        note(&fleet, &guid, O::Taken).await;
        for _ in 0..3 {
            note(&fleet, &guid, O::Failed).await;
        }
    };
    let try_restore = async |attempt, end, reason: Option<&str>| {
        assert_eq!(fleet.start_restore(restore, Some(b"canary")).await, "allowed");
        for state in [S::Queued, S::Preparing, end, end] {
            let reason = reason.map(str::to_owned);
            fleet.report(restore, RunUpdate { attempt, reason, ..update(state) }).await.expect("it is in order");
        }
    };
    for _ in 0..4 {
        fail(R::VerifyPassword).await;
    }
    try_restore(1, S::Completed, None).await;
    for kind in [R::VerifyPassword, R::ChangePassword, R::VerifyPassword] {
        fail(kind).await;
    }
    try_restore(2, S::Failed, Some("InvalidPassword")).await;
    try_restore(3, S::Failed, Some("StorageUnavailable")).await;
    fail(R::VerifyPassword).await;
    for kind in [R::VerifyPassword, R::ChangePassword] {
        assert_eq!(ask(&fleet, kind).await, Err("too often"));
    }
    assert_eq!(fleet.start_restore(restore, Some(b"canary")).await, "too often");
    assert_eq!(fleet.start_restore(restore, None).await, "allowed", "one without a passphrase guesses nothing");
    fleet.rig.pass(HOUR_MICROS - SECOND_MICROS).await;
    assert_eq!(ask(&fleet, R::VerifyPassword).await, Err("too often"));
    fleet.rig.pass(SECOND_MICROS).await;
    assert!(ask(&fleet, R::VerifyPassword).await.is_ok());
}

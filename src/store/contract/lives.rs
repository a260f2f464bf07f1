//! When files and sessions end.

use super::rig::{Rig, refusal, start};
use crate::model::instant::{DAY_MICROS, HOUR_MICROS, SECOND_MICROS};
use crate::model::retention::Retention;
use crate::store::accounts::AccountChange;
use crate::store::sessions::Session;

fn keep_days(days: i64) -> AccountChange {
    AccountChange { retention: Some(Retention::from_days(days).expect("in range")), ..AccountChange::default() }
}

pub(super) async fn a_file_ends_at_its_time_and_its_name_is_free_a_day_later(rig: Rig) {
    let file = rig.put("/a", b"bytes").await.expect("the name is free");
    assert_eq!(file.expires_at.micros_since(file.kept_from), 30 * DAY_MICROS);
    rig.pass(30 * DAY_MICROS - SECOND_MICROS).await;
    assert!(rig.find("/a").await.is_some());
    rig.pass(SECOND_MICROS).await;
    assert_eq!(rig.find("/a").await, None);
    assert!(rig.names().await.is_empty());
    assert_eq!(rig.read(&file).await.expect("a download under way goes on"), b"bytes");
    rig.pass(DAY_MICROS - SECOND_MICROS).await;
    assert_eq!(rig.expire_due().await.expect("expiry runs"), 0);
    assert_eq!(refusal(rig.put("/a", b"early").await), "name taken");
    rig.pass(SECOND_MICROS).await;
    assert_eq!(rig.expire_due().await.expect("expiry runs"), 1);
    assert!(rig.keys().is_empty());
    assert_eq!(rig.fresh_account().await.used_bytes, 0);
    assert_eq!(refusal(rig.read(&file).await), "not found");
    let ended = rig.store.ended_files(&rig.account.id).await.expect("the catalog answers");
    assert_eq!((ended[0].name.as_str(), ended[0].size_bytes, ended[0].why.as_str()), ("/a", 5, "expired"));
    rig.put("/a", b"again").await.expect("the name is free");
}

pub(super) async fn raising_lengthens_lives_and_lowering_shortens_none(rig: Rig) {
    rig.put("/old", b"bytes").await.expect("the name is free");
    let id = &rig.account.id;
    rig.store.change_account(id, keep_days(60)).await.expect("the account exists");
    rig.put("/middle", b"bytes").await.expect("the name is free");
    rig.store.change_account(id, keep_days(30)).await.expect("the account exists");
    rig.put("/new", b"bytes").await.expect("the name is free");
    rig.pass(32 * DAY_MICROS).await;
    assert_eq!(rig.names().await, ["/middle", "/old"]);
    assert_eq!(rig.expire_due().await.expect("expiry runs"), 1, "the row that was due by its old index stays");
    rig.pass(27 * DAY_MICROS).await;
    assert_eq!(rig.names().await, ["/middle", "/old"]);
    rig.pass(2 * DAY_MICROS).await;
    assert!(rig.names().await.is_empty());
    rig.pass(DAY_MICROS).await;
    assert_eq!(rig.expire_due().await.expect("expiry runs"), 2);
    assert!(rig.keys().is_empty());
}

pub(super) async fn a_clock_that_jumps_ahead_ends_nothing_until_it_is_accepted(rig: Rig) {
    let file = rig.put("/a", b"bytes").await.expect("the name is free");
    rig.clock.jump_wall(400 * DAY_MICROS);
    rig.store.tick_time().await.expect("the clocks can be read");
    assert!(rig.store.health().await.expiry_paused.is_some());
    assert_eq!(rig.expire_due().await.expect("expiry runs"), 0);
    assert_eq!(rig.find("/a").await, Some(file));
    let during = rig.put("/during", b"bytes").await.expect("uploads go on");
    assert!(during.created_at.micros_since(start()) <= 26 * HOUR_MICROS, "created in guarded time");
    assert!(during.expires_at.micros_since(start()) >= 430 * DAY_MICROS, "kept from the later of both clocks");
    rig.store.accept_clock().await.expect("the clock can be accepted");
    assert_eq!(rig.store.health().await.expiry_paused, None);
    assert_eq!(rig.expire_due().await.expect("expiry runs"), 1);
    assert_eq!(rig.names().await, ["/during"]);
    rig.clock.jump_wall(-800 * DAY_MICROS);
    let before = rig.store.now();
    rig.store.tick_time().await.expect("the clocks can be read");
    assert!(rig.store.now() >= before, "never back");
}

pub(super) async fn sessions_end_after_24_hours_and_are_remembered_for_30_days(rig: Rig) {
    let token = rig.store.make_session(&rig.account).await.expect("a session can be made");
    let state = async || match rig.store.session(&token).await.expect("the catalog answers") {
        Session::Live { account, .. } => account.id.to_string(),
        Session::Ended => "ended".to_owned(),
        Session::Unknown => "unknown".to_owned(),
    };
    rig.pass(DAY_MICROS - SECOND_MICROS).await;
    assert_eq!(state().await, rig.account.id.to_string());
    rig.pass(SECOND_MICROS).await;
    assert_eq!(state().await, "ended");
    rig.pass(30 * DAY_MICROS - SECOND_MICROS).await;
    rig.store.forget_sessions().await.expect("the catalog answers");
    assert_eq!(state().await, "ended");
    rig.pass(2 * SECOND_MICROS).await;
    assert_eq!(state().await, "unknown");
    rig.store.forget_sessions().await.expect("the catalog answers");
    assert_eq!(state().await, "unknown");
    let other = crate::model::access::Secret::random();
    assert!(matches!(rig.store.session(&other).await, Ok(Session::Unknown)));
}

pub(super) async fn rotating_disabling_and_removing_end_sessions_at_once(rig: Rig) {
    let id = &rig.account.id;
    for what in ["change", "rotate", "disable", "remove"] {
        let token = rig.store.make_session(&rig.fresh_account().await).await.expect("a session can be made");
        match what {
            "change" => drop(rig.store.change_account(id, keep_days(31)).await.expect("the account exists")),
            "rotate" => {
                let password = rig.store.rotate_account(id).await.expect("the account exists");
                assert_ne!(rig.fresh_account().await.password, rig.password.hash());
                assert_eq!(rig.fresh_account().await.password, password.hash());
            }
            "disable" => {
                rig.store.disable_account(id, "unpaid").await.expect("the account exists");
                assert_eq!(rig.fresh_account().await.disabled.as_deref(), Some("unpaid"));
            }
            _ => rig.store.remove_account(id).await.expect("the account exists"),
        }
        let live = matches!(rig.store.session(&token).await, Ok(Session::Live { .. }));
        assert_eq!(live, what == "change", "{what}");
        if what == "disable" {
            rig.store.enable_account(id).await.expect("the account exists");
            assert!(matches!(rig.store.session(&token).await, Ok(Session::Ended)), "enabling brings no session back");
        }
    }
    assert!(rig.fresh_account().await.removed_at.is_some());
    assert!(rig.store.accounts().await.expect("the catalog answers").is_empty());
}

pub(super) async fn the_101st_session_ends_the_oldest(rig: Rig) {
    let mut tokens = Vec::new();
    for _ in 0..101 {
        tokens.push(rig.store.make_session(&rig.account).await.expect("a session can be made"));
    }
    let mut live = Vec::new();
    for token in &tokens {
        live.push(matches!(rig.store.session(token).await, Ok(Session::Live { .. })));
    }
    assert!(!live[0], "the oldest has ended");
    assert_eq!(live.iter().filter(|live| **live).count(), 100);
}

/// A request that was let in with the old password and came to its session after the rotation used to get one for 24 hours.
pub(super) async fn no_session_is_made_with_a_password_that_was_rotated_meanwhile(rig: Rig) {
    let (id, let_in) = (&rig.account.id, rig.account.clone());
    rig.store.rotate_account(id).await.expect("the account exists");
    assert_eq!(refusal(rig.store.make_session(&let_in).await), "not found");
    let let_in = rig.fresh_account().await;
    rig.store.disable_account(id, "unpaid").await.expect("the account exists");
    assert_eq!(refusal(rig.store.make_session(&let_in).await), "not found");
    rig.store.enable_account(id).await.expect("the account exists");
    rig.store.make_session(&let_in).await.expect("the account is open again");
    rig.store.remove_account(id).await.expect("the account exists");
    assert_eq!(refusal(rig.store.make_session(&let_in).await), "not found");
}

pub(super) async fn a_retention_lowered_while_the_bytes_come_holds_for_them(rig: Rig) {
    let id = &rig.account.id;
    rig.store.change_account(id, keep_days(365)).await.expect("the account exists");
    let account = rig.fresh_account().await;
    let mut upload = rig.store.begin_upload(&account, &super::rig::name("/a"), 5).await.expect("the name is free");
    upload.write(bytes::Bytes::from_static(b"bytes")).await.expect("it is received");
    rig.store.change_account(id, keep_days(30)).await.expect("the account exists");
    upload.finish(Vec::new()).await.expect("it is stored");
    rig.pass(31 * DAY_MICROS).await;
    assert_eq!(rig.expire_due().await.expect("expiry runs"), 1, "the name is free a day after the end, not 335 days later");
}

pub(super) async fn a_row_stays_doomed_until_its_bytes_are_gone(rig: Rig) {
    let Some(memory) = rig.memory.clone() else { return };
    rig.put("/a", b"bytes").await.expect("the name is free");
    rig.pass(31 * DAY_MICROS).await;
    memory.fail_removals(Some(rustix::io::Errno::ROFS));
    rig.expire_due().await.expect("expiry runs");
    assert!(rig.store.ended_files(&rig.account.id).await.expect("the catalog answers").is_empty(), "its bytes are still there");
    assert_eq!(rig.keys().len(), 1);
    memory.fail_removals(None);
    assert_eq!(rig.store.remove_doomed().await.expect("removal runs"), 1);
    assert_eq!(rig.store.ended_files(&rig.account.id).await.expect("the catalog answers").len(), 1);
    assert!(rig.keys().is_empty());
}

pub(super) async fn a_disk_error_while_removing_ends_writing(rig: Rig) {
    let Some(memory) = rig.memory.clone() else { return };
    rig.put("/a", b"bytes").await.expect("the name is free");
    rig.pass(31 * DAY_MICROS).await;
    memory.fail_removals(Some(rustix::io::Errno::IO));
    assert_eq!(refusal(rig.expire_due().await), "writes suspended");
    memory.fail_removals(None);
    assert_eq!(refusal(rig.store.remove_doomed().await), "writes suspended", "what failed once is not tried again");
    assert_eq!(refusal(rig.put("/b", b"bytes").await), "writes suspended");
}

pub(super) async fn a_missing_blob_of_a_due_file_is_no_damage(rig: Rig) {
    let file = rig.put("/a", b"bytes").await.expect("the name is free");
    rig.blobs.remove(&crate::store::blobs::BlobKey::of(&file)).expect("it can be taken away");
    rig.pass(30 * DAY_MICROS).await;
    assert_eq!(refusal(rig.read(&file).await), "not found");
}

pub(super) async fn an_ended_file_is_remembered_for_400_days(rig: Rig) {
    let remembered = async || {
        rig.store.forget_ended().await.expect("the catalog answers");
        rig.store.ended_files(&rig.account.id).await.expect("the catalog answers").len()
    };
    rig.put("/a", b"bytes").await.expect("the name is free");
    rig.pass(31 * DAY_MICROS).await;
    rig.expire_due().await.expect("expiry runs");
    rig.pass(400 * DAY_MICROS - SECOND_MICROS).await;
    assert_eq!(remembered().await, 1);
    rig.pass(2 * SECOND_MICROS).await;
    assert_eq!(remembered().await, 0);
}

pub(super) async fn a_clock_of_1970_begins_at_the_release(rig: Rig) {
    rig.clock.jump_wall(-start().micros());
    let (fresh, _folder) = rig.with_empty_catalog().await;
    assert!(fresh.now() >= crate::store::time::RELEASED_AT);
}

/// The catalog of a rebuild that was cut off, or one that somebody took the time out of, used to believe the wall clock.
pub(super) async fn a_store_with_files_and_no_time_begins_at_the_newest_of_them(rig: Rig) {
    rig.put("/a", b"bytes").await.expect("the name is free");
    let forget = "DELETE FROM store WHERE key = 'guarded_time'";
    rig.store.write(move |connection| connection.execute(forget, &[]).map(drop)).await.expect("the row can be deleted");
    rig.clock.jump_wall(400 * DAY_MICROS);
    let store = rig.opened_again().await;
    assert!(store.health().await.expiry_paused.is_some());
    let (_stop, shutdown) = crate::shutdown::channel();
    assert_eq!(store.expire_due(&shutdown).await.expect("expiry runs"), 0);
    assert!(store.find(&rig.account, &super::rig::name("/a")).await.expect("the catalog answers").is_some());
}

//! Whatever reconciliation finds, it gives up no whole copy and forgets no name.

use super::rig::{Rig, name, put, start};
use crate::model::digest::Sha256Digest;
use crate::model::instant::{DAY_MICROS, HOUR_MICROS};
use crate::model::retention::Retention;
use crate::model::stored_file::BlobId;
use crate::store::accounts::AccountChange;
use crate::store::blobs::BlobKey;
use crate::store::check::CheckRequest;

fn key(rig: &Rig, path: &str, bytes: &[u8], after_micros: i64) -> BlobKey {
    BlobKey {
        account: rig.account.id.clone(),
        name: name(path),
        kept_from: start().plus_micros(after_micros),
        sha256: Sha256Digest::of(bytes),
        id: BlobId::random(),
    }
}

/// An upload whose commit failed was sent again and stored; then the second copy rotted. The first used to be deleted unread in
/// favour of it.
pub(super) async fn a_whole_copy_is_not_given_up_for_a_damaged_one(rig: Rig) {
    for path in ["/rotten", "/gone"] {
        let file = rig.put(path, b"the same bytes").await.expect("the name is free");
        if path == "/rotten" {
            rig.flip_bit(&BlobKey::of(&file));
        } else {
            rig.blobs.remove(&BlobKey::of(&file)).expect("it can be taken away");
        }
        assert_eq!(rig.store.check(&CheckRequest::default(), &mut |_| {}).await.expect("check runs").damaged.len(), 1);
        let used = rig.fresh_account().await.used_bytes;
        rig.pass(HOUR_MICROS).await;
        let twin = key(&rig, path, b"the same bytes", -HOUR_MICROS);
        rig.publish_without_row(&twin, b"the same bytes");
        let report = rig.reconcile().await;
        assert_eq!((report.adopted, report.doomed), (1, 0), "{path}");
        let found = rig.find(path).await.expect("the name stays");
        let end = twin.kept_from.plus_micros(30 * DAY_MICROS);
        assert_eq!((&found.id, found.created_at, found.expires_at), (&twin.id, file.created_at, end), "{path}");
        assert_eq!(found.damaged_at, None, "{path}: what is whole has no mark");
        assert_eq!(rig.read(&found).await.expect("it is whole"), b"the same bytes");
        assert_eq!(rig.fresh_account().await.used_bytes, used, "one file is counted");
        assert_eq!(rig.keys().contains(&BlobKey::of(&file)), path == "/rotten", "what is left of the other is kept");
    }
}

pub(super) async fn of_two_whole_copies_the_one_with_the_longer_life_is_kept(rig: Rig) {
    let file = rig.put("/a", b"the same bytes").await.expect("the name is free");
    let later = key(&rig, "/a", b"the same bytes", 10 * HOUR_MICROS);
    rig.publish_without_row(&later, b"the same bytes");
    rig.reconcile().await;
    let found = rig.find("/a").await.expect("the name stays");
    assert_eq!((&found.id, found.created_at), (&later.id, file.created_at));
    assert_eq!(found.expires_at.micros_since(file.expires_at), 10 * HOUR_MICROS);
    assert_eq!(rig.keys(), [later], "the other copy is gone");
}

/// A catalog from before a name was used again holds the name with the old file. The new one used to stay unseen for ever.
pub(super) async fn an_old_catalog_gives_back_a_name_that_was_used_again(rig: Rig) {
    rig.put("/a", b"old").await.expect("the name is free");
    let newer = key(&rig, "/a", b"newer", 20 * DAY_MICROS);
    rig.publish_without_row(&newer, b"newer");
    assert_eq!(rig.reconcile().await.quarantined, 1);
    rig.pass(31 * DAY_MICROS).await;
    assert_eq!(rig.expire_due().await.expect("expiry runs"), 1);
    assert_eq!(rig.reconcile().await.adopted, 1);
    let found = rig.find("/a").await.expect("the newer file has its name");
    assert_eq!(rig.read(&found).await.expect("it is whole"), b"newer");
}

/// One bad moment of the disk, or files that were copied back as root, used to hide a file for good.
pub(super) async fn a_blob_that_cannot_be_read_is_tried_again(rig: Rig) {
    let Some(memory) = rig.memory.clone() else { return };
    let lost = key(&rig, "/a", b"bytes", 0);
    rig.publish_without_row(&lost, b"bytes");
    memory.refuse_reading(true);
    let report = rig.reconcile().await;
    assert_eq!((report.adopted, report.quarantined), (0, 0));
    let check = rig.store.check(&CheckRequest::default(), &mut |_| {}).await.expect("check runs");
    assert_eq!(check.quarantined.len(), 1, "an operator is told");
    memory.refuse_reading(false);
    assert_eq!(rig.reconcile().await.adopted, 1);
    assert!(rig.find("/a").await.is_some());
}

/// A catalog that is lost takes with it which of two blobs of one name was acknowledged: the small copies know.
pub(super) async fn a_rebuild_never_takes_what_was_set_aside(rig: Rig) {
    let names: Vec<String> = (0..8).map(|number| format!("/{number}")).collect();
    for path in &names {
        rig.put(path, b"acknowledged").await.expect("the name is free");
        rig.publish_without_row(&key(&rig, path, b"refused", 0), b"refused");
    }
    assert_eq!(rig.reconcile().await.quarantined, 8);
    rig.store.write_control_if_stale().await.expect("the copy is written");
    let (empty, _folder) = rig.with_empty_catalog().await;
    empty.load_newer_control().await.expect("the copy loads");
    let (_stop, shutdown) = crate::shutdown::channel();
    assert_eq!(empty.reconcile(&shutdown).await.expect("reconciliation runs").adopted, 8);
    for path in &names {
        let found = empty.find(&rig.fresh_account().await, &name(path)).await.expect("the catalog answers").expect("it is back");
        assert_eq!(found.sha256, Sha256Digest::of(b"acknowledged"), "{path}");
    }
}

/// A retention that was raised on a catalog from before the newest copy used to be forgotten when that copy was loaded.
pub(super) async fn a_raise_on_an_old_catalog_outlives_the_newer_copy(rig: Rig) {
    let file = rig.put("/a", b"bytes").await.expect("the name is free");
    let (old, _folder) = rig.with_empty_catalog().await;
    old.load_newer_control().await.expect("the copy loads");
    let raised = AccountChange { retention: Some(Retention::MAX), ..AccountChange::default() };
    old.change_account(&rig.account.id, raised).await.expect("the account exists");
    for text in ["one", "two", "three"] {
        let told = AccountChange { description: Some(text.to_owned()), ..AccountChange::default() };
        rig.store.change_account(&rig.account.id, told).await.expect("the account exists");
    }
    rig.pass(DAY_MICROS).await;
    assert!(!old.load_newer_control().await.expect("the copy loads").is_empty());
    let account = old.account(&rig.account.id).await.expect("the catalog answers").expect("it is there");
    assert_eq!(account.description, "three");
    assert_eq!(account.retention.expires_at(file.created_at, file.kept_from).micros_since(file.kept_from), 365 * DAY_MICROS);
    assert_eq!(account.retention.current(), Retention::MIN, "new files follow the newer copy");
    put(&old, &account, "/b", b"goes on").await.expect("the name is free");
}

pub(super) async fn whoever_the_newer_copy_shuts_out_loses_the_sessions_of_the_old_catalog(rig: Rig) {
    let (old, _folder) = rig.with_empty_catalog().await;
    old.load_newer_control().await.expect("the copy loads");
    let token = old.make_session(&rig.account).await.expect("a session can be made");
    rig.store.rotate_account(&rig.account.id).await.expect("the account exists");
    old.load_newer_control().await.expect("the copy loads");
    assert!(matches!(old.session(&token).await, Ok(crate::store::sessions::Session::Ended)));
}

/// A copy of the newest change is kept, whatever the clock says of when it was written.
pub(super) async fn the_copies_of_the_newest_changes_are_kept(rig: Rig) {
    rig.clock.jump_wall(20 * HOUR_MICROS);
    rig.store.tick_time().await.expect("the clocks can be read");
    for number in 0..40 {
        let told = AccountChange { description: Some(number.to_string()), ..AccountChange::default() };
        rig.store.change_account(&rig.account.id, told).await.expect("the account exists");
    }
    assert_eq!(rig.blobs.list_control().expect("listed").len(), 30);
    let (empty, _folder) = rig.with_empty_catalog().await;
    empty.load_newer_control().await.expect("the copy loads");
    let account = empty.account(&rig.account.id).await.expect("the catalog answers").expect("it is back");
    assert_eq!(account.description, "39");
}

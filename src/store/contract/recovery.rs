//! What crashes, lost catalogs and damaged disks cannot take away.

use super::rig::{Rig, name, put, refusal};
use crate::model::access::AccountId;
use crate::model::digest::Sha256Digest;
use crate::model::retention::Retention;
use crate::model::stored_file::BlobId;
use crate::store::accounts::AccountChange;
use crate::store::blobs::BlobKey;
use crate::store::check::CheckRequest;

pub(super) async fn a_blob_without_a_row_is_adopted_as_it_was(rig: Rig) {
    let bytes = vec![3; 1_500_000];
    let file = rig.put("/dir/a", &bytes).await.expect("the name is free");
    let used = rig.fresh_account().await.used_bytes;
    rig.lose_row(&file).await;
    assert_eq!(rig.find("/dir/a").await, None);
    let report = rig.reconcile().await;
    assert_eq!((report.adopted, report.adopted_bytes, report.quarantined), (1, 1_500_000, 0));
    let found = rig.find("/dir/a").await.expect("it was adopted");
    assert_eq!(
        (found.size_bytes, found.sha256, &found.id, found.shown_created_at(), found.expires_at),
        (file.size_bytes, file.sha256, &file.id, file.shown_created_at(), file.expires_at)
    );
    assert!(rig.read(&found).await.expect("it can be read") == bytes);
    assert_eq!(rig.fresh_account().await.used_bytes, used * 2, "the lost row's share was never given back");
    assert_eq!(rig.reconcile().await, Default::default(), "a second pass finds nothing to do");
}

fn key(rig: &Rig, path: &str, bytes: &[u8]) -> BlobKey {
    BlobKey {
        account: rig.account.id.clone(),
        name: name(path),
        kept_from: super::rig::start(),
        sha256: Sha256Digest::of(bytes),
        id: BlobId::random(),
    }
}

pub(super) async fn second_copies_go_and_other_bytes_are_quarantined(rig: Rig) {
    let kept = rig.put("/a", b"kept").await.expect("the name is free");
    let (twin, other, wrong) = (key(&rig, "/a", b"kept"), key(&rig, "/a", b"other"), key(&rig, "/b", b"not these"));
    rig.publish_without_row(&twin, b"kept");
    rig.publish_without_row(&other, b"other");
    rig.publish_without_row(&wrong, b"but these");
    let report = rig.reconcile().await;
    assert_eq!((report.adopted, report.doomed, report.quarantined), (0, 1, 2));
    assert_eq!(rig.find("/a").await, Some(kept.clone()));
    assert_eq!(rig.names().await, ["/a"]);
    let mut left = rig.keys();
    left.sort_by_key(BlobKey::to_path);
    let mut wanted = vec![BlobKey::of(&kept), other, wrong];
    wanted.sort_by_key(BlobKey::to_path);
    assert_eq!(left, wanted, "nothing but the second copy was deleted");
    let check = rig.store.check(&CheckRequest::default(), &mut |_| {}).await.expect("check runs");
    assert_eq!((check.files, check.damaged.len(), check.quarantined.len()), (1, 0, 2));
}

pub(super) async fn blobs_of_an_unknown_account_wait_for_its_return(rig: Rig) {
    let stranger = BlobKey { account: AccountId::random(), ..key(&rig, "/a", b"bytes") };
    rig.publish_without_row(&stranger, b"bytes");
    assert_eq!(rig.reconcile().await.quarantined, 1);
    assert_eq!(rig.reconcile().await, Default::default());
    let account = crate::model::account::Account { id: stranger.account.clone(), ..rig.account.clone() };
    let known = account.clone();
    let insert = move |connection: &mut dyn crate::store::catalog::Connection| crate::store::accounts::insert_account(connection, &known);
    assert!(rig.store.write(insert).await.expect("the catalog answers"));
    assert_eq!(rig.reconcile().await.adopted, 1);
    assert!(rig.store.find(&account, &name("/a")).await.expect("the catalog answers").is_some());
}

pub(super) async fn a_row_without_its_blob_is_damaged_and_never_dropped(rig: Rig) {
    let file = rig.put("/a", b"bytes").await.expect("the name is free");
    rig.blobs.remove(&BlobKey::of(&file)).expect("it can be taken away");
    assert_eq!(rig.reconcile().await.missing, 1);
    let found = rig.find("/a").await.expect("the row stays");
    assert!(found.damaged_at.is_some());
    assert_eq!(refusal(rig.read(&found).await), "corrupt");
    assert_eq!(refusal(rig.put("/a", b"other").await), "name taken");
    let quick = CheckRequest { quick: true, ..CheckRequest::default() };
    let check = rig.store.check(&quick, &mut |_| {}).await.expect("check runs");
    assert_eq!((check.damaged.len(), check.damaged[0].name.as_str()), (1, "/a"));
}

pub(super) async fn damage_breaks_the_download_and_a_clean_check_takes_the_mark_off(rig: Rig) {
    let bytes: Vec<u8> = (0..2_200_000u32).map(|n| (n % 253) as u8).collect();
    let file = rig.put("/a", &bytes).await.expect("the name is free");
    let key = BlobKey::of(&file);
    rig.flip_bit(&key);
    assert_eq!(refusal(rig.read(&file).await), "corrupt");
    assert!(rig.find("/a").await.expect("it stays listed").damaged_at.is_some());
    assert!(rig.read_range(&file, 0..1000).await.expect("another block is whole") == bytes[..1000]);
    let check = rig.store.check(&CheckRequest::default(), &mut |_| {}).await.expect("check runs");
    assert_eq!(check.damaged.len(), 1);
    rig.flip_bit(&key);
    let check = rig.store.check(&CheckRequest::default(), &mut |_| {}).await.expect("check runs");
    assert_eq!((check.files, check.damaged.len()), (1, 0));
    let mended = rig.find("/a").await.expect("it stays listed");
    assert_eq!(mended.damaged_at, None);
    assert!(rig.read(&mended).await.expect("it can be read") == bytes);
}

pub(super) async fn an_older_catalog_takes_accounts_and_retentions_from_the_newest_copy(rig: Rig) {
    let raised = AccountChange { retention: Some(Retention::MAX), ..AccountChange::default() };
    rig.store.change_account(&rig.account.id, raised).await.expect("the account exists");
    let lowered = AccountChange { retention: Some(Retention::MIN), ..AccountChange::default() };
    let file = rig.put("/a", b"bytes").await.expect("the name is free");
    rig.store.change_account(&rig.account.id, lowered).await.expect("the account exists");
    let password = rig.store.rotate_account(&rig.account.id).await.expect("the account exists");

    let (empty, _folder) = rig.with_empty_catalog().await;
    assert!(!empty.load_newer_control().await.expect("the copy loads").is_empty());
    assert!(empty.load_newer_control().await.expect("the copy loads").is_empty(), "once is enough");
    let (_stop, shutdown) = crate::shutdown::channel();
    assert_eq!(empty.reconcile(&shutdown).await.expect("reconciliation runs").adopted, 1);
    let account = empty.account(&rig.account.id).await.expect("the catalog answers").expect("it is back");
    assert_eq!(account.password, password.hash());
    assert_eq!(account.retention.current(), Retention::MIN);
    let found = empty.find(&account, &name("/a")).await.expect("the catalog answers").expect("it is back");
    assert_eq!((found.expires_at, found.shown_created_at()), (file.expires_at, file.shown_created_at()));
    put(&empty, &account, "/b", b"goes on").await.expect("the name is free");
}

//! What an upload promises.

use bytes::Bytes;

use super::rig::{Rig, name, put, refusal};
use crate::model::digest::Sha256Digest;
use crate::store::accounts::AccountChange;
use crate::store::blobs::memory::When;

/// Odd bytes over more than two blocks.
fn long_bytes() -> Vec<u8> {
    (0..2_300_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

pub(super) async fn a_stored_file_reads_back_whole_and_in_ranges(rig: Rig) {
    for (path, bytes) in [("/empty", Vec::new()), ("/one", vec![7]), ("/deep/er/long", long_bytes())] {
        let stored = rig.put(path, &bytes).await.expect("the name is free");
        let found = rig.find(path).await.expect("it is there");
        assert_eq!(found, stored);
        assert_eq!((found.size_bytes, found.sha256), (bytes.len() as u64, Sha256Digest::of(&bytes)));
        assert_eq!(found.shown_created_at(), found.kept_from);
        assert!(rig.read(&found).await.expect("it can be read") == bytes, "{path}");
    }
    let (long, bytes) = (rig.find("/deep/er/long").await.expect("it is there"), long_bytes());
    for range in [0..1, 1_048_575..1_048_577, 1_000_000..2_200_000, 2_299_999..2_300_000, 5..5] {
        let part = rig.read_range(&long, range.clone()).await.expect("it can be read");
        let wanted = usize::try_from(range.start).expect("small")..usize::try_from(range.end).expect("small");
        assert!(part == bytes[wanted], "{range:?}");
    }
    assert_eq!(rig.names().await, ["/deep/er/long", "/empty", "/one"]);
    let overhead = 4096 * (1 + 1 + 3);
    assert_eq!(rig.fresh_account().await.used_bytes, 2_300_001 + overhead);
}

pub(super) async fn a_second_put_of_a_name_is_refused_and_leaves_nothing(rig: Rig) {
    let first = rig.put("/a", b"first").await.expect("the name is free");
    let mut late = rig.store.begin_upload(&rig.account, &name("/b"), 4).await.expect("the name is free");
    late.write(Bytes::from_static(b"late")).await.expect("it is received");
    rig.put("/b", b"winner").await.expect("nobody has committed the name yet");
    assert_eq!(refusal(rig.put("/a", b"second").await), "name taken");
    assert_eq!(refusal(late.finish(Vec::new()).await), "name taken");
    rig.store.settled().await;
    assert_eq!(rig.find("/a").await, Some(first.clone()));
    assert_eq!(rig.read(&first).await.expect("it can be read"), b"first");
    assert_eq!(rig.keys().len(), 2, "the loser's blob is gone");
    assert_eq!(rig.fresh_account().await.used_bytes, 5 + 6 + 2 * 4096);
    assert!(rig.store.ended_files(&rig.account.id).await.expect("the catalog answers").is_empty());
}

pub(super) async fn of_many_uploads_of_one_name_exactly_one_wins(rig: Rig) {
    for round in 0..3 {
        let path = format!("/round/{round}");
        let tasks: Vec<_> = (0..24)
            .map(|n| {
                let (store, account, path) = (rig.store.clone(), rig.account.clone(), path.clone());
                tokio::spawn(async move { put(&store, &account, &path, format!("writer {n}").as_bytes()).await })
            })
            .collect();
        let mut winners = Vec::new();
        for task in tasks {
            match task.await.expect("no writer panics") {
                Ok(file) => winners.push(file),
                outcome => assert_eq!(refusal(outcome), "name taken"),
            }
        }
        assert_eq!(winners.len(), 1);
        assert_eq!(rig.find(&path).await.as_ref(), winners.first());
    }
    rig.store.settled().await;
    assert_eq!(rig.keys().len(), 3);
}

pub(super) async fn an_upload_in_flight_is_unseen_and_dropping_it_frees_its_space(rig: Rig) {
    let mut upload = rig.store.begin_upload(&rig.account, &name("/a"), 3_000_000).await.expect("the name is free");
    upload.write(Bytes::from(vec![1; 2_000_000])).await.expect("it is received");
    assert_eq!(rig.find("/a").await, None);
    assert!(rig.names().await.is_empty());
    assert!(rig.keys().is_empty());
    drop(upload);
    rig.store.settled().await;
    rig.put("/a", b"another").await.expect("the name stayed free");
}

pub(super) async fn wrong_sizes_and_digests_store_nothing(rig: Rig) {
    let begin = async || rig.store.begin_upload(&rig.account, &name("/a"), 5).await;
    let mut short = begin().await.expect("the name is free");
    short.write(Bytes::from_static(b"four")).await.expect("it is received");
    assert_eq!(refusal(short.finish(Vec::new()).await), "wrong size");
    let mut long = begin().await.expect("the name is free");
    assert_eq!(refusal(long.write(Bytes::from_static(b"six six")).await), "wrong size");
    let mut other = begin().await.expect("the name is free");
    other.write(Bytes::from_static(b"five!")).await.expect("it is received");
    let (right, wrong) = (Sha256Digest::of(b"five!"), Sha256Digest::of(b"other"));
    assert_eq!(refusal(other.finish(vec![right, wrong]).await), "digest mismatch");
    assert_eq!(rig.find("/a").await, None);
    assert!(rig.keys().is_empty());
    assert_eq!(rig.fresh_account().await.used_bytes, 0);
    let mut good = begin().await.expect("the name is free");
    good.write(Bytes::from_static(b"five!")).await.expect("it is received");
    good.finish(vec![right]).await.expect("the digest matches");
}

pub(super) async fn the_quota_counts_what_is_promised_and_judges_again_in_the_commit(rig: Rig) {
    let quota = AccountChange { quota_bytes: Some(Some(10_000)), ..AccountChange::default() };
    rig.store.change_account(&rig.account.id, quota).await.expect("the account exists");
    assert_eq!(refusal(rig.put("/big", &[0; 6_000]).await), "over quota");
    let mut first = rig.store.begin_upload(&rig.account, &name("/first"), 3_000).await.expect("there is room");
    assert_eq!(refusal(rig.put("/second", b"no room beside the first").await), "over quota");
    first.write(Bytes::from(vec![0; 3_000])).await.expect("it is received");
    let less = AccountChange { quota_bytes: Some(Some(5_000)), ..AccountChange::default() };
    rig.store.change_account(&rig.account.id, less).await.expect("the account exists");
    assert_eq!(refusal(first.finish(Vec::new()).await), "over quota");
    rig.store.settled().await;
    assert!(rig.keys().is_empty());
    assert_eq!(rig.fresh_account().await.used_bytes, 0);
    rig.put("/small", b"fits").await.expect("4,100 bytes are left");
}

pub(super) async fn a_commit_goes_on_when_its_caller_has_gone(rig: Rig) {
    let mut upload = rig.store.begin_upload(&rig.account, &name("/a"), 4).await.expect("the name is free");
    upload.write(Bytes::from_static(b"kept")).await.expect("it is received");
    let mut finish = Box::pin(upload.finish(Vec::new()));
    let first_poll = std::future::poll_fn(|context| std::task::Poll::Ready(finish.as_mut().poll(context).is_pending())).await;
    assert!(first_poll, "the commit has only begun");
    drop(finish);
    rig.store.settled().await;
    let found = rig.find("/a").await.expect("it was committed all the same");
    assert_eq!(rig.read(&found).await.expect("it can be read"), b"kept");
}

pub(super) async fn disabling_the_account_breaks_an_upload(rig: Rig) {
    let mut upload = rig.store.begin_upload(&rig.account, &name("/a"), 4).await.expect("the name is free");
    upload.write(Bytes::from_static(b"late")).await.expect("it is received");
    let mut endless = rig.store.begin_upload(&rig.account, &name("/endless"), u64::from(u32::MAX)).await.expect("the name is free");
    rig.store.disable_account(&rig.account.id, "unpaid").await.expect("the account exists");
    assert_eq!(refusal(upload.finish(Vec::new()).await), "account closed");
    let broken = loop {
        let outcome = endless.write(Bytes::from_static(b"x")).await;
        if outcome.is_err() {
            break outcome;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(refusal(broken), "account closed");
    drop(endless);
    assert_eq!(refusal(rig.put("/b", b"new").await), "account closed");
    rig.store.enable_account(&rig.account.id).await.expect("the account exists");
    rig.store.settled().await;
    assert!(rig.keys().is_empty());
    rig.put("/a", b"again").await.expect("the name is free");
}

pub(super) async fn a_disk_error_ends_writing_and_leaves_reading(rig: Rig) {
    let Some(memory) = rig.memory.clone() else { return };
    let kept = rig.put("/kept", b"before").await.expect("the name is free");
    memory.fail_next_publish(When::AfterBlob);
    assert_eq!(refusal(rig.put("/lost", b"bytes").await), "writes suspended");
    assert_eq!(refusal(rig.put("/later", b"bytes").await), "writes suspended");
    assert!(rig.store.health().await.writes_suspended.is_some());
    assert_eq!(rig.read(&kept).await.expect("reading goes on"), b"before");
    assert_eq!(rig.find("/lost").await, None);
}

pub(super) async fn creation_rises_while_the_clock_stands(rig: Rig) {
    let mut last = None;
    for number in 0..20 {
        let file = rig.put(&format!("/{number}"), b"bytes").await.expect("the name is free");
        assert!(Some(file.created_at) > last, "each change has an instant of its own");
        last = Some(file.created_at);
    }
}

/// Whoever hears that a commit failed must not hear that nothing was stored: the blob is whole and comes back.
pub(super) async fn a_failed_commit_leaves_its_blob_for_adoption(rig: Rig) {
    let rename = |from: &str, to: &str| {
        let statement = format!("ALTER TABLE {from} RENAME TO {to}");
        rig.store.write(move |connection| connection.execute(&statement, &[]).map(drop))
    };
    rename("block_sums", "taken_away").await.expect("the table is renamed");
    assert_eq!(refusal(rig.put("/a", b"bytes").await), "not entered");
    rename("taken_away", "block_sums").await.expect("the table is renamed");
    assert_eq!(rig.find("/a").await, None);
    assert_eq!(rig.keys().len(), 1);
    assert_eq!(rig.reconcile().await.adopted, 1);
    let found = rig.find("/a").await.expect("it was adopted");
    assert_eq!(rig.read(&found).await.expect("it is whole"), b"bytes");
}

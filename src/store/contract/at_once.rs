//! Many at once: writers of one name over two servers (D18), and uploads beside a reconciliation that never rests (D22).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tokio::sync::Barrier;

use super::rig::{BlobsKind, CatalogKind, Rig, is_nightly, name, put, refusal};
use crate::figure::figure;
use crate::store::Store;
use crate::store::check::CheckRequest;

const WRITERS: usize = 64;

/// One upload that is admitted, waits for all others, and then ends. What it sent, where it won.
async fn race(store: Store, rig: Arc<Rig>, path: String, writer: usize, start: Arc<Barrier>) -> Option<String> {
    let text = format!("{path} by {writer}");
    let upload = store.begin_upload(&rig.account, &name(&path), text.len() as u64).await;
    start.wait().await;
    let mut upload = upload.expect("nobody has committed the name yet");
    upload.write(Bytes::from(text.clone())).await.expect("it is received");
    match upload.finish(Vec::new()).await {
        Ok(_) => Some(text),
        outcome => {
            assert_eq!(refusal(outcome), "name taken");
            None
        }
    }
}

async fn two_servers_have_one_winner(blobs: BlobsKind, part: &str) {
    let Some(rig) = Rig::new(blobs, CatalogKind::Postgres).await else { return };
    let other = rig.second_store().await;
    let rig = Arc::new(rig);
    let rounds = if is_nightly() { 500 } else { 50 };
    for round in 0..rounds {
        let (path, start) = (format!("/round/{round}"), Arc::new(Barrier::new(WRITERS)));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let store = if writer % 2 == 0 { rig.store.clone() } else { other.clone() };
                tokio::spawn(race(store, Arc::clone(&rig), path.clone(), writer, Arc::clone(&start)))
            })
            .collect();
        let mut winners = Vec::new();
        for writer in writers {
            winners.extend(writer.await.expect("no writer panics"));
        }
        assert_eq!(winners.len(), 1, "round {round}");
        let found = rig.find(&path).await.expect("the winner's file is there");
        assert_eq!(rig.read(&found).await.expect("it can be read"), winners[0].as_bytes());
    }
    rig.store.settled().await;
    other.settled().await;
    let report = rig.reconcile().await;
    assert_eq!((report.missing, report.adopted, report.quarantined), (0, 0, 0), "{report:?}");
    assert_eq!(rig.keys().len(), rounds, "blobs = rows");
    let text = format!("{rounds} rounds of {WRITERS} writers: one winner each, the others refused, blobs = rows");
    figure("D18", &format!("two servers, PostgreSQL, {part}"), &text, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_writers_over_two_servers_exactly_one_wins_in_memory() {
    two_servers_have_one_winner(BlobsKind::Memory, "memory").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_writers_over_two_servers_exactly_one_wins_on_disk() {
    two_servers_have_one_winner(BlobsKind::Disk, "disk").await;
}

/// Uploads `count` files, some of them by two at once, while reconciliation runs over and over.
async fn reconciliation_disturbs_no_upload(blobs: BlobsKind, catalog: CatalogKind, count: usize) {
    let Some(rig) = Rig::new(blobs, catalog).await else { return };
    let (rig, is_over) = (Arc::new(rig), Arc::new(AtomicBool::new(false)));
    let (reconciling, over) = (Arc::clone(&rig), Arc::clone(&is_over));
    let reconciler = tokio::spawn(async move {
        let mut runs = 0;
        while !over.load(Ordering::Relaxed) {
            assert_eq!(reconciling.reconcile().await.missing, 0, "a row without its blob");
            runs += 1;
        }
        runs
    });
    let uploaders: Vec<_> = (0..16)
        .map(|uploader| {
            let rig = Arc::clone(&rig);
            tokio::spawn(async move {
                for number in (uploader..count).step_by(16) {
                    let path = format!("/{}/{number}", number % 50);
                    put(&rig.store, &rig.account, &path, path.as_bytes()).await.expect("the name is free");
                }
            })
        })
        .collect();
    for uploader in uploaders {
        uploader.await.expect("no upload fails");
    }
    is_over.store(true, Ordering::Relaxed);
    let runs = reconciler.await.expect("every reconciliation ends well");
    rig.store.settled().await;
    let check = rig.store.check(&CheckRequest::default(), &mut |_| {}).await.expect("check runs");
    assert_eq!((check.files, check.damaged.len(), check.quarantined.len()), (count as u64, 0, 0));
    assert_eq!(rig.keys().len(), count);
    let text = format!("{count} uploads beside {runs} reconciliations: 0 rows without blob, 0 blobs without row");
    figure("D22", &format!("stress, {blobs:?}, {catalog:?}"), &text, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reconciliation_in_a_tight_loop_disturbs_no_upload_in_memory_with_sqlite() {
    reconciliation_disturbs_no_upload(BlobsKind::Memory, CatalogKind::Sqlite, 10_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reconciliation_in_a_tight_loop_disturbs_no_upload_on_disk_with_postgresql() {
    reconciliation_disturbs_no_upload(BlobsKind::Disk, CatalogKind::Postgres, if is_nightly() { 10_000 } else { 1_000 }).await;
}

//! The scrub finds what has rotted, in its turn, and takes nothing back that was seen later.

use super::rig::Rig;
use crate::model::instant::DAY_MICROS;
use crate::model::retention::Retention;
use crate::store::accounts::AccountChange;
use crate::store::blobs::BlobKey;

async fn scrub(rig: &Rig) -> u64 {
    let (_stop, shutdown) = crate::shutdown::channel();
    rig.store.scrub_due(&shutdown).await.expect("the scrub runs")
}

async fn damaged(rig: &Rig, path: &str) -> bool {
    rig.find(path).await.expect("it is listed").damaged_at.is_some()
}

pub(super) async fn scrub_reads_what_is_due_marks_damage_and_takes_the_mark_off(rig: Rig) {
    let long = AccountChange { retention: Some(Retention::MAX), ..AccountChange::default() };
    rig.store.change_account(&rig.account.id, long).await.expect("the account exists");
    let file = rig.put("/a", b"bytes that rot").await.expect("the name is free");
    rig.put("/b", b"good bytes").await.expect("the name is free");
    assert_eq!(scrub(&rig).await, 0, "a new file was checked when it was stored");
    rig.pass(31 * DAY_MICROS).await;
    rig.flip_bit(&BlobKey::of(&file));
    assert_eq!((scrub(&rig).await, damaged(&rig, "/a").await, damaged(&rig, "/b").await), (2, true, false));
    assert_eq!(scrub(&rig).await, 0, "each file once in its time");
    rig.flip_bit(&BlobKey::of(&file));
    rig.pass(31 * DAY_MICROS).await;
    assert_eq!((scrub(&rig).await, damaged(&rig, "/a").await), (2, false));
}

/// A check of many files writes what it read at its end; damage that a download met meanwhile used to be forgotten.
pub(super) async fn a_mark_that_is_younger_than_the_reading_stays(rig: Rig) {
    let file = rig.put("/a", b"bytes").await.expect("the name is free");
    let began = rig.store.now();
    rig.pass(1_000).await;
    rig.store.mark_damaged(&file.id).await.expect("the catalog answers");
    rig.store.mark_whole(vec![(file.id.clone(), began)]).await.expect("the catalog answers");
    assert!(damaged(&rig, "/a").await);
    rig.pass(1_000).await;
    rig.store.mark_whole(vec![(file.id, rig.store.now())]).await.expect("the catalog answers");
    assert!(!damaged(&rig, "/a").await);
}

/// A disk that cannot be read just now used to be asked again at once, for ever.
pub(super) async fn a_scrub_ends_where_files_cannot_be_told_now(rig: Rig) {
    let Some(memory) = rig.memory.clone() else { return };
    let long = AccountChange { retention: Some(Retention::MAX), ..AccountChange::default() };
    rig.store.change_account(&rig.account.id, long).await.expect("the account exists");
    rig.put("/a", b"bytes").await.expect("the name is free");
    rig.pass(31 * DAY_MICROS).await;
    memory.be_away(true);
    assert_eq!((scrub(&rig).await, damaged(&rig, "/a").await), (0, false));
    memory.be_away(false);
    assert_eq!(scrub(&rig).await, 1);
}

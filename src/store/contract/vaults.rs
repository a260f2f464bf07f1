//! What a vault's client deletes, and how the vault as it was is had back.

use super::rig::{Rig, name, refusal};
use crate::model::digest::Sha256Digest;
use crate::model::instant::{DAY_MICROS, Instant, SECOND_MICROS};
use crate::model::retention::Retention;
use crate::model::stored_file::StoredFile;
use crate::model::view::View;
use crate::store::accounts::AccountChange;
use crate::store::blobs::BlobKey;
use crate::store::revive::Revival;

impl Rig {
    /// A second passes, so that the instant before it can be looked at.
    async fn later(&self) -> Instant {
        let before = self.store.now();
        self.pass(SECOND_MICROS).await;
        before.plus_micros(SECOND_MICROS / 2)
    }

    async fn hide(&self, path: &str) -> bool {
        self.store.hide(&self.fresh_account().await, &name(path)).await.expect("the catalog answers")
    }

    async fn seen(&self, at: Instant, path: &str) -> Option<StoredFile> {
        self.store.find_in(&self.fresh_account().await, View::At(at), &name(path)).await.expect("the catalog answers")
    }

    async fn listed(&self, view: View, folder: &str) -> Vec<String> {
        let page = self.store.list_folder(&self.fresh_account().await, view, folder, None).await.expect("the catalog answers");
        page.entries.into_iter().map(|(last, _)| last).collect()
    }

    async fn can_be_viewed(&self, at: Instant) -> bool {
        self.store.check_view(&self.fresh_account().await, View::At(at)).is_ok()
    }
}

pub(super) async fn a_hidden_file_is_gone_for_clients_and_there_in_views(mut rig: Rig) {
    rig.take_vault().await;
    let first = rig.put("/keys/a", b"first").await.expect("the name is free");
    rig.put("/keys/b", b"stays").await.expect("the name is free");
    rig.put("/data/a", b"other folder").await.expect("the name is free");
    let both = rig.later().await;
    let used = rig.fresh_account().await.used_bytes;
    assert!(rig.hide("/keys/a").await);
    assert!(!rig.hide("/keys/a").await, "it is hidden already");
    assert!(!rig.hide("/keys/none").await);
    assert_eq!((rig.find("/keys/a").await, rig.fresh_account().await.used_bytes), (None, used), "hidden bytes count");
    assert_eq!(rig.names().await, ["/data/a", "/keys/b"]);
    let hidden = rig.later().await;
    let second = rig.put("/keys/a", b"second").await.expect("the name of a hidden file is free");
    let again = rig.later().await;
    rig.hide("/keys/a").await;
    let none = rig.later().await;
    for (at, expected) in [(both, Some(&first)), (hidden, None), (again, Some(&second)), (none, None)] {
        assert_eq!(rig.seen(at, "/keys/a").await.map(|file| file.id), expected.map(|file| file.id.clone()), "{at:?}");
    }
    let seen = rig.seen(both, "/keys/a").await.expect("it was there");
    assert_eq!(rig.read(&seen).await.expect("its bytes are kept"), b"first");
    assert_eq!(rig.listed(View::At(both), "/keys/").await, ["a", "b"], "oldest first");
    assert_eq!(rig.listed(View::At(hidden), "/keys/").await, ["b"]);
    assert_eq!(rig.listed(View::At(again), "/keys/").await, ["b", "a"]);
    assert_eq!(rig.listed(View::Now, "/keys/").await, ["b"]);
    assert_eq!(rig.listed(View::Now, "/index/").await, Vec::<String>::new());
}

/// To the microsecond: from its creation on, and until just before its deletion; the same of a return.
pub(super) async fn a_view_begins_with_creation_and_ends_before_the_deletion(mut rig: Rig) {
    rig.take_vault().await;
    let created_at = rig.put("/data/a", b"bytes").await.expect("the name is free").created_at;
    let before = rig.later().await;
    rig.hide("/data/a").await;
    let (hidden_at, _) = (rig.store.now(), rig.later().await);
    rig.store.revive(&rig.fresh_account().await, before).await.expect("it can be revived");
    let (back_at, _) = (rig.store.now(), rig.later().await);
    for (at, is_seen) in [(created_at, true), (hidden_at, false), (back_at, true)] {
        assert_eq!(rig.seen(at, "/data/a").await.is_some(), is_seen, "{at:?}");
        assert_eq!(rig.seen(at.plus_micros(-1), "/data/a").await.is_some(), !is_seen, "just before {at:?}");
    }
    rig.hide("/data/a").await;
    let (hidden_at, _) = (rig.store.now(), rig.later().await);
    assert!(rig.seen(hidden_at, "/data/a").await.is_none() && rig.seen(hidden_at.plus_micros(-1), "/data/a").await.is_some());
}

pub(super) async fn a_view_is_neither_of_the_future_nor_older_than_the_retention(mut rig: Rig) {
    rig.take_vault().await;
    let now = rig.later().await;
    assert!(rig.can_be_viewed(now).await);
    assert!(!rig.can_be_viewed(rig.store.now()).await, "the instant that is running may still change");
    assert!(!rig.can_be_viewed(rig.store.now().plus_micros(SECOND_MICROS)).await);
    rig.pass(29 * DAY_MICROS).await;
    assert!(rig.can_be_viewed(now).await);
    rig.pass(DAY_MICROS).await;
    assert!(!rig.can_be_viewed(now).await);
}

/// Bytes outlive the last view that shows them by two days.
pub(super) async fn hidden_bytes_go_by_the_retention_and_two_days_later(mut rig: Rig) {
    rig.take_vault().await;
    rig.put("/data/a", b"bytes").await.expect("the name is free");
    rig.put("/data/kept", b"kept").await.expect("the name is free");
    let used = rig.fresh_account().await.used_bytes;
    rig.pass(100 * DAY_MICROS).await;
    assert_eq!(rig.expire_due().await.expect("expiry runs"), 0, "what is live has no end");
    rig.hide("/data/a").await;
    rig.pass(32 * DAY_MICROS - 1).await;
    assert_eq!((rig.expire_due().await.expect("expiry runs"), rig.keys().len()), (0, 2));
    rig.pass(SECOND_MICROS).await;
    assert_eq!((rig.expire_due().await.expect("expiry runs"), rig.keys().len()), (1, 1));
    assert_eq!(rig.fresh_account().await.used_bytes, used - 5 - 2 * 4096);
    let ended = rig.store.ended_files(&rig.account.id).await.expect("the catalog answers");
    assert_eq!((ended[0].name.as_str(), ended[0].why.as_str()), ("/data/a", "hidden"));
    rig.pass(400 * DAY_MICROS).await;
    assert_eq!(rig.expire_due().await.expect("expiry runs"), 0);
    assert!(rig.find("/data/kept").await.is_some());
}

pub(super) async fn raising_the_retention_holds_for_what_is_hidden(mut rig: Rig) {
    rig.take_vault().await;
    let keep = |days| AccountChange { retention: Some(Retention::from_days(days).expect("in range")), ..AccountChange::default() };
    rig.put("/data/a", b"bytes").await.expect("the name is free");
    let before = rig.later().await;
    rig.hide("/data/a").await;
    rig.pass(20 * DAY_MICROS).await;
    rig.store.change_account(&rig.account.id, keep(60)).await.expect("the account exists");
    rig.store.change_account(&rig.account.id, keep(30)).await.expect("the account exists");
    rig.pass(40 * DAY_MICROS - 2 * SECOND_MICROS).await;
    assert_eq!(rig.expire_due().await.expect("expiry runs"), 0, "lowering does not take back what raising promised");
    assert!(rig.can_be_viewed(before).await);
    assert!(rig.seen(before, "/data/a").await.is_some());
    rig.pass(2 * DAY_MICROS + 2 * SECOND_MICROS).await;
    assert_eq!((rig.expire_due().await.expect("expiry runs"), rig.keys().len()), (1, 0));
}

/// A clock that runs away ends no hidden bytes either.
pub(super) async fn a_clock_that_jumps_ahead_takes_nothing_hidden(mut rig: Rig) {
    rig.take_vault().await;
    rig.put("/data/a", b"bytes").await.expect("the name is free");
    rig.hide("/data/a").await;
    rig.clock.jump_wall(400 * DAY_MICROS);
    rig.store.tick_time().await.expect("the clocks can be read");
    assert_eq!((rig.expire_due().await.expect("expiry runs"), rig.keys().len()), (0, 1));
}

pub(super) async fn a_revival_makes_exactly_that_state_live_and_can_be_undone(mut rig: Rig) {
    rig.take_vault().await;
    for path in ["/data/a", "/data/b", "/keys/a"] {
        rig.put(path, path.as_bytes()).await.expect("the name is free");
    }
    let whole = rig.later().await;
    rig.hide("/data/a").await;
    rig.hide("/keys/a").await;
    rig.put("/index/garbage", b"garbage").await.expect("the name is free");
    rig.put("/keys/a", b"another key of this name").await.expect("the name is free");
    let attacked = rig.later().await;
    let account = rig.fresh_account().await;
    let used = account.used_bytes;
    let revival = rig.store.revive(&account, whole).await.expect("it can be revived");
    assert_eq!(revival, Revival { brought_back: 2, hidden: 2 });
    assert_eq!(rig.names().await, ["/data/a", "/data/b", "/keys/a"]);
    let key = rig.find("/keys/a").await.expect("it is back");
    assert_eq!(rig.read(&key).await.expect("it is readable"), b"/keys/a");
    let revived = rig.later().await;
    assert_eq!(rig.store.revive(&rig.fresh_account().await, revived).await.expect("it can be revived"), Revival::default());
    let undone = rig.store.revive(&rig.fresh_account().await, attacked).await.expect("it can be revived");
    assert_eq!(undone, Revival { brought_back: 2, hidden: 2 });
    assert_eq!(rig.names().await, ["/data/b", "/index/garbage", "/keys/a"]);
    let key = rig.find("/keys/a").await.expect("it is there");
    assert_eq!(rig.read(&key).await.expect("it is readable"), b"another key of this name");
    assert_eq!(rig.listed(View::At(revived), "/data/").await, ["a", "b"], "the time between keeps its own view");
    assert_eq!(rig.fresh_account().await.used_bytes, used);
    assert_eq!(refusal(rig.store.revive(&rig.fresh_account().await, rig.store.now()).await), "not found");
}

pub(super) async fn hides_are_listed_in_bursts(mut rig: Rig) {
    rig.take_vault().await;
    for path in ["/data/a", "/data/b", "/data/c"] {
        rig.put(path, b"bytes").await.expect("the name is free");
    }
    rig.later().await;
    rig.hide("/data/a").await;
    rig.pass(59 * SECOND_MICROS).await;
    rig.hide("/data/b").await;
    rig.pass(60 * SECOND_MICROS).await;
    rig.hide("/data/c").await;
    let bursts = rig.store.bursts(&rig.fresh_account().await).await.expect("the catalog answers");
    assert_eq!(bursts.iter().map(|burst| (burst.files, burst.bytes)).collect::<Vec<_>>(), [(1, 5), (2, 10)]);
    assert_eq!(rig.listed(View::At(bursts[1].before()), "/data/").await, ["a", "b", "c"]);
    assert_eq!(rig.listed(View::At(bursts[0].before()), "/data/").await, ["c"]);
    rig.pass(31 * DAY_MICROS).await;
    assert!(rig.store.bursts(&rig.fresh_account().await).await.expect("the catalog answers").is_empty(), "nobody can look behind them");
}

pub(super) async fn the_same_bytes_take_the_place_of_a_damaged_file(mut rig: Rig) {
    rig.take_vault().await;
    let file = rig.put("/data/a", b"bytes").await.expect("the name is free");
    let before = rig.later().await;
    assert_eq!(refusal(rig.put("/data/a", b"bytes").await), "name taken", "it is whole");
    rig.flip_bit(&BlobKey::of(&file));
    rig.store.mark_damaged(&file.id).await.expect("the catalog answers");
    assert_eq!(refusal(rig.put("/data/a", b"other").await), "name taken");
    let used = rig.fresh_account().await.used_bytes;
    let whole = rig.put("/data/a", b"bytes").await.expect("it takes the damaged one's place");
    assert_eq!((whole.created_at, whole.damaged_at, rig.fresh_account().await.used_bytes), (file.created_at, None, used));
    let seen = rig.seen(before, "/data/a").await.expect("it was there");
    assert_eq!(rig.read(&seen).await.expect("the new bytes are read"), b"bytes");
    rig.store.settled().await;
    assert_eq!(rig.keys().len(), 2, "what is left of the damaged one is kept");
}

pub(super) async fn an_upload_of_unknown_length_is_bounded(mut rig: Rig) {
    rig.take_vault().await;
    let quota = AccountChange { quota_bytes: Some(Some(40 << 20)), ..AccountChange::default() };
    rig.store.change_account(&rig.account.id, quota).await.expect("the account exists");
    let begin = async |path, most| {
        let visit = rig.store.visit(&rig.account.id, crate::store::visit::Asked::Row(name(path)), |_| true).await;
        rig.store.begin_unsized(visit.expect("the catalog answers").expect("the account exists"), &name(path), most).await
    };
    let bytes = bytes::Bytes::from(vec![7; 1 << 20]);
    let mut upload = begin("/data/a", 18 << 20).await.expect("there is room");
    for _ in 0..18 {
        upload.write(bytes.clone()).await.expect("there is room");
    }
    let file = upload.finish(vec![Sha256Digest::of(&vec![7; 18 << 20])]).await.expect("it is stored");
    assert_eq!(file.size_bytes, 18 << 20);
    let mut upload = begin("/data/b", 1 << 20).await.expect("there is room");
    upload.write(bytes.clone()).await.expect("there is room");
    assert_eq!(refusal(upload.write(bytes.slice(..1)).await), "wrong size");
    drop(upload);
    let mut upload = begin("/data/c", 64 << 20).await.expect("there is room");
    for _ in 0..16 {
        upload.write(bytes.clone()).await.expect("there is room");
    }
    assert_eq!(refusal(upload.write(bytes).await), "over quota", "the next step would not fit");
    drop(upload);
    let empty = begin("/data/empty", 5).await.expect("there is room").finish(Vec::new()).await.expect("nothing is a file, too");
    assert_eq!(empty.size_bytes, 0);
}

/// Without an end of its own a vault's file would stay for ever in an account that nobody can open.
pub(super) async fn files_of_a_vault_that_is_removed_are_hidden(mut rig: Rig) {
    rig.take_vault().await;
    rig.put("/data/a", b"bytes").await.expect("the name is free");
    rig.store.remove_account(&rig.account.id).await.expect("the account exists");
    let holdings = rig.store.holdings(&rig.account.id).await.expect("the catalog answers");
    assert_eq!((holdings.live_files, holdings.hidden_files), (0, 1));
    rig.pass(32 * DAY_MICROS + SECOND_MICROS).await;
    assert_eq!((rig.expire_due().await.expect("expiry runs"), rig.keys().len()), (1, 0));
}

pub(super) async fn hidden_bytes_are_scrubbed(mut rig: Rig) {
    rig.take_vault().await;
    let long = AccountChange { retention: Some(Retention::MAX), ..AccountChange::default() };
    rig.store.change_account(&rig.account.id, long).await.expect("the account exists");
    let file = rig.put("/data/a", b"bytes that rot").await.expect("the name is free");
    let before = rig.later().await;
    rig.hide("/data/a").await;
    rig.flip_bit(&BlobKey::of(&file));
    rig.pass(31 * DAY_MICROS).await;
    let (_stop, shutdown) = crate::shutdown::channel();
    assert_eq!(rig.store.scrub_due(&shutdown).await.expect("the scrub runs"), 1);
    assert!(rig.seen(before, "/data/a").await.expect("it is kept").damaged_at.is_some());
    assert_eq!(rig.store.scrub_due(&shutdown).await.expect("the scrub runs"), 0, "once in its time");
}

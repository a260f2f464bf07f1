//! What the small copies tell of hides: nothing comes back by a lost or an older catalog that a client has deleted.

use super::rig::{Rig, name, put};
use crate::model::instant::SECOND_MICROS;
use crate::model::view::View;
use crate::store::Store;

async fn caught_up(store: &Store) -> u64 {
    store.load_newer_control().await.expect("the copies load");
    let changed = store.load_newer_hides().await.expect("the copies load");
    let (_stop, shutdown) = crate::shutdown::channel();
    store.reconcile(&shutdown).await.expect("reconciliation runs");
    changed
}

impl Rig {
    async fn hide_one(&self, path: &str) {
        assert!(self.store.hide(&self.fresh_account().await, &name(path)).await.expect("the catalog answers"));
    }

    async fn names_in(&self, store: &Store) -> Vec<String> {
        let page = store.list(&self.fresh_account().await, &Default::default()).await.expect("the catalog answers");
        page.files.iter().map(|file| file.name.to_string()).collect()
    }
}

/// A key that was removed because it leaked stays removed, and the views are what they were.
pub(super) async fn a_lost_catalog_brings_no_hidden_file_back(mut rig: Rig) {
    rig.take_vault().await;
    for path in ["/keys/leaked", "/keys/good", "/data/a", "/data/revived"] {
        rig.put(path, path.as_bytes()).await.expect("the name is free");
    }
    rig.pass(SECOND_MICROS).await;
    let whole = rig.store.now().plus_micros(-SECOND_MICROS / 2);
    rig.hide_one("/data/revived").await;
    rig.store.tell_hides().await.expect("a copy is written");
    rig.pass(SECOND_MICROS).await;
    let absent = rig.store.now().plus_micros(-SECOND_MICROS / 2);
    rig.store.revive(&rig.fresh_account().await, whole).await.expect("it can be revived");
    rig.hide_one("/keys/leaked").await;
    rig.hide_one("/data/a").await;
    let again = rig.put("/data/a", b"/data/a").await.expect("the name of a hidden file is free");
    rig.store.tell_hides().await.expect("a copy is written");
    let before = rig.fresh_account().await;
    rig.pass(SECOND_MICROS).await;
    let (empty, _folder) = rig.with_empty_catalog().await;
    caught_up(&empty).await;
    assert_eq!(rig.names_in(&empty).await, ["/data/a", "/data/revived", "/keys/good"]);
    let found = empty.find(&before, &name("/data/a")).await.expect("the catalog answers").expect("it is live");
    assert_eq!(found.id, again.id, "of two with the same bytes the one that is live");
    let leaked = empty.find_in(&before, View::At(whole), &name("/keys/leaked")).await.expect("the catalog answers");
    assert_eq!(leaked.map(|file| file.name), Some(name("/keys/leaked")));
    for (at, is_there) in [(whole, true), (absent, false)] {
        let revived = empty.find_in(&before, View::At(at), &name("/data/revived")).await.expect("the catalog answers");
        assert_eq!(revived.is_some(), is_there, "it was away until it was brought back");
    }
    let account = empty.account(&before.id).await.expect("the catalog answers").expect("it is back");
    assert_eq!(account.used_bytes, before.used_bytes);
    let waiting = empty.read(|connection| connection.query("SELECT random FROM told_hides", &[])).await.expect("the catalog answers");
    assert!(waiting.is_empty());
}

pub(super) async fn an_older_catalog_hides_what_the_copies_tell(mut rig: Rig) {
    rig.take_vault().await;
    for path in ["/keys/leaked", "/keys/good"] {
        rig.put(path, path.as_bytes()).await.expect("the name is free");
    }
    rig.store.write_control().await.expect("the copy is written");
    let (old, _folder) = rig.with_empty_catalog().await;
    assert_eq!(caught_up(&old).await, 0);
    assert_eq!(rig.names_in(&old).await, ["/keys/good", "/keys/leaked"]);
    rig.hide_one("/keys/leaked").await;
    rig.store.tell_hides().await.expect("a copy is written");
    assert_eq!(caught_up(&old).await, 1);
    assert_eq!(rig.names_in(&old).await, ["/keys/good"]);
    assert_eq!(caught_up(&old).await, 0, "once is enough");
    let account = old.account(&rig.account.id).await.expect("the catalog answers").expect("it is there");
    rig.pass(SECOND_MICROS).await;
    put(&old, &account, "/keys/leaked", b"another").await.expect("the name is free");
}

/// A revival hides the file that has a name and brings another back to it: one copy tells both, in any order.
pub(super) async fn an_older_catalog_follows_a_name_from_file_to_file(mut rig: Rig) {
    rig.take_vault().await;
    let paths: Vec<String> = (0..8).map(|number| format!("/data/{number}")).collect();
    for path in &paths {
        rig.put(path, b"first").await.expect("the name is free");
    }
    rig.pass(SECOND_MICROS).await;
    let first = rig.store.now().plus_micros(-SECOND_MICROS / 2);
    for path in &paths {
        rig.hide_one(path).await;
        rig.put(path, b"second").await.expect("the name of a hidden file is free");
    }
    rig.store.tell_hides().await.expect("a copy is written");
    rig.store.write_control().await.expect("the copy is written");
    let (old, _folder) = rig.with_empty_catalog().await;
    caught_up(&old).await;
    rig.store.revive(&rig.fresh_account().await, first).await.expect("it can be revived");
    caught_up(&old).await;
    let account = rig.fresh_account().await;
    for path in &paths {
        let found = old.find(&account, &name(path)).await.expect("the catalog answers").expect("it is there");
        assert_eq!(found.sha256, crate::model::digest::Sha256Digest::of(b"first"), "{path}");
    }
}

/// The files of a removed vault have no other end than this.
pub(super) async fn a_removed_vault_is_hidden_whatever_catalog_is_left(mut rig: Rig) {
    rig.take_vault().await;
    rig.put("/data/a", b"bytes").await.expect("the name is free");
    rig.store.write_control().await.expect("the copy is written");
    let (old, _folder) = rig.with_empty_catalog().await;
    caught_up(&old).await;
    rig.store.remove_account(&rig.account.id).await.expect("the account exists");
    for name in rig.blobs.list_control().expect("they are listed") {
        if name.ends_with(".hides.zst") {
            rig.blobs.remove_control(&name).expect("it is there");
        }
    }
    let (empty, _other) = rig.with_empty_catalog().await;
    for store in [&old, &empty] {
        caught_up(store).await;
        let holdings = store.holdings(&rig.account.id).await.expect("the catalog answers");
        assert_eq!((holdings.live_files, holdings.hidden_files), (0, 1));
    }
}

/// Each minute with a hide has its copy: they are joined before they become many.
pub(super) async fn many_copies_are_told_once_more_in_fewer(mut rig: Rig) {
    rig.take_vault().await;
    let copies = || rig.blobs.list_control().expect("they are listed").iter().filter(|name| name.ends_with(".hides.zst")).count();
    for number in 0..70 {
        let path = format!("/data/{number:02}");
        rig.put(&path, path.as_bytes()).await.expect("the name is free");
        rig.hide_one(&path).await;
        rig.store.tell_hides().await.expect("a copy is written");
        assert!(copies() <= 65, "{number}");
    }
    assert!(copies() < 10);
    rig.store.tell_hides().await.expect("there is nothing to tell");
    let (empty, _folder) = rig.with_empty_catalog().await;
    caught_up(&empty).await;
    assert!(rig.names_in(&empty).await.is_empty());
    let holdings = empty.holdings(&rig.account.id).await.expect("the catalog answers");
    assert_eq!((holdings.live_files, holdings.hidden_files), (0, 70));
}

//! Locks of restic repositories: short-lived, few, and there when nothing can be written.

use bytes::Bytes;

use super::rig::{Rig, name};
use crate::model::instant::{HOUR_MICROS, SECOND_MICROS};

impl Rig {
    async fn lock(&self, folder: &str, last: &str) {
        let (account, path) = (self.fresh_account().await, name(&format!("{folder}{last}")));
        self.store.put_lock(&account, folder, &path, Bytes::from(last.to_owned())).await.expect("a lock can be taken");
    }

    async fn locks(&self, folder: &str) -> Vec<String> {
        let found = self.store.locks(&self.fresh_account().await, folder).await.expect("the catalog answers");
        found.into_iter().map(|(last, _)| last).collect()
    }

    async fn read_lock(&self, path: &str) -> Option<Bytes> {
        self.store.lock(&self.fresh_account().await, &name(path)).await.expect("the catalog answers")
    }

    async fn unlock(&self, path: &str) {
        self.store.remove_lock(&self.fresh_account().await, &name(path)).await.expect("it can be given up");
    }
}

pub(super) async fn a_lock_ends_when_it_is_given_up_or_after_an_hour(mut rig: Rig) {
    rig.take_vault().await;
    rig.lock("/locks/", "b").await;
    rig.pass(SECOND_MICROS).await;
    rig.lock("/locks/", "a").await;
    rig.lock("/web/locks/", "a").await;
    assert_eq!((rig.locks("/locks/").await, rig.locks("/web/locks/").await), (vec!["b".into(), "a".into()], vec!["a".into()]));
    assert_eq!(rig.read_lock("/locks/a").await, Some(Bytes::from_static(b"a")));
    rig.unlock("/locks/a").await;
    rig.unlock("/locks/a").await;
    assert_eq!((rig.read_lock("/locks/a").await, rig.locks("/locks/").await), (None, vec!["b".to_owned()]));
    rig.pass(HOUR_MICROS - SECOND_MICROS).await;
    assert_eq!((rig.locks("/locks/").await, rig.read_lock("/locks/b").await), (Vec::new(), None));
    assert_eq!(rig.locks("/web/locks/").await, ["a"]);
    rig.store.forget_locks().await.expect("the catalog answers");
    rig.pass(SECOND_MICROS).await;
    rig.store.forget_locks().await.expect("the catalog answers");
    let left = rig.store.read(|connection| connection.query("SELECT name FROM locks", &[])).await.expect("the catalog answers");
    assert!(left.is_empty());
    assert!(rig.keys().is_empty(), "a lock is no blob");
    assert_eq!(rig.fresh_account().await.used_bytes, 0, "and counts in no quota");
}

pub(super) async fn of_more_than_200_locks_the_oldest_go(mut rig: Rig) {
    rig.take_vault().await;
    rig.lock("/web/locks/", "other").await;
    for number in 100..301 {
        rig.lock("/locks/", &number.to_string()).await;
        rig.pass(1).await;
    }
    let left = rig.locks("/locks/").await;
    assert_eq!((left.len(), left.first().map(String::as_str), left.last().map(String::as_str)), (200, Some("101"), Some("300")));
    assert_eq!(rig.locks("/web/locks/").await, ["other"], "another repository's locks are its own");
}

/// restic takes a lock before it restores.
pub(super) async fn locks_are_taken_while_nothing_can_be_written(mut rig: Rig) {
    rig.take_vault().await;
    rig.lock("/locks/", "before").await;
    drop(rig.store.suspend_writes("a test"));
    rig.pass(SECOND_MICROS).await;
    rig.lock("/locks/", "during").await;
    assert_eq!(rig.locks("/locks/").await, ["before", "during"]);
    assert_eq!(rig.read_lock("/locks/during").await, Some(Bytes::from_static(b"during")));
    rig.unlock("/locks/during").await;
    assert_eq!(rig.locks("/locks/").await, ["before"]);
    rig.lock("/locks/", "hour").await;
    rig.pass(HOUR_MICROS).await;
    assert!(rig.locks("/locks/").await.is_empty());
}

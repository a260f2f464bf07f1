//! Users outlive their catalog, as accounts do.

use super::rig::Rig;
use super::users::{add, name, tenant};
use crate::model::role::Roles;
use crate::model::user::Credential;
use crate::store::users::UserChange;

pub(super) async fn a_lost_catalog_gets_its_users_back_and_no_number_twice(rig: Rig) {
    let (ada, _) = add(&rig.store, "ada", None).await;
    let (bob, _) = add(&rig.store, "bob", Some("5501")).await;
    add(&rig.store, "cyd", None).await;
    let disabled = rig.store.disable_user(&bob.name).await.expect("it is there");
    rig.store.remove_user(&name("cyd")).await.expect("it is there");
    let (empty, _folder) = rig.with_empty_catalog().await;
    let brought = empty.load_newer_control().await.expect("the copy loads");
    assert!(brought.contains(&"user ada".to_owned()) && brought.contains(&"user bob".to_owned()), "{brought:?}");
    assert_eq!(empty.users().await.expect("the catalog answers"), [ada.clone(), disabled]);
    assert_eq!(empty.user_of_stranger("ada").await.expect("the catalog answers"), Some(ada.clone()), "with its secrets");
    empty.make_token(&ada, Credential::ApiKey).await.expect("a token can be made");
    let (dan, _) = add(&empty, "dan", None).await;
    assert!(dan.id > bob.id + 1, "the id of the removed one is not given again");
    assert_eq!(dan.tenant.as_str(), "100002", "nor is its tenant");
}

pub(super) async fn an_older_catalog_follows_the_users_of_the_newest_copy(rig: Rig) {
    let mut tokens = Vec::new();
    let (old, _folder) = rig.with_empty_catalog().await;
    for named in ["same", "rotated", "closed", "removed", "renamed"] {
        add(&rig.store, named, Some("5501")).await;
    }
    // What the old catalog was when it was copied.
    old.load_newer_control().await.expect("the copy loads");
    for user in old.users().await.expect("the catalog answers") {
        tokens.push((user.name.to_string(), old.make_token(&user, Credential::ApiKey).await.expect("a token can be made").0));
    }
    let (rotated, _) = rig.store.rotate_user(&name("rotated")).await.expect("it is there");
    rig.store.disable_user(&name("closed")).await.expect("it is there");
    rig.store.remove_user(&name("removed")).await.expect("it is there");
    // A name that went from one user to another.
    rig.store.remove_user(&name("renamed")).await.expect("it is there");
    let (renamed, _) = add(&rig.store, "renamed", Some("7")).await;
    let change = UserChange { roles: Roles::parse("cloudbackup:admin"), tenant: Some(tenant("8")) };
    rig.store.change_user(&name("renamed"), change).await.expect("it is there");
    let brought = old.load_newer_control().await.expect("the copy loads");
    for what in ["changes of user rotated", "changes of user closed", "the removal of user removed", "user renamed"] {
        assert!(brought.contains(&what.to_owned()), "{what} in {brought:?}");
    }
    assert!(!brought.contains(&"changes of user same".to_owned()), "{brought:?}");
    let users = old.users().await.expect("the catalog answers");
    assert_eq!(users, rig.store.users().await.expect("the catalog answers"));
    assert!(users.contains(&rotated) && users.iter().any(|user| user.id == renamed.id && user.tenant == tenant("8")));
    for (named, token) in tokens {
        let is_live = old.token(&token).await.expect("the catalog answers").is_some();
        assert_eq!(is_live, named == "same", "{named}");
    }
}

/// A strongroom from before there were users wrote the newest copy.
pub(super) async fn a_copy_from_before_there_were_users_takes_none_away(rig: Rig) {
    add(&rig.store, "ada", None).await;
    let before = rig.store.users().await.expect("the catalog answers");
    let copy = crate::store::control::ControlCopy::empty(rig.store.now());
    let now = rig.store.now();
    let load = move |connection: &mut dyn crate::store::catalog::Connection| crate::store::control::load(connection, &copy, now);
    rig.store.write(load).await.expect("the copy loads");
    assert_eq!(rig.store.users().await.expect("the catalog answers"), before);
    let text = r#"{"format":1,"store_id":"test","change":7,"written_at":0,"accounts":[]}"#;
    let old: crate::store::control::ControlCopy = serde_json::from_str(text).expect("an old copy is read");
    assert!(format!("{old:?}").contains("users: None"));
}

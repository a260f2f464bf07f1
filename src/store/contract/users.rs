//! Users: who they are, and what an operator does to them.

use super::look_ups::{Work, counted};
use super::rig::{Rig, refusal};
use crate::model::role::{Rights, Roles};
use crate::model::user::{TenantId, User, UserName};
use crate::store::Store;
use crate::store::users::{self, NewUser, UserChange, UserSecrets};

pub(super) fn name(text: &str) -> UserName {
    text.parse().expect("a test's name is valid")
}

pub(super) fn tenant(text: &str) -> TenantId {
    text.parse().expect("a test's tenant is valid")
}

/// A user of this tenant with the roles that it gets by itself.
pub(super) async fn add(store: &Store, named: &str, of: Option<&str>) -> (User, UserSecrets) {
    let new = NewUser { name: name(named), tenant: of.map(tenant), roles: None };
    store.add_user(new).await.expect("the catalog answers").expect("the name is free")
}

pub(super) async fn the_first_user_of_a_tenant_owns_it_and_later_ones_observe(rig: Rig) {
    let mut roles = Vec::new();
    for (named, of) in [("ada", "5501"), ("bob", "5501"), ("cyd", "7")] {
        roles.push(add(&rig.store, named, Some(of)).await.0.roles);
    }
    assert_eq!(roles, [Roles::first(), Roles::later(), Roles::first()]);
    let named = Roles::parse("cloudbackup:creator");
    let new = NewUser { name: name("dan"), tenant: Some(tenant("8")), roles: named.clone() };
    let (dan, _) = rig.store.add_user(new).await.expect("the catalog answers").expect("the name is free");
    assert_eq!((Some(dan.roles.clone()), dan.rights()), (named, Rights::Create), "what is named wins");
}

pub(super) async fn new_tenants_are_numbered_from_100000_and_no_number_is_given_twice(rig: Rig) {
    let given = async |named: &str, of| add(&rig.store, named, of).await.0.tenant.to_string();
    assert_eq!(given("a", None).await, "100000");
    assert_eq!(given("b", None).await, "100001");
    assert_eq!(given("c", Some("100007")).await, "100007");
    rig.store.remove_user(&name("c")).await.expect("it is there");
    assert_eq!(given("d", None).await, "100008", "a named number is not given to another, even when its user has gone");
    assert_eq!(given("e", Some("9999999999")).await, "9999999999");
    assert_eq!(given("f", None).await, "100009", "a number of another kind does not move the others");
    rig.store.remove_user(&name("f")).await.expect("it is there");
    assert_eq!(given("f", None).await, "100010");
}

pub(super) async fn a_name_has_one_user_and_no_id_comes_back(rig: Rig) {
    let (ada, _) = add(&rig.store, "ada", None).await;
    let again = NewUser { name: name("ada"), tenant: None, roles: None };
    assert!(rig.store.add_user(again).await.expect("the catalog answers").is_none());
    let (other, _) = add(&rig.store, "Ada", None).await;
    assert_eq!(rig.store.user(&name("ada")).await.expect("the catalog answers"), Some(ada.clone()));
    rig.store.remove_user(&name("Ada")).await.expect("it is there");
    assert_eq!(rig.store.user(&name("Ada")).await.expect("the catalog answers"), None);
    let (third, _) = add(&rig.store, "Ada", None).await;
    assert!(ada.id < other.id && other.id < third.id);
    assert_eq!(rig.store.users().await.expect("the catalog answers"), [ada, third]);
}

pub(super) async fn a_change_holds_at_once_and_a_missing_user_is_not_found(rig: Rig) {
    let (ada, _) = add(&rig.store, "ada", None).await;
    let roles = Roles::parse("observer,cloudbackup:creator");
    let change = UserChange { roles: roles.clone(), tenant: None };
    let changed = rig.store.change_user(&ada.name, change).await.expect("it is there");
    assert_eq!((Some(&changed.roles), &changed.tenant), (roles.as_ref(), &ada.tenant));
    let change = UserChange { tenant: Some(tenant("5501")), roles: None };
    let changed = rig.store.change_user(&ada.name, change).await.expect("it is there");
    assert_eq!((Some(&changed.roles), changed.tenant.as_str()), (roles.as_ref(), "5501"));
    assert!(rig.store.disable_user(&ada.name).await.expect("it is there").disabled);
    assert!(!rig.store.enable_user(&ada.name).await.expect("it is there").disabled);
    let nobody = name("nobody");
    assert_eq!(refusal(rig.store.change_user(&nobody, UserChange::default()).await), "not found");
    assert_eq!(refusal(rig.store.rotate_user(&nobody).await), "not found");
    assert_eq!(refusal(rig.store.disable_user(&nobody).await), "not found");
    assert_eq!(refusal(rig.store.enable_user(&nobody).await), "not found");
    assert_eq!(refusal(rig.store.remove_user(&nobody).await), "not found");
}

pub(super) async fn secrets_are_kept_as_hashes_alone(rig: Rig) {
    let (ada, secrets) = add(&rig.store, "ada", None).await;
    assert_eq!((ada.api_key, ada.password), (secrets.api_key.hash(), secrets.password.hash()));
    assert!(crate::model::access::Secret::is_hex(secrets.api_key.reveal()));
    assert!(crate::model::access::Secret::is_well_formed(secrets.password.reveal()));
    let (rotated, renewed) = rig.store.rotate_user(&ada.name).await.expect("it is there");
    assert_eq!((rotated.api_key, rotated.password), (renewed.api_key.hash(), renewed.password.hash()));
    assert!(rotated.api_key != ada.api_key && rotated.password != ada.password);
    assert_eq!(rig.store.user(&ada.name).await.expect("the catalog answers"), Some(rotated));
    assert!(!format!("{renewed:?}").contains(renewed.password.reveal()));
}

pub(super) async fn a_login_costs_one_statement_whoever_it_names(rig: Rig) {
    let read = async |named: &'static str| counted(&rig, move |connection| users::of_stranger(connection, named)).await;
    assert_eq!(read("nobody").await, (None, Work { statements: 1, rows: 0 }), "even where nobody is there");
    let (ada, _) = add(&rig.store, "ada", None).await;
    add(&rig.store, "bob", None).await;
    assert_eq!(read("ada").await, (Some(ada.clone()), Work { statements: 1, rows: 1 }));
    assert_eq!(read("bob").await.0.map(|user| user.name), Some(name("bob")));
    assert_eq!(read("nobody").await, (None, Work { statements: 1, rows: 1 }));
    for odd in ["", "-", "a b", "a\u{0}b", "Ada", &"x".repeat(10_000)] {
        assert_eq!(rig.store.user_of_stranger(odd).await.expect("the catalog answers"), None, "{odd:?}");
    }
    assert_eq!(rig.store.user_of_stranger("ada").await.expect("the catalog answers"), Some(ada));
}

//! Tokens: what they open, and when they end.

use super::look_ups::{Work, counted};
use super::rig::{Rig, refusal};
use super::users::{add, tenant};
use crate::model::access::Secret;
use crate::model::instant::{DAY_MICROS, SECOND_MICROS};
use crate::model::role::{Rights, Roles};
use crate::model::user::Credential;
use crate::store::catalog::Connection;
use crate::store::tokens::{self, Token};
use crate::store::users::UserChange;

async fn token(rig: &Rig, secret: &Secret) -> Option<Token> {
    rig.store.token(secret).await.expect("the catalog answers")
}

async fn rows(rig: &Rig) -> i64 {
    let count = |connection: &mut dyn Connection| connection.query("SELECT COUNT(*) FROM tokens", &[])?[0].int(0);
    rig.store.read(count).await.expect("the catalog answers")
}

pub(super) async fn a_token_lasts_24_hours_and_is_forgotten_then(rig: Rig) {
    rig.pass(1_234).await;
    let (ada, _) = add(&rig.store, "ada", None).await;
    let (secret, made) = rig.store.make_token(&ada, Credential::ApiKey).await.expect("a token can be made");
    assert!(Secret::is_hex(secret.reveal()));
    let life = made.ends_at.micros_since(rig.store.now());
    assert!(life <= DAY_MICROS && life > DAY_MICROS - 1_000 && made.ends_at.micros() % 1_000 == 0, "{life}");
    let found = token(&rig, &secret).await.expect("it is live");
    assert_eq!((&found, &found.user, found.authenticated_by), (&made, &ada, Credential::ApiKey));
    assert_eq!(rig.store.live_tokens(&ada).await.expect("the catalog answers"), 1);
    let hash = secret.hash();
    let now = rig.store.now();
    assert_eq!(
        counted(&rig, move |connection| tokens::look_up(connection, &hash, now)).await,
        (Some(made.clone()), Work { statements: 1, rows: 1 })
    );
    let (unknown, now) = (Secret::random_hex().hash(), rig.store.now());
    assert_eq!(counted(&rig, move |connection| tokens::look_up(connection, &unknown, now)).await, (None, Work { statements: 1, rows: 0 }));
    rig.pass(DAY_MICROS - SECOND_MICROS).await;
    assert!(token(&rig, &secret).await.is_some());
    rig.store.forget_tokens().await.expect("the catalog answers");
    assert_eq!(rows(&rig).await, 1);
    rig.pass(SECOND_MICROS).await;
    assert_eq!(token(&rig, &secret).await, None, "never after what its client was told");
    assert_eq!(rig.store.live_tokens(&ada).await.expect("the catalog answers"), 0);
    rig.store.forget_tokens().await.expect("the catalog answers");
    assert_eq!(rows(&rig).await, 0);
}

pub(super) async fn other_roles_hold_for_tokens_that_are_there(rig: Rig) {
    let (ada, _) = add(&rig.store, "ada", None).await;
    let (secret, _) = rig.store.make_token(&ada, Credential::Password).await.expect("a token can be made");
    let change = UserChange { roles: Roles::parse("observer"), tenant: None };
    rig.store.change_user(&ada.name, change).await.expect("it is there");
    let found = token(&rig, &secret).await.expect("it is live");
    assert_eq!((found.user.rights(), found.authenticated_by), (Rights::Read, Credential::Password));
}

pub(super) async fn rotating_disabling_moving_and_removing_end_tokens_at_once(rig: Rig) {
    let (other, _) = add(&rig.store, "other", None).await;
    let (others, _) = rig.store.make_token(&other, Credential::ApiKey).await.expect("a token can be made");
    let (ada, _) = add(&rig.store, "ada", None).await;
    for what in ["rotate", "disable", "move", "remove"] {
        let user = rig.store.user(&ada.name).await.expect("the catalog answers").expect("it is there");
        let (secret, _) = rig.store.make_token(&user, Credential::ApiKey).await.expect("a token can be made");
        match what {
            "rotate" => drop(rig.store.rotate_user(&ada.name).await.expect("it is there")),
            "disable" => drop(rig.store.disable_user(&ada.name).await.expect("it is there")),
            "move" => {
                let change = UserChange { tenant: Some(tenant("5501")), roles: None };
                drop(rig.store.change_user(&ada.name, change).await.expect("it is there"));
            }
            _ => rig.store.remove_user(&ada.name).await.expect("it is there"),
        }
        assert_eq!(token(&rig, &secret).await, None, "{what}");
        assert_eq!(rows(&rig).await, 1, "{what}: the token of the other is left alone");
        if what == "disable" {
            rig.store.enable_user(&ada.name).await.expect("it is there");
            assert_eq!(token(&rig, &secret).await, None, "enabling brings no token back");
        }
    }
    assert!(token(&rig, &others).await.is_some());
}

/// A login that was found right and came to its token after the rotation would else get one for 24 hours.
pub(super) async fn no_token_is_made_for_a_user_that_was_changed_meanwhile(rig: Rig) {
    let (let_in, _) = add(&rig.store, "ada", None).await;
    let make = async |user| refusal(rig.store.make_token(user, Credential::ApiKey).await);
    let (let_in_again, _) = rig.store.rotate_user(&let_in.name).await.expect("it is there");
    assert_eq!(make(&let_in).await, "not found");
    rig.store.disable_user(&let_in.name).await.expect("it is there");
    assert_eq!(make(&let_in_again).await, "not found");
    rig.store.enable_user(&let_in.name).await.expect("it is there");
    assert_eq!(make(&let_in_again).await, "stored");
    let change = UserChange { tenant: Some(tenant("5501")), roles: None };
    let moved = rig.store.change_user(&let_in.name, change).await.expect("it is there");
    assert_eq!(make(&let_in_again).await, "not found");
    assert_eq!(make(&moved).await, "stored");
    rig.store.remove_user(&let_in.name).await.expect("it is there");
    assert_eq!(make(&moved).await, "not found");
    assert_eq!(rows(&rig).await, 0);
}

pub(super) async fn the_1001st_token_ends_the_oldest(rig: Rig) {
    let (ada, _) = add(&rig.store, "ada", None).await;
    let mut secrets = Vec::new();
    for _ in 0..3 {
        secrets.push(rig.store.make_token(&ada, Credential::ApiKey).await.expect("a token can be made").0);
    }
    // As if it had made 998 more between the second and the third.
    let skip = |connection: &mut dyn Connection| {
        connection.execute("UPDATE tokens SET number = 1000 WHERE number = 3", &[])?;
        connection.execute("UPDATE users SET tokens_made = 1000", &[])
    };
    rig.store.write(skip).await.expect("the catalog answers");
    let states = async || {
        let mut live = Vec::new();
        for secret in &secrets {
            live.push(token(&rig, secret).await.is_some());
        }
        live
    };
    assert_eq!(states().await, [true; 3]);
    rig.store.make_token(&ada, Credential::ApiKey).await.expect("a token can be made");
    assert_eq!(states().await, [false, true, true]);
}

pub(super) async fn of_a_rotation_and_logins_at_one_time_no_token_of_the_old_secrets_is_left(rig: Rig) {
    let (mut ada, _) = add(&rig.store, "ada", None).await;
    let second = rig.second_store().await;
    for _ in 0..5 {
        let logins: Vec<_> = (0..8)
            .map(|number| {
                let (store, user) = (if number % 2 == 0 { rig.store.clone() } else { second.clone() }, ada.clone());
                tokio::spawn(async move { store.make_token(&user, Credential::ApiKey).await.ok() })
            })
            .collect();
        let (rotated, _) = rig.store.rotate_user(&ada.name).await.expect("it is there");
        for login in logins {
            if let Some((secret, _)) = login.await.expect("it does not panic") {
                assert_eq!(token(&rig, &secret).await, None, "made before the rotation, so it ended with it");
            }
        }
        assert_eq!(rows(&rig).await, 0);
        ada = rotated;
    }
}

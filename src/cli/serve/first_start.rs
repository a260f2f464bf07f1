//! The first account of an empty store, so that two commands are enough to keep a first file.

use std::net::SocketAddr;

use super::super::account::authority;
use super::super::audit::Audit;
use super::super::failure::Failure;
use crate::config::Config;
use crate::model::access::{AccessUrl, AccountId, Secret};
use crate::model::account::Kind;
use crate::model::retention::Retention;
use crate::store::Store;
use crate::store::accounts::NewAccount;

/// An account whose password can still be shown.
pub struct FirstAccount {
    pub id: AccountId,
    pub password: Secret,
    pub url: AccessUrl,
}

/// Makes an account where the store has none.
pub async fn first_account(store: &Store, config: &Config, address: SocketAddr) -> Result<Option<FirstAccount>, Failure> {
    let failed = |error| Failure::of_store("cannot make the first account", &error);
    if store.has_had_accounts().await.map_err(failed)? {
        return Ok(None);
    }
    let new = NewAccount {
        kind: Kind::Archive,
        description: "made at the first start".to_owned(),
        retention: Retention::DEFAULT,
        quota_bytes: None,
    };
    let audit = Audit::open(&config.store.data)?;
    let (account, password) = store.add_account(new).await.map_err(failed)?;
    let details = serde_json::json!({ "description": account.description });
    // The password can be seen only now: a line that is missing is no reason to lose it.
    if let Err(failure) = audit.note("account add", Some(&account.id), &details) {
        tracing::error!(error = %failure, "the audit log lacks a line");
    }
    let url = AccessUrl::new(account.id.clone(), password.clone(), authority(&config.server, address));
    Ok(Some(FirstAccount { id: account.id, password, url }))
}

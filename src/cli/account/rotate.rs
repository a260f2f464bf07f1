//! `account rotate`: a new password for an account whose old one was lost or seen.

use std::path::PathBuf;

use super::super::audit::Audit;
use super::super::console::Console;
use super::super::destination::Destination;
use super::super::failure::Failure;
use super::access_url::{authority, delivery};
use crate::config::Config;
use crate::model::access::{AccessUrl, AccountId};
use crate::store::Store;

#[derive(clap::Args)]
pub struct Rotate {
    /// The account's name: the USER of its access URL
    #[arg(value_name = "USER")]
    account: AccountId,
    /// Write the access URL to this new file, for its owner alone, instead of standard output
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

impl Rotate {
    pub async fn run(self, store: &Store, config: &Config, audit: &Audit, console: &mut Console) -> Result<(), Failure> {
        let account = super::find(store, &self.account).await?;
        let destination = Destination::prepare(self.to.as_deref())?;
        let rotated = store.rotate_account(&account.id).await;
        let password = rotated.map_err(|error| Failure::of_store(format!("cannot rotate account {}", account.id), &error))?;
        let noted = audit.note("account rotate", Some(&account.id), &serde_json::json!({}));
        console.note(&format!("Account {} has a new password; the old one and all sessions have ended.", account.id));
        let url = AccessUrl::new(account.id.clone(), password, authority(&config.server, config.server.listen));
        destination.deliver(delivery(&url, super::json(&account)), console)?;
        noted
    }
}

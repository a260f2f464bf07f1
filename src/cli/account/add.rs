//! `account add`: the access URL alone on standard output, so that a script can take it.

use std::path::PathBuf;

use super::super::arguments::{description, retention};
use super::super::audit::Audit;
use super::super::console::Console;
use super::super::destination::Destination;
use super::super::failure::Failure;
use super::access_url::{authority, delivery};
use crate::config::Config;
use crate::model::access::AccessUrl;
use crate::model::account::Kind;
use crate::model::retention::Retention;
use crate::model::size::Size;
use crate::store::Store;
use crate::store::accounts::NewAccount;

#[derive(clap::Args)]
pub struct Add {
    /// archive: whole files by PUT, kept for the retention; vault: for restic and the like
    #[arg(long, value_name = "archive|vault", default_value = "archive")]
    kind: Kind,
    /// Days each file is kept: 30 to 365
    #[arg(long, value_name = "DAYS", default_value = "30", value_parser = retention)]
    retention: Retention,
    /// The most it may hold, such as 100 GB [default: no limit]
    #[arg(long, value_name = "SIZE")]
    quota: Option<Size>,
    /// One line for people: whose backups these are
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true, value_parser = description)]
    description: String,
    /// Write the access URL to this new file, for its owner alone, instead of standard output
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

impl Add {
    pub async fn run(self, store: &Store, config: &Config, audit: &Audit, console: &mut Console) -> Result<(), Failure> {
        let destination = Destination::prepare(self.to.as_deref())?;
        let new = NewAccount {
            kind: self.kind,
            description: self.description,
            retention: self.retention,
            quota_bytes: self.quota.map(|Size(bytes)| bytes),
        };
        let added = store.add_account(new).await;
        let (account, password) = added.map_err(|error| Failure::of_store("cannot add an account", &error))?;
        let noted = audit.note("account add", Some(&account.id), &super::json(&account));
        console.note(&format!("Account {} is made. Keep its access URL: nothing can show it again.", account.id));
        let url = AccessUrl::new(account.id.clone(), password, authority(&config.server, config.server.listen));
        destination.deliver(delivery(&url, super::json(&account)), console)?;
        noted
    }
}

//! `account set`.

use super::super::arguments::{Quota, description, retention};
use super::super::audit::Audit;
use super::super::console::Console;
use super::super::failure::Failure;
use crate::model::access::AccountId;
use crate::model::retention::Retention;
use crate::store::Store;
use crate::store::accounts::AccountChange;

#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true).args(["retention", "quota", "description"]))]
pub struct Set {
    /// The account's name: the USER of its access URL
    #[arg(value_name = "USER")]
    account: AccountId,
    /// Days each file is kept: 30 to 365. Raising also holds for files that are there; lowering only for new ones
    #[arg(long, value_name = "DAYS", value_parser = retention)]
    retention: Option<Retention>,
    /// The most it may hold, such as 100 GB, or none
    #[arg(long, value_name = "SIZE|none")]
    quota: Option<Quota>,
    /// One line for people: whose backups these are
    #[arg(long, value_name = "TEXT", value_parser = description)]
    description: Option<String>,
}

impl Set {
    pub async fn run(self, store: &Store, audit: &Audit, console: &mut Console) -> Result<(), Failure> {
        let id = self.account;
        let before = super::find(store, &id).await?;
        let change =
            AccountChange { description: self.description, retention: self.retention, quota_bytes: self.quota.map(|Quota(bytes)| bytes) };
        let changed = store.change_account(&id, change).await;
        let account = changed.map_err(|error| Failure::of_store(format!("cannot change account {id}"), &error))?;
        audit.note("account set", Some(&id), &super::json(&account))?;
        let days = account.retention.current();
        if days < before.retention.current() {
            let kept = before.retention.current().days();
            console.note(&format!("Files that are there keep their {kept} days or more; new ones get {}.", days.days()));
        }
        console.answer_either(&super::json(&account), || format!("Account {id} is changed\n"))
    }
}

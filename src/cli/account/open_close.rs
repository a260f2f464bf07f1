//! `account disable` and `account enable`.

use serde_json::json;

use super::super::arguments::description;
use super::super::audit::Audit;
use super::super::console::Console;
use super::super::failure::Failure;
use crate::model::access::AccountId;
use crate::store::Store;

#[derive(clap::Args)]
pub struct Disable {
    /// The account's name: the USER of its access URL
    #[arg(value_name = "USER")]
    account: AccountId,
    /// Why; its clients read this
    #[arg(long, value_name = "TEXT", value_parser = description)]
    reason: String,
}

#[derive(clap::Args)]
pub struct Enable {
    /// The account's name: the USER of its access URL
    #[arg(value_name = "USER")]
    account: AccountId,
}

impl Disable {
    pub async fn run(self, store: &Store, audit: &Audit, console: &mut Console) -> Result<(), Failure> {
        let id = super::find(store, &self.account).await?.id;
        let disabled = store.disable_account(&id, &self.reason).await;
        disabled.map_err(|error| Failure::of_store(format!("cannot disable account {id}"), &error))?;
        audit.note("account disable", Some(&id), &json!({ "reason": self.reason }))?;
        let account = super::find(store, &id).await?;
        console.answer_either(&super::json(&account), || format!("Account {id} is disabled\n"))
    }
}

impl Enable {
    pub async fn run(self, store: &Store, audit: &Audit, console: &mut Console) -> Result<(), Failure> {
        let id = super::find(store, &self.account).await?.id;
        let enabled = store.enable_account(&id).await;
        enabled.map_err(|error| Failure::of_store(format!("cannot enable account {id}"), &error))?;
        audit.note("account enable", Some(&id), &json!({}))?;
        let account = super::find(store, &id).await?;
        console.answer_either(&super::json(&account), || format!("Account {id} is enabled\n"))
    }
}

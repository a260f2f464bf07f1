//! `account remove`: for good, so it is asked for twice.

use super::super::audit::Audit;
use super::super::confirm::confirm;
use super::super::console::Console;
use super::super::failure::Failure;
use crate::model::access::AccountId;
use crate::model::size::Size;
use crate::store::Store;

#[derive(clap::Args)]
pub struct Remove {
    /// The account's name: the USER of its access URL
    #[arg(value_name = "USER")]
    account: AccountId,
    /// Do not ask for the name again
    #[arg(long)]
    yes: bool,
}

impl Remove {
    pub async fn run(self, store: &Store, audit: &Audit, console: &mut Console) -> Result<(), Failure> {
        let id = super::find(store, &self.account).await?.id;
        let failed = |error| Failure::of_store(format!("cannot remove account {id}"), &error);
        if !self.yes {
            let holdings = store.holdings(&id).await.map_err(failed)?;
            let (files, size) = (holdings.live_files, Size(holdings.live_bytes));
            console.note(&format!("Account {id} holds {files} files ({size}). They stay on disk for their life, but once the"));
            console.note("account is removed nobody can fetch them over the network any more, and it cannot be brought back.");
            confirm("account", id.as_str(), console)?;
        }
        store.remove_account(&id).await.map_err(failed)?;
        audit.note("account remove", Some(&id), &serde_json::json!({}))?;
        let json = serde_json::json!({ "account": id.as_str(), "removed": true });
        console.answer_either(&json, || format!("Account {id} is removed\n"))
    }
}

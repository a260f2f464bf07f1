//! `strongroom vault`: what an operator does to vaults.

use clap::Subcommand;
use serde_json::json;

use super::account::{find, open_store};
use super::arguments::time;
use super::audit::Audit;
use super::console::Console;
use super::failure::Failure;
use super::process::{begin, block_on};
use super::settings::SettingFlags;
use crate::config::Config;
use crate::model::access::AccountId;
use crate::model::account::Kind;
use crate::model::instant::Instant;

#[derive(Subcommand)]
pub enum Command {
    /// Make a vault again what it was at a time: what was deleted since comes back, what was stored since is hidden
    Revive(Revive),
}

#[derive(clap::Args)]
pub struct Revive {
    /// The account's name: the USER of its access URL
    #[arg(value_name = "USER")]
    account: AccountId,
    /// The time, as in a dated URL: 2026-11-20T12:00:00Z, or 2026-11-20 for the end of that day (UTC)
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Instant,
}

pub fn run(command: Command, settings: &SettingFlags, console: &mut Console) -> Result<(), Failure> {
    let config = settings.load()?;
    begin(&config)?;
    match command {
        Command::Revive(revive) => block_on(revive.run(&config, console)),
    }
}

impl Revive {
    async fn run(self, config: &Config, console: &mut Console) -> Result<(), Failure> {
        let store = open_store(config).await?;
        let account = find(&store, &self.account).await?;
        let (id, at) = (&account.id, self.at.rfc3339_micros());
        if account.kind != Kind::Vault {
            return Err(Failure::new(format!(
                "account {id} is no vault: nothing of an archive is ever deleted, so nothing can be revived"
            )));
        }
        let audit = Audit::open(&config.store.data)?;
        if let Err(earliest) = store.check_view(&account, crate::model::view::View::At(self.at)) {
            return Err(Failure::new(format!(
                "{at} cannot be revived: vault {id} goes back to {}, and not beyond now",
                earliest.rfc3339()
            )));
        }
        let revived = store.revive(&account, self.at).await;
        let revival = revived.map_err(|error| Failure::of_store(format!("cannot revive vault {id}"), &error))?;
        let (brought_back, hidden) = (revival.brought_back, revival.hidden);
        audit.note("vault revive", Some(id), &json!({ "at": at, "brought_back": brought_back, "hidden": hidden }))?;
        let answer = json!({ "account": id.as_str(), "at": at, "brought_back": brought_back, "hidden": hidden });
        console.answer_either(&answer, || {
            format!("Vault {id} is again what it was at {at}: {brought_back} files were brought back, {hidden} were hidden\n")
        })
    }
}

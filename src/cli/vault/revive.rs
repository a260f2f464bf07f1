//! `vault revive`, on the server: a vault becomes again what it was.

use serde_json::json;

use crate::cli::account::{find, open_store};
use crate::cli::arguments::time;
use crate::cli::audit::Audit;
use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::cli::process::{begin, block_on};
use crate::cli::settings::SettingFlags;
use crate::config::Config;
use crate::model::access::AccountId;
use crate::model::account::Kind;
use crate::model::instant::Instant;

#[derive(clap::Args)]
pub struct Revive {
    /// The account's name: the USER of its access URL
    #[arg(value_name = "USER")]
    account: AccountId,
    /// The time, as in a dated URL: 2026-11-20T12:00:00Z, or 2026-11-20 for the end of that day (UTC)
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Instant,
}

impl Revive {
    pub fn run(self, settings: &SettingFlags, console: &mut Console) -> Result<(), Failure> {
        let config = settings.load()?;
        begin(&config)?;
        block_on(self.revive(&config, console))
    }

    async fn revive(self, config: &Config, console: &mut Console) -> Result<(), Failure> {
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

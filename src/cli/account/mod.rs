//! `strongroom account`: a file per command. Each takes effect on the server's next request.

mod access_url;
mod add;
mod list;
mod open_close;
mod remove;
mod rotate;
mod set;
mod show;

use clap::Subcommand;

use super::audit::Audit;
use super::console::Console;
use super::failure::Failure;
use super::process::{begin, block_on};
use super::settings::SettingFlags;
use crate::clock::Clock;
use crate::config::Config;
use crate::model::access::AccountId;
use crate::model::account::Account;
use crate::store::Store;

pub use access_url::authority;

#[derive(Subcommand)]
pub enum Command {
    /// Make an account and print its access URL, the only time it can be seen
    Add(add::Add),
    /// List all accounts
    List,
    /// Show one account and what it holds
    Show(show::Show),
    /// Change retention, quota or description
    Set(set::Set),
    /// Make a new password; the old one and all sessions end at once
    Rotate(rotate::Rotate),
    /// Refuse an account's requests and break its uploads; its files stay for their life
    Disable(open_close::Disable),
    /// Serve a disabled account again
    Enable(open_close::Enable),
    /// Close an account for good; its files stay for their life
    Remove(remove::Remove),
}

pub fn run(command: Command, settings: &SettingFlags, console: &mut Console) -> Result<(), Failure> {
    let config = settings.load()?;
    begin(&config)?;
    block_on(async {
        let store = open_store(&config).await?;
        let audit = || Audit::open(&config.store.data);
        match command {
            Command::Add(add) => add.run(&store, &config, &audit()?, console).await,
            Command::List => list::run(&store, console).await,
            Command::Show(show) => show.run(&store, console).await,
            Command::Set(set) => set.run(&store, &audit()?, console).await,
            Command::Rotate(rotate) => rotate.run(&store, &config, &audit()?, console).await,
            Command::Disable(disable) => disable.run(&store, &audit()?, console).await,
            Command::Enable(enable) => enable.run(&store, &audit()?, console).await,
            Command::Remove(remove) => remove.run(&store, &audit()?, console).await,
        }
    })
}

/// Opens the store beside a server, or without one.
pub async fn open_store(config: &Config) -> Result<Store, Failure> {
    let opened = Store::open_beside(&config.store, Clock::system()).await;
    opened.map_err(|error| Failure::because(format!("cannot open the store in {}", config.store.data.display()), &error))
}

const HINT: &str = "`strongroom account list` shows the accounts";

/// The account, which exists or did exist.
pub async fn find_with_removed(store: &Store, id: &AccountId) -> Result<Account, Failure> {
    let found = store.account(id).await.map_err(|error| Failure::of_store(format!("cannot read account {id}"), &error))?;
    found.ok_or_else(|| Failure::new(format!("there is no account {id}")).with_hint(HINT))
}

/// The account, which exists and was not removed.
pub async fn find(store: &Store, id: &AccountId) -> Result<Account, Failure> {
    let account = find_with_removed(store, id).await?;
    match account.removed_at {
        None => Ok(account),
        Some(at) => Err(Failure::new(format!("account {id} was removed at {}", at.rfc3339())).with_hint(HINT)),
    }
}

/// The account as machines read it.
fn json(account: &Account) -> serde_json::Value {
    serde_json::json!({
        "account": account.id.as_str(),
        "kind": account.kind.as_str(),
        "description": account.description,
        "retention_days": account.retention.current().days(),
        "quota_bytes": account.quota_bytes,
        "used_bytes": account.used_bytes,
        "created_at": account.created_at.rfc3339(),
        "disabled": account.disabled,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::access::Secret;
    use crate::model::account::Kind;
    use crate::model::instant::Instant;
    use crate::model::retention::{Retention, RetentionHistory};

    pub fn account(id: &str) -> Account {
        Account {
            id: id.parse().expect("a good id"),
            kind: Kind::Archive,
            description: "web server".to_owned(),
            password: Secret::presented("Mj313x2D1OyrTSpy").hash(),
            quota_bytes: Some(10 << 30),
            used_bytes: 386_304,
            retention: RetentionHistory::starting(Retention::DEFAULT),
            created_at: Instant::from_seconds(1_795_176_000),
            disabled: None,
            removed_at: None,
        }
    }

    #[test]
    fn machines_read_an_account_without_its_password() {
        let expected = r#"{"account":"Y21R3P","created_at":"2026-11-20T12:00:00Z","description":"web server","disabled":null,"kind":"archive","quota_bytes":10737418240,"retention_days":30,"used_bytes":386304}"#;
        assert_eq!(json(&account("Y21R3P")).to_string(), expected);
    }
}

//! `catalog rebuild` and `catalog backup`.

use std::path::PathBuf;

use serde_json::json;

use super::account::open_store;
use super::audit::Audit;
use super::console::Console;
use super::failure::Failure;
use super::process::{begin, block_on};
use super::progress;
use super::settings::SettingFlags;
use crate::clock::Clock;
use crate::config::Config;
use crate::store::Store;
use crate::store::fleet::vault_secret::VaultSecret;
use crate::store::rebuild::RebuildProgress;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Make a lost catalog anew from the files and the copies beside them; no server may run meanwhile
    Rebuild,
    /// Write a consistent copy of the catalog, while a server runs or not, and beside it, as FILE.vault-secret, one of the vault secret
    Backup {
        /// The copy; it must not exist yet
        #[arg(value_name = "FILE")]
        to: PathBuf,
    },
}

pub fn run(command: Command, settings: &SettingFlags, console: &mut Console) -> Result<(), Failure> {
    let config = settings.load()?;
    begin(&config)?;
    match command {
        Command::Rebuild => rebuild(&config, console),
        Command::Backup { to } => backup(&config, to, console),
    }
}

fn rebuild(config: &Config, console: &mut Console) -> Result<(), Failure> {
    let bar = progress::bar(console.is_watched);
    let rebuilt = block_on(Box::pin(async {
        let mut show = |progress: RebuildProgress| {
            bar.set_length(progress.all_bytes);
            bar.set_position(progress.bytes);
        };
        let rebuilt = Store::rebuild(&config.store, Clock::system(), &mut show).await;
        rebuilt.map_err(|error| Failure::because("cannot rebuild the catalog", &error))
    }));
    bar.finish_and_clear();
    let rebuilt = rebuilt?;
    for place in &rebuilt.moved_aside {
        console.note(&format!("the old catalog was moved to {place}"));
    }
    for lost in &rebuilt.lost {
        console.note(&format!("lost: {lost}"));
    }
    let (files, quarantined) = (rebuilt.found.adopted, rebuilt.found.quarantined);
    let json = json!({ "accounts": rebuilt.accounts, "files": files, "quarantined": quarantined, "lost": rebuilt.lost });
    let noted = Audit::open(&config.store.data).and_then(|audit| audit.note("catalog rebuild", None, &json));
    console.answer_either(&json, || format!("{} accounts and {files} files are in the catalog again\n", rebuilt.accounts))?;
    noted?;
    match quarantined {
        0 => Ok(()),
        count => Err(Failure::damaged(format!("{count} blobs fit no account or no digest and were left as they are"))
            .with_hint("`strongroom check` names them; nothing deletes them")),
    }
}

fn backup(config: &Config, to: PathBuf, console: &mut Console) -> Result<(), Failure> {
    if to.try_exists().unwrap_or(true) {
        return Err(Failure::new(format!("{} exists already", to.display())).with_hint("name a new file: no copy is ever replaced"));
    }
    let mut secret = to.clone().into_os_string();
    secret.push(".vault-secret");
    let secret = PathBuf::from(secret);
    if secret.try_exists().unwrap_or(true) {
        return Err(Failure::new(format!("{} exists already", secret.display())).with_hint("name a new file: no copy is ever replaced"));
    }
    block_on(async {
        let store = open_store(config).await?;
        let copied = store.backup_catalog(&to).await;
        copied.map_err(|error| Failure::of_store(format!("cannot copy the catalog to {}", to.display()), &error))
    })?;
    let copied = VaultSecret::copy(&config.server.vault_secret, &secret);
    let has_secret = copied.map_err(|error| Failure::because("the catalog is copied, but not the vault secret", &error))?;
    let json = json!({ "copy": to.display().to_string(), "vault_secret": has_secret.then(|| secret.display().to_string()) });
    console.answer_either(&json, || {
        let beside = if has_secret { format!(", and what opens the vaults of agents to {}", secret.display()) } else { String::new() };
        format!("The catalog is copied to {}{beside}\n", to.display())
    })
}

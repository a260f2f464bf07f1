//! `clock accept`.

use serde_json::json;

use super::account::open_store;
use super::audit::Audit;
use super::console::Console;
use super::failure::Failure;
use super::process::{begin, block_on};
use super::settings::SettingFlags;

#[derive(clap::Subcommand)]
pub enum Command {
    /// Let expiry go on after the clock has jumped: what is due by the clock of now ends then
    Accept,
}

pub fn run(command: Command, settings: &SettingFlags, console: &mut Console) -> Result<(), Failure> {
    let Command::Accept = command;
    let config = settings.load()?;
    begin(&config)?;
    let accepted = block_on(async {
        let store = open_store(&config).await?;
        let audit = Audit::open(&config.store.data)?;
        let accepted = store.accept_clock().await.map_err(|error| Failure::of_store("cannot accept the clock", &error))?;
        let said = json!({ "before": accepted.before.rfc3339(), "after": accepted.after.rfc3339() });
        audit.note("clock accept", None, &said)?;
        Ok(accepted)
    })?;
    let (before, after) = (accepted.before.rfc3339(), accepted.after.rfc3339());
    console.answer_either(&json!({ "before": before, "after": after }), || format!("The store's time goes on from {before} to {after}\n"))
}

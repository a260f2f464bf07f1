//! `strongroom fleet`: the machines that are backed up, from the operator's side. A file per command; each takes effect on the server's next
//! request.

mod check;
mod list;
mod open;
mod revive;

use clap::Subcommand;

use super::account::open_store;
use super::audit::Audit;
use super::console::Console;
use super::failure::Failure;
use super::process::{begin, block_on};
use super::settings::SettingFlags;
use crate::store::fleet::Refusal;

#[derive(Subcommand)]
pub enum Command {
    /// List the agents of all tenants
    List(list::List),
    /// Name every agent without an active configuration, and every active one without a young backup; exit 3 where there are any
    Check(check::Check),
    /// Print a fresh access URL of an agent's vault, and what opens it, as lines for stock restic
    Open(open::Open),
    /// Take the deletion of an agent back
    Revive(revive::Revive),
    /// Let a cleanup go on that was halted because it had hidden half of its vault
    Accept(revive::Accept),
}

pub fn run(command: Command, settings: &SettingFlags, console: &mut Console) -> Result<(), Failure> {
    let config = settings.load()?;
    begin(&config)?;
    block_on(async {
        let store = open_store(&config).await?;
        let audit = || Audit::open(&config.store.data);
        match command {
            Command::List(list) => list.run(&store, console).await,
            Command::Check(check) => check.run(&store, console).await,
            Command::Open(open) => open.run(&store, &config, &audit()?, console).await,
            Command::Revive(revive) => revive.run(&store, &audit()?, console).await,
            Command::Accept(accept) => accept.run(&store, &audit()?, console).await,
        }
    })
}

fn refused(refusal: Refusal) -> Failure {
    let (Refusal::NotFound(text)
    | Refusal::Invalid(text)
    | Refusal::Forbidden(text)
    | Refusal::Conflict(text)
    | Refusal::TooLarge(text)
    | Refusal::TooOften(text, _)) = refusal;
    Failure::new(text.trim_end_matches('.').to_owned()).with_hint("`strongroom fleet list --deleted` shows all agents")
}

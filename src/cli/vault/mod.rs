//! `strongroom vault`: the commands of whoever backs up into a repository, and `revive` for the operator of a server.
//!
//! All but `revive` are ordinary clients: they know no store and read no config file. Options and the environment say everything.

mod backup;
mod check;
mod counted;
mod failures;
mod forget;
mod init;
mod key;
mod ls;
mod maker;
mod moment;
pub mod password;
mod patterns;
mod prune;
mod repository;
mod restore;
mod revive;
mod selection;
mod session;
pub(in crate::cli) mod signals;
mod snapshots;
mod sources;
mod unlock;

use clap::Subcommand;

use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::cli::settings::{SettingFlags, without_help};
use crate::logging;

#[derive(Subcommand)]
pub enum Command {
    /// Make a repository
    Init(init::Init),
    /// Save files and folders as a new snapshot
    Backup(Box<backup::Backup>),
    /// List the snapshots
    Snapshots(snapshots::Snapshots),
    /// List what is in a snapshot
    Ls(ls::Ls),
    /// Make a snapshot's files again below a folder
    Restore(Box<restore::Restore>),
    /// See whether everything that the snapshots need is there and whole; exit 3 when it is not
    Check(check::Check),
    /// Remove snapshots that no rule keeps, or those that are named
    Forget(Box<forget::Forget>),
    /// Remove the data that no snapshot needs any more
    Prune(prune::Prune),
    /// List, add and remove the passwords that open the repository
    #[command(subcommand)]
    Key(key::Command),
    /// Remove locks that were left behind
    Unlock(unlock::Unlock),
    /// On the server: make a vault again what it was at a time. What was deleted since comes back, what was stored since is hidden
    Revive(revive::Revive),
}

/// What reads no settings shows none.
pub fn hide_settings(vault: clap::Command) -> clap::Command {
    vault.mut_subcommands(|command| if command.get_name() == "revive" { command } else { without_help(command) })
}

pub fn run(command: Command, settings: &SettingFlags, console: &mut Console) -> Result<(), Failure> {
    // A command on a store begins its log by itself.
    if !matches!(command, Command::Revive(_)) {
        begin_log(settings, console)?;
    }
    match command {
        Command::Init(init) => init.run(console),
        Command::Backup(backup) => backup.run(console),
        Command::Snapshots(snapshots) => snapshots.run(console),
        Command::Ls(ls) => ls.run(console),
        Command::Restore(restore) => restore.run(console),
        Command::Check(check) => check.run(console),
        Command::Forget(forget) => forget.run(console),
        Command::Prune(prune) => prune.run(console),
        Command::Key(command) => key::run(command, console),
        Command::Unlock(unlock) => unlock.run(console),
        Command::Revive(revive) => revive.run(settings, console),
    }
}

fn begin_log(settings: &SettingFlags, console: &mut Console) -> Result<(), Failure> {
    if let Some(log) = settings.log_of_client() {
        logging::init(&log).map_err(|error| Failure::because("cannot start logging", &error))?;
        // Lines of a log and a bar that is drawn again and again would tear each other apart.
        console.is_watched = false;
    }
    Ok(())
}

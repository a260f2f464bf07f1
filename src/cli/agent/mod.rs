//! `strongroom agent`: what is done on a machine that is backed up. It reads no settings of the server: options, the environment and the
//! state folder say everything.

mod api_key;
mod passphrase;
mod place;
mod register;
mod run;
mod server;
mod set;
mod status;
mod up;

use clap::Subcommand;

use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::cli::settings::{SettingFlags, without_help};

#[derive(Subcommand)]
pub enum Command {
    /// Register this machine, so that it can be backed up
    ///
    /// A machine that registers again is a new agent with an empty vault, unless it takes over the old one. The state of the old one is
    /// moved to a folder beside, and nothing of it is erased.
    Register(Box<register::Register>),
    /// Back up this machine as its server says, until stopped
    ///
    /// The first SIGTERM or Ctrl-C lets what runs end tidily, for at most 45 seconds; backups go on after the next start. The second one
    /// ends the process at once. The log begins at --log-level or RUST_LOG; the level that the server names counts for more.
    Run(run::Run),
    /// Say whether this machine is backed up; exit 3 when it is not
    ///
    /// Exit 3 where no agent is registered, no process of it runs, the server cannot be reached or does not know the agent, the agent is
    /// disabled, or no configuration is active. So it is fit for monitoring.
    Status(status::Status),
    /// Change where the server is, by what it is believed, or the passphrase that is kept
    Set(set::Set),
}

/// What reads no settings shows none.
pub fn hide_settings(agent: clap::Command) -> clap::Command {
    agent.mut_subcommands(without_help)
}

pub fn run(command: Command, settings: &SettingFlags, console: &mut Console) -> Result<(), Failure> {
    match command {
        Command::Register(register) => register.run(console),
        Command::Run(run) => run.run(settings, console),
        Command::Status(status) => status.run(console),
        Command::Set(set) => set.run(console),
    }
}

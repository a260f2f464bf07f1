//! The command line: a file per command, with its arguments (a doc comment is the help text) and its `run`.
//!
//! Answers go to standard output, everything else to standard error. Exit: 0 done, 1 failed, 2 wrong usage, 3 finished but
//! something was found damaged or skipped.

mod account;
mod agent;
mod arguments;
mod audit;
mod catalog;
mod check;
mod clock;
mod completions;
mod config;
mod confirm;
mod console;
mod destination;
mod failure;
mod fleet;
mod man;
mod process;
mod progress;
mod serve;
mod settings;
mod table;
#[cfg(test)]
mod tests;
mod user;
mod vault;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{FromArgMatches as _, Parser, Subcommand};

use console::Console;
use failure::Failure;
use settings::SettingFlags;

/// A backup store that cannot be talked into losing a backup
///
/// Put a file with curl, get it back with curl. Nobody who holds the access URL can replace a file or take it away before
/// its time. Without a command, strongroom serves.
///
/// Every setting can be given as a flag, as an environment variable (STRONGROOM_HEADER_SECONDS for --header-seconds) or in
/// the config file (header_seconds), in that order of strength.
#[derive(Parser)]
#[command(name = "strongroom", version, max_term_width = 120, subcommand_help_heading = "Commands")]
pub struct Cli {
    /// Answer in JSON: one object or array
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    settings: SettingFlags,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the store (also what happens without a command)
    Serve,
    /// Add, show and change accounts, beside a running server or without one
    #[command(subcommand)]
    Account(account::Command),
    /// Add, show and change users of the Cloud Backup API, beside a running server or without one
    #[command(subcommand)]
    User(user::Command),
    /// Read every file against its digest; exit 3 when something is damaged
    Check(check::Check),
    /// Copy the catalog, or make it anew from the files
    #[command(subcommand)]
    Catalog(catalog::Command),
    /// Look after the machines that are backed up, of all tenants
    #[command(subcommand)]
    Fleet(fleet::Command),
    /// Back up into a repository and restore from it; on the server, bring a vault back to what it was
    #[command(subcommand)]
    Vault(vault::Command),
    /// Back up this machine: register it, run the agent, see how it is
    #[command(subcommand)]
    Agent(agent::Command),
    /// Tell the store that the clock is right
    #[command(subcommand)]
    Clock(clock::Command),
    /// Show and check the settings
    #[command(subcommand)]
    Config(config::Command),
    /// Print completions for a shell
    Completions(completions::Completions),
    /// Print a man page
    Man(man::Man),
}

/// Runs the program with these arguments, its own name first.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    process::harden();
    let _faults = process::faults();
    let cli = match parse(arguments) {
        Ok(cli) => cli,
        // A reader that has gone away is no failure of ours.
        Err(error) => {
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let mut console = Console::of_process(cli.json);
    match cli.run(&mut console) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report(&mut console);
            failure.exit_code()
        }
    }
}

fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    Cli::from_arg_matches(&definition().try_get_matches_from(arguments)?)
}

/// The one definition of commands and flags: help, completions and man pages come from it.
fn definition() -> clap::Command {
    <Cli as clap::CommandFactory>::command().mut_subcommand("vault", vault::hide_settings).mut_subcommand("agent", agent::hide_settings)
}

impl Cli {
    fn run(self, console: &mut Console) -> Result<(), Failure> {
        let settings = self.settings;
        match self.command {
            None | Some(Command::Serve) => serve::run(settings, console),
            Some(Command::Account(command)) => account::run(command, &settings, console),
            Some(Command::User(command)) => user::run(command, &settings, console),
            Some(Command::Check(check)) => check.run(&settings, console),
            Some(Command::Catalog(command)) => catalog::run(command, &settings, console),
            Some(Command::Fleet(command)) => fleet::run(command, &settings, console),
            Some(Command::Vault(command)) => vault::run(command, &settings, console),
            Some(Command::Agent(command)) => agent::run(command, &settings, console),
            Some(Command::Clock(command)) => clock::run(command, &settings, console),
            Some(Command::Config(command)) => config::run(command, &settings, console),
            Some(Command::Completions(completions)) => completions.run(console),
            Some(Command::Man(man)) => man.run(console),
        }
    }
}

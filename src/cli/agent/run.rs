//! `agent run`: the agent itself, until it is stopped.
//!
//! Exit: 0 where it was stopped, where a newer process is up, and where the agent was deleted; 75 where only a new process can go on, so
//! that systemd starts one; 1 where it cannot begin, and on another machine than the one that registered.

use std::time::Duration;

use crate::agent::Settings;
use crate::agent::runner::{self, Farewell, SetLevel, Start, Terms};
use crate::agent::state::State;
use crate::cli::agent::place::{self, Place};
use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::cli::settings::SettingFlags;
use crate::cli::vault::signals;
use crate::config::LogConfig;
use crate::logging::{self, LogHandle};
use crate::vault::cancel::Cancel;

#[derive(clap::Args)]
pub struct Run {
    #[command(flatten)]
    place: Place,
    /// Run the scripts of backup configurations: whoever may edit a configuration can then run anything here
    #[arg(long)]
    allow_scripts: bool,
    /// Upload no more than this in a second, all backups together
    #[arg(long, value_name = "KIB", default_value_t = 0, hide_default_value = true)]
    limit_upload: u32,
    /// Download no more than this in a second, all restores together
    #[arg(long, value_name = "KIB", default_value_t = 0, hide_default_value = true)]
    limit_download: u32,
    /// Leave scheduled backups at the priority of the process, instead of the lowest
    #[arg(long)]
    no_nice: bool,
    /// How long a job that a user stopped may take to end before this process ends without it
    #[arg(long, env = "STRONGROOM_AGENT_STOP_SECONDS", value_name = "SECONDS", default_value_t = 60, hide = true)]
    stop_seconds: u64,
    /// How long this process waits for its jobs when it is to end
    #[arg(long, env = "STRONGROOM_AGENT_LEAVE_SECONDS", value_name = "SECONDS", default_value_t = 45, hide = true)]
    leave_seconds: u64,
}

impl Run {
    pub fn run(self, settings: &SettingFlags, console: &mut Console) -> Result<(), Failure> {
        let log = logging::init(&log_config(settings)).map_err(|error| Failure::because("cannot start logging", &error))?;
        let cancel = Cancel::default();
        signals::obey(&cancel)?;
        let state = State::open(&self.place.folder()?).map_err(|error| place::failed("the agent cannot run", &error))?;
        let start = Start { state, settings: self.settings(), cancel, set_level: set_level(log), terms: self.terms() };
        let farewell = runner::run(start).map_err(|error| Failure::because("the agent cannot run", &error))?;
        judged(farewell, console)
    }

    const fn settings(&self) -> Settings {
        Settings {
            allow_scripts: self.allow_scripts,
            limit_upload_kib: self.limit_upload,
            limit_download_kib: self.limit_download,
            keeps_priority: self.no_nice,
        }
    }

    fn terms(&self) -> Terms {
        Terms {
            stop_patience: Duration::from_secs(self.stop_seconds),
            leave_patience: Duration::from_secs(self.leave_seconds),
            ..Terms::default()
        }
    }
}

/// Until the server has named a level.
fn log_config(settings: &SettingFlags) -> LogConfig {
    let value = |name: &str| settings.flags.values.get(name).cloned();
    let environment = || std::env::var("RUST_LOG").ok().filter(|level| !level.is_empty());
    let level = value("log_level").or_else(environment).unwrap_or_else(|| "info".to_owned());
    LogConfig { level, json: value("log_format").is_some_and(|format| format == "json") }
}

fn set_level(log: LogHandle) -> SetLevel {
    Box::new(move |level| {
        if let Err(error) = log.set_level(level) {
            tracing::warn!(%error, level, "the log level stays as it is");
        }
    })
}

/// What the end of the loop means to whoever started the process.
fn judged(farewell: Farewell, console: &mut Console) -> Result<(), Failure> {
    match farewell {
        Farewell::Asked => Ok(()),
        Farewell::Superseded => {
            console.note("A newer process of this agent is up: this one ends.");
            Ok(())
        }
        Farewell::Deleted => {
            console.note("The agent was deleted at its server: it ends, and nothing is erased here. Should it be revived, start it again.");
            Ok(())
        }
        Farewell::OtherMachine(why) => Err(Failure::new(why)),
        Farewell::Stuck => Err(Failure::start_again("a job cannot be stopped but by the end of this process")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::console::tests::console;

    #[test]
    fn only_what_a_new_process_can_mend_asks_for_one() {
        let code = |farewell| judged(farewell, &mut console("", false, false).0).err().map(|failure| format!("{:?}", failure.exit_code()));
        let exit = |code: u8| Some(format!("{:?}", std::process::ExitCode::from(code)));
        assert_eq!([Farewell::Asked, Farewell::Superseded, Farewell::Deleted].map(code), [None, None, None]);
        assert_eq!(code(Farewell::Stuck), exit(75));
        let words = "To go on here with its vault: strongroom agent register --take-over 4101";
        assert_eq!(code(Farewell::OtherMachine(words.to_owned())), exit(1));
        let failure = judged(Farewell::OtherMachine(words.to_owned()), &mut console("", false, false).0).expect_err("another machine");
        assert!(failure.to_string().contains("--take-over 4101"));
    }
}

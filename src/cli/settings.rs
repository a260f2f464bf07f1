//! Settings as flags, made from the table of settings so that none can be missing.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches};

use crate::config::{Config, ConfigError, Flags, Kind, Layers, LogConfig, SETTINGS, Setting};
use crate::vault::FILE_LOG;

/// Flags that `-h` shows; `--help` shows all.
const COMMON: [&str; 4] = ["data", "listen", "public_url", "plain_http"];

/// What the command line says about settings, and `-v`.
#[derive(Clone, Default)]
pub struct SettingFlags {
    pub flags: Flags,
    verbose: u8,
}

impl SettingFlags {
    /// The settings of a server; `-v` is stronger than `log_level`.
    pub fn load_for_server(&self) -> Result<(Config, Layers), ConfigError> {
        let (mut config, layers) = Config::load(&self.flags)?;
        if let Some(level) = self.verbose_level() {
            level.clone_into(&mut config.log.level);
        }
        Ok((config, layers))
    }

    /// The settings of a command beside a server, which logs warnings only.
    pub fn load(&self) -> Result<Config, ConfigError> {
        let mut config = Config::load(&self.flags)?.0;
        self.verbose_level().unwrap_or("warn").clone_into(&mut config.log.level);
        Ok(config)
    }

    /// What a client logs, which reads no settings: with `-v` what it asks of the repository, with `-vv` each file as well. Without
    /// either what `RUST_LOG` says, or nothing.
    pub fn log_of_client(&self) -> Option<LogConfig> {
        let level = match self.verbose {
            0 => std::env::var("RUST_LOG").ok().filter(|level| !level.is_empty())?,
            1 => "warn,strongroom=debug".to_owned(),
            _ => format!("warn,strongroom=trace,{FILE_LOG}=trace"),
        };
        Some(LogConfig { level, json: false })
    }

    const fn verbose_level(&self) -> Option<&'static str> {
        match self.verbose {
            0 => None,
            1 => Some("info,strongroom=debug"),
            _ => Some("debug"),
        }
    }
}

impl clap::Args for SettingFlags {
    fn augment_args(command: clap::Command) -> clap::Command {
        let config = Arg::new("config").long("config").value_name("FILE").global(true).value_parser(clap::value_parser!(PathBuf));
        let config = config.help("The config file [default: config.toml where it exists, else /etc/strongroom/config.toml]");
        let verbose = Arg::new("verbose").short('v').long("verbose").global(true).action(ArgAction::Count);
        let verbose = verbose.help("Log more; twice for still more");
        command.arg(config).arg(verbose).next_help_heading("Settings").args(SETTINGS.iter().map(flag_of))
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |setting: &Setting| matches.get_one::<String>(setting.name).map(|text| (setting.name, text.clone()));
        let flags = Flags { config_file: matches.get_one("config").cloned(), values: SETTINGS.iter().filter_map(given).collect() };
        Ok(Self { flags, verbose: matches.get_count("verbose") })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The same flags, in no help: for a command that reads none of these settings.
pub fn without_help(command: clap::Command) -> clap::Command {
    let config = Arg::new("config").long("config").global(true).hide(true).value_parser(clap::value_parser!(PathBuf));
    command.arg(config).args(SETTINGS.iter().map(|setting| flag_of(setting).hide(true)))
}

fn flag_of(setting: &Setting) -> Arg {
    let flag = Arg::new(setting.name).long(setting.flag()).global(true).help(help_of(setting));
    let flag = flag.hide_short_help(!COMMON.contains(&setting.name)).value_name(value_name(setting));
    if setting.kind == Kind::Flag {
        return flag.num_args(0..=1).require_equals(true).default_missing_value("true");
    }
    flag
}

fn help_of(setting: &Setting) -> String {
    match setting.default {
        "" => setting.help.to_owned(),
        default => format!("{} [default: {default}]", setting.help),
    }
}

fn value_name(setting: &Setting) -> &'static str {
    match (setting.kind, setting.name) {
        (Kind::Size, _) => "SIZE",
        (Kind::Number, name) if name.ends_with("_seconds") => "SECONDS",
        (Kind::Number, name) if name.ends_with("_days") => "DAYS",
        (Kind::Number, _) => "NUMBER",
        (Kind::Flag, _) => "true|false",
        (Kind::List, "regions") => "REGION,…",
        (Kind::List, _) => "ADDRESS,…",
        (Kind::Text, "data") => "DIR",
        (Kind::Text, "listen" | "metrics_listen") => "ADDR",
        (Kind::Text, "public_url") => "URL",
        (Kind::Text, "catalog_file" | "tls_certificate" | "tls_key") => "FILE",
        (Kind::Text, _) => "VALUE",
    }
}

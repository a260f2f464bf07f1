//! Signals of a server: TERM and INT stop it, HUP reads the settings again.

use std::convert::Infallible;
use std::path::PathBuf;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::super::failure::Failure;
use super::super::settings::SettingFlags;
use crate::config::{Config, Layers};
use crate::logging::LogHandle;
use crate::server::Handle;
use crate::shutdown::Stop;

/// Registered handlers: a signal that comes before somebody obeys waits.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    pub fn register() -> Result<Self, Failure> {
        let register = |kind| signal(kind).map_err(|error| Failure::because("cannot handle signals", &error));
        Ok(Self {
            terminate: register(SignalKind::terminate())?,
            interrupt: register(SignalKind::interrupt())?,
            hang_up: register(SignalKind::hangup())?,
        })
    }

    /// Obeys for ever.
    pub async fn obey(mut self, stop: &Stop, mut reload: Reload) -> Infallible {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => stop.stop(),
                _ = self.interrupt.recv() => stop.stop(),
                _ = self.hang_up.recv() => reload.run(),
            }
        }
    }
}

/// Puts new settings in force, or leaves the old ones when the new ones are bad.
pub struct Reload {
    settings: SettingFlags,
    /// The settings that the server was started with.
    started: Layers,
    /// The config file that the settings in force come from.
    file: Option<PathBuf>,
    server: Handle,
    log: LogHandle,
}

impl Reload {
    pub fn new(settings: SettingFlags, started: Layers, server: Handle, log: LogHandle) -> Self {
        Self { settings, file: started.file.clone(), started, server, log }
    }

    /// All or nothing of the settings. A certificate is a matter of its own: a bad one is logged, and keeps nothing else back.
    fn run(&mut self) {
        let (config, layers) = match self.load() {
            Ok(loaded) => loaded,
            Err(failure) => {
                tracing::error!(error = %failure, "settings are not reloaded: the old ones stay in force");
                return;
            }
        };
        if let Err(failure) = self.log.set_level(&config.log.level).map_err(|error| Failure::because("log_level", &error)) {
            tracing::error!(error = %failure, "the log level is not reloaded: the old one stays in force");
        }
        if let Err(failure) = self.server.reload(&config.server).map_err(|error| Failure::because("cannot use it", &error)) {
            tracing::error!(error = %failure, "the TLS certificate is not reloaded: the old one stays in force, beside the new settings");
        }
        tracing::info!("settings are reloaded");
        for setting in self.started.waiting_for_restart(&layers) {
            tracing::warn!(setting, "this setting has changed and waits for a restart");
        }
        self.file = layers.file;
    }

    /// The settings as they are now. Not where the file that the old ones came from is gone: it is being replaced, or was lost, and
    /// nobody meant all of it to go back to the defaults.
    fn load(&self) -> Result<(Config, Layers), Failure> {
        let (config, layers) = self.settings.load_for_server()?;
        match &self.file {
            Some(file) if layers.file.as_ref() != Some(file) && !file.exists() => {
                Err(Failure::new(format!("the config file {} is gone", file.display())))
            }
            _ => Ok((config, layers)),
        }
    }
}

//! Signals of a server: TERM and INT stop it, HUP reads the settings again.

use std::convert::Infallible;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::super::failure::Failure;
use super::super::settings::SettingFlags;
use crate::config::Layers;
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
    pub async fn obey(mut self, stop: &Stop, reload: Reload) -> Infallible {
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
    server: Handle,
    log: LogHandle,
}

impl Reload {
    pub const fn new(settings: SettingFlags, started: Layers, server: Handle, log: LogHandle) -> Self {
        Self { settings, started, server, log }
    }

    fn run(&self) {
        match self.try_run() {
            Ok(waiting) => {
                tracing::info!("settings are reloaded");
                for setting in waiting {
                    tracing::warn!(setting, "this setting has changed and waits for a restart");
                }
            }
            Err(failure) => tracing::error!(error = %failure, "settings are not reloaded: the old ones stay in force"),
        }
    }

    fn try_run(&self) -> Result<Vec<&'static str>, Failure> {
        let (config, layers) = self.settings.load_for_server()?;
        self.server.reload(&config.server).map_err(|error| Failure::because("certificate or limits", &error))?;
        self.log.set_level(&config.log.level).map_err(|error| Failure::because("log_level", &error))?;
        Ok(self.started.waiting_for_restart(&layers))
    }
}

//! `serve`, the command that runs when none is named.

mod first_start;
mod greeting;
mod sandbox;
mod signals;

use super::console::Console;
use super::failure::Failure;
use super::process::{begin, block_on};
use super::settings::SettingFlags;
use crate::clock::Clock;
use crate::config::{Config, Layers};
use crate::logging::LogHandle;
use crate::server::{BindError, Server};
use crate::shutdown::{self, Shutdown};
use crate::store::Store;

pub fn run(settings: SettingFlags, console: &mut Console) -> Result<(), Failure> {
    let (config, layers) = settings.load_for_server()?;
    let log = begin(&config)?;
    // It binds the threads that are started from here on, so it comes before the first of them.
    sandbox::enter(&config, &layers);
    block_on(Box::pin(serve(settings, config, layers, log, console)))
}

/// From opening the store to the end of the last transfer.
async fn serve(settings: SettingFlags, config: Config, layers: Layers, log: LogHandle, console: &mut Console) -> Result<(), Failure> {
    let signals = signals::Signals::register()?;
    let store = open(&config).await?;
    let server = bind(&config, &store)?;
    // Only once the port is ours, so that the one time its password can be seen is not lost on a busy port.
    let first = first_start::first_account(&store, &config, server.address()).await?;
    let (stop, shutdown) = shutdown::channel();
    let background = start_background(&store, shutdown.clone());
    greeting::greet(&config, server.address(), first.as_ref(), console);
    let reload = signals::Reload::new(settings, layers, server.handle(), log);
    let served = tokio::select! {
        served = server.run(shutdown) => served,
        never = signals.obey(&stop, reload) => match never {},
    };
    stop.stop();
    background.await.map_err(|error| Failure::because("background work ended in disorder", &error))?;
    store.close().await;
    served.map_err(|error| Failure::because("the server failed", &error))
}

async fn open(config: &Config) -> Result<Store, Failure> {
    let opened = Store::open(&config.store, Clock::system()).await;
    opened.map_err(|error| Failure::because(format!("cannot open the store in {}", config.store.data.display()), &error))
}

fn bind(config: &Config, store: &Store) -> Result<Server, Failure> {
    Server::bind(config, store.clone()).map_err(|error| {
        let failure = Failure::because("cannot serve", &error);
        match error {
            BindError::Listen { .. } => failure.with_hint("another program may hold the port: choose one with --listen"),
            _ => failure,
        }
    })
}

/// Expiry, reconciliation and scrub, until the stop is given.
fn start_background(store: &Store, shutdown: Shutdown) -> tokio::task::JoinHandle<()> {
    let store = store.clone();
    tokio::spawn(async move { Box::pin(store.run(shutdown)).await })
}

//! Strongroom, a backup store that cannot be talked into losing a backup. The modules, in reading order:

/// What runs on a machine that is backed up: a client of the server and of the vault engine.
pub mod agent;
/// One file per command.
pub mod cli;
/// Wall time, boot time, and the guarded time that ends lives.
pub mod clock;
/// Every setting, its default and its check.
pub mod config;
/// Where a test can end the process between two steps.
pub mod fault_point;
#[cfg(test)]
#[path = "../tests/e2e/support/figure.rs"]
mod figure;
/// `tracing` set-up.
pub mod logging;
/// Nouns and rules: no I/O.
pub mod model;
/// HTTP: the Backup API and its pages.
pub mod server;
/// One stop signal to every task, and waiting for them.
pub mod shutdown;
/// What we promise to keep: catalog and blobs, and the only place where they meet.
pub mod store;
/// Encrypted, deduplicating repositories in restic's format: the client side, no server code.
pub mod vault;
/// JSON in and out; old field spellings end here.
pub mod wire;

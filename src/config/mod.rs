//! Every setting, its default and its check; nothing else reads settings.
//!
//! A setting has one name, as flag, as environment variable and as key of the file, in that order of strength. `setting`
//! is the table of them, `layers` finds the effective text of each, `check` turns the texts into a [`crate::config::Config`] or says why not.

mod check;
mod error;
mod file;
mod layers;
pub mod mail;
pub mod public_url;
mod read;
mod setting;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

pub use error::ConfigError;
use layers::Surroundings;
pub use layers::{Flags, Layers, Origin, Value};
pub use setting::{Kind, SETTINGS, Setting};

/// Where a config file is looked for when none is named.
const STANDARD_FILES: [&str; 2] = ["config.toml", "/etc/strongroom/config.toml"];

/// All settings, checked. Each part of the program is handed its own piece.
#[derive(Clone, Debug)]
pub struct Config {
    pub store: StoreConfig,
    pub server: ServerConfig,
    pub log: LogConfig,
    /// How mail is sent; none without it.
    pub mail: Option<mail::MailConfig>,
    /// A server gives up what it does not need of the operating system.
    pub sandbox: bool,
}

impl Config {
    /// The checked settings of this process, and where each came from. Reads the config file and, where `catalog_file`
    /// names one, that file; makes nothing.
    pub fn load(flags: &Flags) -> Result<(Self, Layers), ConfigError> {
        let layers = Layers::load(flags)?;
        Ok((check::check(&layers)?, layers))
    }
}

impl Layers {
    /// The settings of this process, not yet checked.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        let environment = |name: &str| std::env::var_os(name);
        Self::gather(flags, &Surroundings { environment: &environment, standard_files: &STANDARD_FILES.map(PathBuf::from) })
    }
}

/// What the store needs to know.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// The data directory.
    pub data: PathBuf,
    pub catalog: CatalogTarget,
    /// Threads that read the catalog, each with a connection of its own.
    pub catalog_readers: usize,
    /// Disk space that uploads leave to the catalog and to expiry.
    pub disk_reserve_bytes: u64,
    /// Every blob is read against its digest once in this many days; 0 turns the scrub off.
    pub scrub_days: u64,
    /// Small copies kept under `blobs/.control/`.
    pub control_copies: usize,
    /// Live sessions of one account; one more ends the oldest.
    pub sessions_per_account: u64,
    /// There is a way to send mail.
    pub mails: bool,
}

/// Which catalog.
#[derive(Clone)]
pub enum CatalogTarget {
    /// `catalog.db` in the data directory.
    Sqlite,
    /// A `postgres://` URL, which may hold a password: `Debug` redacts it.
    Postgres(String),
}

impl std::fmt::Debug for CatalogTarget {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Sqlite => "sqlite",
            Self::Postgres(_) => "postgres://redacted",
        })
    }
}

/// What the listener and the handlers need to know.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    pub listen: SocketAddr,
    /// `https://HOST[:PORT]/` for links, where the operator names it.
    pub public_url: Option<String>,
    /// Serve HTTP without TLS: on loopback addresses, or where `trusted_proxies` names the proxy in front.
    pub plain_http: bool,
    /// Peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Certificate chain and key in PEM; without them `data/tls` holds a self-signed pair.
    pub tls_certificate: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    /// Regions that a login names, in upper case, at least one; all are this server.
    pub regions: Vec<String>,
    /// What the list of agents says of their status.
    pub listed_status: ListedStatus,
    /// The file that opens the vaults whose users did not encrypt them.
    pub vault_secret: PathBuf,
    /// Plain HTTP on a loopback address with `/metrics` and nothing else; none by default.
    pub metrics_listen: Option<SocketAddr>,
    pub limits: Limits,
}

/// What `GET user/agents` says of each agent's status; the details of one agent always tell the truth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListedStatus {
    /// As the original did, whatever the agent does.
    Offline,
    /// Clients that know the word ask for the details.
    Unknown,
    Live,
}

/// Bounds on what clients may take. SIGHUP puts new ones in force.
#[derive(Clone, Debug)]
pub struct Limits {
    /// From the first byte of a request to the end of its headers.
    pub header_time: Duration,
    pub handshake_time: Duration,
    /// An idle keep-alive connection.
    pub idle_time: Duration,
    /// Without a byte of progress in a body, either way.
    pub progress_time: Duration,
    /// How long, and how many bytes of, a refused body is read and thrown away.
    pub drain_time: Duration,
    pub drain_bytes: u64,
    /// Running transfers get this long after SIGTERM.
    pub shutdown_time: Duration,
    pub header_bytes: usize,
    pub header_count: usize,
    pub uri_bytes: usize,
    pub max_file_bytes: u64,
    pub connections: usize,
    /// 0 is no limit.
    pub connections_per_address: usize,
    /// Wrong logins a minute from one address (IPv6: /64) before it hears 429.
    pub login_failures_per_minute: u32,
    /// Wrong logins a minute from everywhere.
    pub login_failures_per_minute_in_all: u32,
    /// Log lines a minute about requests of one address (IPv6: /64) that no account answers for; 0 is no limit.
    pub log_lines_per_minute: u32,
}

#[derive(Clone, Debug)]
pub struct LogConfig {
    /// A `tracing` filter such as `info` or `strongroom=debug`.
    pub level: String,
    pub json: bool,
}

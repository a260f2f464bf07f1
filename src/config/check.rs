//! From texts to a [`Config`]: every setting is read and checked here, and what does not fit is refused in words.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::layers::{Layers, Origin};
use super::{CatalogTarget, Config, Limits, ListedStatus, LogConfig, ServerConfig, StoreConfig, mail, public_url};
use crate::model::stored_file::MAX_FILE_BYTES;

type Result<T> = std::result::Result<T, ConfigError>;

/// No time-out is longer than a day.
const DAY_SECONDS: u64 = 24 * 3600;
/// A name of 768 bytes, all of them percent-encoded, within a session's URL still fits.
const LEAST_URI_BYTES: u64 = 4 << 10;
/// The least that the HTTP library reads into.
const LEAST_HEADER_BYTES: u64 = 8 << 10;

/// The configuration, or the first thing that is wrong with it.
pub fn check(layers: &Layers) -> Result<Config> {
    Ok(Config {
        store: store(layers)?,
        server: server(layers)?,
        log: log(layers)?,
        mail: mail::check(layers)?,
        sandbox: layers.flag("sandbox")?,
    })
}

fn store(layers: &Layers) -> Result<StoreConfig> {
    Ok(StoreConfig {
        data: layers.path("data").ok_or_else(|| layers.refused("data", "the path of a directory is wanted"))?,
        catalog: catalog(layers)?,
        catalog_readers: layers.number("catalog_readers", 1..=256)?,
        disk_reserve_bytes: layers.bytes("disk_reserve", 0..=1 << 50)?,
        scrub_days: layers.number("scrub_days", 0..=3650)?,
        control_copies: layers.number("control_copies", 1..=10_000)?,
        sessions_per_account: layers.number("sessions_per_account", 1..=100_000)?,
        mails: layers.text("smtp").is_some(),
    })
}

fn catalog(layers: &Layers) -> Result<CatalogTarget> {
    let Some(path) = layers.path("catalog_file") else {
        let text = layers.get("catalog").text.clone();
        let is_flag = matches!(layers.get("catalog").origin, Origin::Flag(_));
        if is_flag && holds_password(&text) {
            let why =
                "a command line is seen by every user of the machine: put a URL with a password into a file and name it with catalog_file";
            return Err(layers.refused("catalog", why));
        }
        return catalog_target(text).ok_or_else(|| layers.refused("catalog", "sqlite or a postgres:// URL is wanted"));
    };
    if layers.get("catalog").text != "sqlite" {
        return Err(layers.refused("catalog_file", "catalog names a catalog too: set one of the two"));
    }
    let text = private_text(&path).map_err(|why| layers.refused("catalog_file", why))?;
    let url = catalog_target(text).filter(|target| matches!(target, CatalogTarget::Postgres(_)));
    url.ok_or_else(|| layers.refused("catalog_file", format!("{} does not hold a postgres:// URL", path.display())))
}

fn catalog_target(text: String) -> Option<CatalogTarget> {
    if text == "sqlite" {
        return Some(CatalogTarget::Sqlite);
    }
    let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
    is_url.then_some(CatalogTarget::Postgres(text))
}

/// Whether the part before the host, or the query, names a password.
fn holds_password(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let in_user = rest.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'));
    in_user || rest.contains("password=")
}

/// The trimmed text of a file that only its owner may read.
pub(super) fn private_text(path: &Path) -> std::result::Result<String, String> {
    use std::os::unix::fs::PermissionsExt as _;
    let unreadable = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let mode = std::fs::metadata(path).map_err(unreadable)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(format!("{} can be read by others: give it mode 0600", path.display()));
    }
    Ok(std::fs::read_to_string(path).map_err(unreadable)?.trim().to_owned())
}

fn server(layers: &Layers) -> Result<ServerConfig> {
    let wanted = "an address with a port such as [::]:8443 or 127.0.0.1:8443";
    let listen: SocketAddr = layers.parsed("listen", wanted)?.ok_or_else(|| layers.refused("listen", format!("{wanted} is wanted")))?;
    let config = ServerConfig {
        listen,
        public_url: public_url(layers, listen)?,
        plain_http: layers.flag("plain_http")?,
        trusted_proxies: trusted_proxies(layers)?,
        tls_certificate: layers.path("tls_certificate"),
        tls_key: layers.path("tls_key"),
        regions: regions(layers)?,
        listed_status: listed_status(layers)?,
        vault_secret: vault_secret(layers)?,
        metrics_listen: layers.parsed("metrics_listen", wanted)?,
        limits: limits(layers)?,
    };
    refuse_what_does_not_fit_together(layers, &config)?;
    Ok(config)
}

fn refuse_what_does_not_fit_together(layers: &Layers, config: &ServerConfig) -> Result<()> {
    if config.plain_http && !config.listen.ip().is_loopback() && config.trusted_proxies.is_empty() {
        let why =
            "passwords would cross the network in the clear: listen on a loopback address, or name the proxy in front in trusted_proxies";
        return Err(layers.refused("plain_http", why));
    }
    for (one, other) in [("tls_certificate", "tls_key"), ("tls_key", "tls_certificate")] {
        if layers.text(one).is_some() && layers.text(other).is_none() {
            return Err(layers.refused(one, format!("{other} is missing: set both or none")));
        }
    }
    if config.plain_http && config.tls_certificate.is_some() {
        return Err(layers.refused("tls_certificate", "plain_http serves without TLS: set one of the two"));
    }
    if config.metrics_listen.is_some_and(|address| !address.ip().is_loopback()) {
        return Err(layers.refused("metrics_listen", "a loopback address is wanted: metrics have no password"));
    }
    Ok(())
}

fn public_url(layers: &Layers, listen: SocketAddr) -> Result<Option<String>> {
    let is_plain_on_loopback = layers.flag("plain_http")? && listen.ip().is_loopback();
    let parse = |text| public_url::parse(text, is_plain_on_loopback).map_err(|why| layers.refused("public_url", why));
    layers.text("public_url").map(parse).transpose()
}

fn trusted_proxies(layers: &Layers) -> Result<Vec<std::net::IpAddr>> {
    let items = layers.get("trusted_proxies").text.split(',').map(str::trim).filter(|item| !item.is_empty());
    let parse = |item: &str| item.parse().map_err(|_| layers.refused("trusted_proxies", format!("`{item}` is not an IP address")));
    items.map(parse).collect()
}

/// In upper case, since clients compare them so; in the order in which they are named.
fn listed_status(layers: &Layers) -> Result<ListedStatus> {
    match layers.get("list_agents_status").text.as_str() {
        "offline" => Ok(ListedStatus::Offline),
        "unknown" => Ok(ListedStatus::Unknown),
        "live" => Ok(ListedStatus::Live),
        other => Err(layers.refused("list_agents_status", format!("it is offline, unknown or live, not `{other}`"))),
    }
}

/// In the data directory, unless another place is named.
fn vault_secret(layers: &Layers) -> Result<PathBuf> {
    let named = layers.path("vault_secret");
    let data = || layers.path("data").ok_or_else(|| layers.refused("data", "the path of a directory is wanted"));
    named.map_or_else(|| Ok(data()?.join("vault-secret")), Ok)
}

fn regions(layers: &Layers) -> Result<Vec<String>> {
    let mut regions = Vec::new();
    for item in layers.get("regions").text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let is_plain = item.len() <= 32 && item.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !is_plain {
            return Err(layers.refused("regions", format!("a region is 1 to 32 letters, digits and dashes, not `{item}`")));
        }
        let region = item.to_ascii_uppercase();
        if regions.contains(&region) {
            return Err(layers.refused("regions", format!("{region} is named twice")));
        }
        regions.push(region);
    }
    if regions.is_empty() { Err(layers.refused("regions", "at least one region is wanted, such as DFW")) } else { Ok(regions) }
}

fn limits(layers: &Layers) -> Result<Limits> {
    let header_bytes = layers.bytes("header_bytes", LEAST_HEADER_BYTES..=1 << 20)?;
    Ok(Limits {
        header_time: layers.seconds("header_seconds", 1..=DAY_SECONDS)?,
        handshake_time: layers.seconds("handshake_seconds", 1..=DAY_SECONDS)?,
        idle_time: layers.seconds("idle_seconds", 1..=DAY_SECONDS)?,
        progress_time: layers.seconds("progress_seconds", 1..=DAY_SECONDS)?,
        drain_time: layers.seconds("drain_seconds", 0..=DAY_SECONDS)?,
        drain_bytes: layers.bytes("drain_bytes", 0..=1 << 50)?,
        shutdown_time: layers.seconds("shutdown_seconds", 0..=DAY_SECONDS)?,
        header_bytes,
        header_count: layers.number("header_count", 10..=10_000)?,
        uri_bytes: layers.bytes("uri_bytes", LEAST_URI_BYTES..=header_bytes as u64)?,
        max_file_bytes: layers.bytes("max_file_bytes", 1..=MAX_FILE_BYTES)?,
        connections: layers.number("connections", 1..=1_000_000)?,
        connections_per_address: layers.number("connections_per_address", 0..=1_000_000)?,
        login_failures_per_minute: layers.number("login_failures_per_minute", 1..=1_000_000)?,
        login_failures_per_minute_in_all: layers.number("login_failures_per_minute_in_all", 1..=100_000_000)?,
        log_lines_per_minute: layers.number("log_lines_per_minute", 0..=100_000_000)?,
    })
}

fn log(layers: &Layers) -> Result<LogConfig> {
    let level = layers.get("log_level").text.clone();
    if !level.split(',').all(is_directive) {
        return Err(
            layers.refused("log_level", format!("error, warn, info, debug, trace or off is wanted, or TARGET=LEVEL, not `{level}`"))
        );
    }
    let format = layers.get("log_format").text.as_str();
    match format {
        "text" | "json" => Ok(LogConfig { level, json: format == "json" }),
        _ => Err(layers.refused("log_format", format!("text or json is wanted, not `{format}`"))),
    }
}

/// `LEVEL` or `TARGET=LEVEL`. The library would take a misspelt level for a target.
fn is_directive(part: &str) -> bool {
    let (target, level) = part.trim().split_once('=').unwrap_or(("strongroom", part.trim()));
    let is_target = !target.is_empty() && target.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_:".contains(&byte));
    is_target && ["off", "error", "warn", "info", "debug", "trace"].contains(&level)
}

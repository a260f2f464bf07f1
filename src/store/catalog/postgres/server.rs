//! Which server, how it is reached, and whether it keeps what it acknowledges.
//!
//! Plain connections only go to this machine; every other one is TLS with a certificate that the system trusts. No text of an
//! error holds any part of the URL, because a misspelt one may hold the password anywhere.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ::postgres::config::{Host, SslMode, SslNegotiation, TargetSessionAttrs};
use ::postgres::{Client, Config};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::super::engine::Role;
use super::super::{CatalogError, Fault};
use super::fault;

/// How long a connection that may be lost has for one empty statement.
pub(super) const ANSWER_TIME: Duration = Duration::from_secs(5);
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// A server that is gone is noticed within this time.
const SILENCE_TIME: Duration = Duration::from_secs(15);

/// How long a connection may take until it can be used, the server's answers included.
pub(super) const OPEN_TIME: Duration = SILENCE_TIME;
/// Connections that a silent server leaves unanswered at most, before it is asked for no more.
const MOST_ATTEMPTS: usize = 512;

/// How to reach the server. Cheap to clone; never printed, it holds the password.
#[derive(Clone)]
pub(in super::super) struct Server {
    config: Arc<Config>,
    tls: MakeRustlsConnect,
    /// Connections that are being opened.
    attempts: Arc<AtomicUsize>,
}

/// A connection that is being opened, counted until it is dropped.
pub(super) struct Attempt(Arc<AtomicUsize>);

impl Drop for Attempt {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Server {
    /// Reads the URL; refuses a plain connection to another machine.
    pub(in super::super) fn new(url: &str) -> Result<Self, CatalogError> {
        let mut config: Config = url.parse().map_err(|_| {
            refused("its URL cannot be read: `postgres://USER:PASSWORD@HOST/DATABASE`, with `%40` for an @ in the password and so on")
        })?;
        config.ssl_mode(ssl_mode(&config)?);
        config.connect_timeout(CONNECT_TIME).tcp_user_timeout(SILENCE_TIME);
        config.keepalives(true).keepalives_idle(CONNECT_TIME).keepalives_interval(Duration::from_secs(3)).keepalives_retries(3);
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        if config.get_application_name().is_none() {
            config.application_name("strongroom");
        }
        let tls = tls(config.get_ssl_negotiation())?;
        Ok(Self { config: Arc::new(config), tls, attempts: Arc::default() })
    }

    /// Counts a connection that is about to be opened; refuses where too many got no answer yet.
    pub(super) fn attempt(&self) -> Result<Attempt, CatalogError> {
        let others = self.attempts.fetch_add(1, Ordering::SeqCst);
        let attempt = Attempt(Arc::clone(&self.attempts));
        if others < MOST_ATTEMPTS { Ok(attempt) } else { Err(silent()) }
    }

    pub(super) fn connect(&self) -> Result<Client, CatalogError> {
        self.config.connect(self.tls.clone()).map_err(|error| {
            CatalogError::with_source(Fault::Unavailable, "connecting to the PostgreSQL server of the catalog", fault::cause(&error))
        })
    }
}

/// It takes connections and does not answer.
pub(super) fn silent() -> CatalogError {
    CatalogError::new(Fault::Unavailable, "the PostgreSQL server of the catalog does not answer")
}

/// Refuses a server that could lose what it acknowledged, or that keeps text in another encoding.
pub(super) fn judge(client: &mut Client) -> Result<(), CatalogError> {
    let mut settings = Vec::new();
    for name in ["fsync", "full_page_writes", "synchronous_commit", "server_encoding"] {
        let rows = client.query("SELECT current_setting($1)", &[&name]).map_err(|error| unanswered(&error))?;
        settings.push((name, rows.first().map_or_else(String::new, |row| row.get(0))));
    }
    judge_settings(&settings)
}

/// What every connection has. A reader's cannot write. A lock is waited for as long as on SQLite, and a server of ours that
/// stalls in a transaction does not stop the others for ever.
pub(super) fn set_up(client: &mut Client, role: Role) -> Result<(), CatalogError> {
    let read_only = if role == Role::Reader { "on" } else { "off" };
    let settings = format!(
        "SELECT set_config('synchronous_commit', current_setting('synchronous_commit'), false); \
         SET lock_timeout = '30s'; SET idle_in_transaction_session_timeout = '60s'; SET default_transaction_read_only = {read_only}"
    );
    client.batch_execute(&settings).map_err(|error| unanswered(&error))
}

fn judge_settings(settings: &[(&str, String)]) -> Result<(), CatalogError> {
    for (name, value) in settings {
        match (*name, value.as_str()) {
            ("server_encoding", "UTF8") => {}
            ("server_encoding", other) => return Err(refused(&format!("its encoding is {other}: make a database with ENCODING 'UTF8'"))),
            (name, "off" | "") => {
                return Err(refused(&format!("its setting {name} is off, so it can lose what it has acknowledged: turn it on")));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Plain to this machine, unless TLS is asked for; TLS to every other one, whatever is asked for.
fn ssl_mode(config: &Config) -> Result<SslMode, CatalogError> {
    let is_here = match config.get_hostaddrs() {
        [] => config.get_hosts().iter().all(is_this_machine),
        addresses => addresses.iter().all(IpAddr::is_loopback),
    };
    match (is_here, config.get_ssl_mode()) {
        (true, SslMode::Require) => Ok(SslMode::Require),
        (true, _) => Ok(SslMode::Disable),
        (false, SslMode::Disable) => {
            Err(refused("`sslmode=disable` would send the catalog in the clear to another machine: take it out of the URL"))
        }
        (false, _) => Ok(SslMode::Require),
    }
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
    }
}

fn tls(negotiation: SslNegotiation) -> Result<MakeRustlsConnect, CatalogError> {
    let failed = |error: rustls::Error| CatalogError::with_source(Fault::Failed, "setting up TLS for PostgreSQL", error);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(failed)?;
    let mut config = builder.with_platform_verifier().map_err(failed)?.with_no_client_auth();
    if negotiation == SslNegotiation::Direct {
        config.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    Ok(MakeRustlsConnect::new(config))
}

fn unanswered(error: &::postgres::Error) -> CatalogError {
    CatalogError::with_source(Fault::Unavailable, "asking the PostgreSQL server for its settings", fault::cause(error))
}

fn refused(why: &str) -> CatalogError {
    CatalogError::new(Fault::Failed, format!("this PostgreSQL server cannot hold the catalog: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(url: &str) -> Result<SslMode, CatalogError> {
        ssl_mode(&url.parse().unwrap())
    }

    #[test]
    fn another_machine_is_reached_by_tls_whatever_the_url_says() {
        for url in ["postgres://db.example/c", "postgres://db.example/c?sslmode=prefer", "postgres://192.0.2.1/c"] {
            assert_eq!(mode(url).unwrap(), SslMode::Require, "{url}");
        }
        assert_eq!(mode("postgres://localhost,db.example/c").unwrap(), SslMode::Require, "one of two hosts is elsewhere");
        assert_eq!(mode("postgres://localhost/c?hostaddr=192.0.2.1").unwrap(), SslMode::Require, "the address is what is connected to");
        let refusal = mode("postgres://db.example/c?sslmode=disable").unwrap_err();
        assert!(refusal.to_string().contains("sslmode=disable"), "{refusal}");
    }

    #[test]
    fn this_machine_may_be_reached_plainly() {
        for url in ["postgres://127.0.0.1/c", "postgres://localhost/c", "postgres://%2Frun%2Fpostgresql/c", "postgres://[::1]/c"] {
            assert_eq!(mode(url).unwrap(), SslMode::Disable, "{url}");
        }
        assert_eq!(mode("postgres://localhost/c?sslmode=require").unwrap(), SslMode::Require);
    }

    #[test]
    fn no_error_about_a_url_shows_a_part_of_it() {
        for url in ["postgres://h/c?secret=1", "postgres://u:se/cret@h:x/c", "host=h pass word=secret", "postgres://u:secret@h:99999999/c"]
        {
            let Err(error) = Server::new(url) else { panic!("{url} was taken") };
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("cret"), "{shown}");
        }
    }

    #[test]
    fn each_setting_that_loses_acknowledged_rows_is_refused_by_name() {
        for name in ["fsync", "full_page_writes", "synchronous_commit"] {
            let refusal = judge_settings(&[(name, "off".to_owned())]).unwrap_err().to_string();
            assert!(refusal.contains(name), "{refusal}");
            judge_settings(&[(name, "on".to_owned())]).unwrap();
        }
        judge_settings(&[("synchronous_commit", "remote_apply".to_owned()), ("server_encoding", "UTF8".to_owned())]).unwrap();
        let refusal = judge_settings(&[("server_encoding", "SQL_ASCII".to_owned())]).unwrap_err().to_string();
        assert!(refusal.contains("SQL_ASCII") && refusal.contains("UTF8"), "{refusal}");
    }
}

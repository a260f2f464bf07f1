//! The mail server: how it is reached, and what its answers mean.

use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::extension::ClientId;

use super::letter::Letter;
use crate::config::mail::{MailConfig, SmtpLogin, SmtpSecurity, SmtpServer};

/// From the first packet to a server that would take mail.
const CONNECT_TIME: Duration = Duration::from_secs(30);
/// For one mail: some servers look at it for long before they take it.
const SEND_TIME: Duration = Duration::from_secs(120);
/// For a goodbye that changes nothing.
const CLOSE_TIME: Duration = Duration::from_secs(1);

/// Why a mail was not sent, in words: those of the library hold the causes already.
#[derive(Debug)]
pub enum Fault {
    /// The server would not have taken any mail.
    Server(String),
    /// It would not have this one: ever, where `is_final`.
    Refused { why: String, is_final: bool },
}

/// How to reach the server.
pub struct Route {
    server: SmtpServer,
    tls: Option<TlsParameters>,
    login: Option<SmtpLogin>,
    hello: ClientId,
    connect_time: Duration,
}

/// A connection that takes mail.
pub struct Line(AsyncSmtpConnection);

type Outcome<T> = Result<T, lettre::transport::smtp::Error>;

impl Route {
    pub fn new(config: &MailConfig) -> Outcome<Self> {
        let tls = match config.server.security {
            SmtpSecurity::Plain => None,
            SmtpSecurity::Tls | SmtpSecurity::StartTls => Some(tls(config)?),
        };
        Ok(Self { server: config.server.clone(), tls, login: config.login.clone(), hello: hello(), connect_time: CONNECT_TIME })
    }

    /// A connection, encrypted and logged in as the settings want it. Without that no mail and no password leaves this machine.
    pub async fn connect(&self) -> Result<Line, Fault> {
        let connected = tokio::time::timeout(self.connect_time, self.connect_at_length()).await;
        connected.unwrap_or_else(|_| Err(Fault::Server("it did not answer in time".to_owned())))
    }

    async fn connect_at_length(&self) -> Result<Line, Fault> {
        let failed = |error: lettre::transport::smtp::Error| Fault::Server(error.to_string());
        let address = (self.server.host.as_str(), self.server.port);
        let at_once = self.tls.clone().filter(|_| self.server.security == SmtpSecurity::Tls);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(address, Some(self.connect_time), &self.hello, at_once, None).await.map_err(failed)?;
        if let (SmtpSecurity::StartTls, Some(tls)) = (self.server.security, &self.tls) {
            connection.starttls(tls.clone(), &self.hello).await.map_err(failed)?;
        }
        if let Some(login) = &self.login {
            let credentials = Credentials::new(login.user.clone(), login.password.reveal().to_owned());
            connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await.map_err(login_failed)?;
        }
        Ok(Line(connection))
    }
}

impl Line {
    pub async fn send(&mut self, letter: &Letter) -> Result<(), Fault> {
        match tokio::time::timeout(SEND_TIME, self.0.send(&letter.envelope, &letter.bytes)).await {
            Ok(sent) => sent.map(drop).map_err(send_failed),
            Err(_) => Err(Fault::Server("it did not take a mail in time".to_owned())),
        }
    }

    pub async fn close(mut self) {
        drop(tokio::time::timeout(CLOSE_TIME, self.0.quit()).await);
    }
}

fn tls(config: &MailConfig) -> Outcome<TlsParameters> {
    let builder = TlsParameters::builder(config.server.host.clone());
    match &config.authorities {
        None => builder.build_rustls(),
        Some(pem) => builder.certificate_store(CertificateStore::None).add_root_certificate(Certificate::from_pem(pem)?).build_rustls(),
    }
}

/// What this machine calls itself, where that is a name.
fn hello() -> ClientId {
    let name = gethostname::gethostname().to_string_lossy().into_owned();
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    if is_name { ClientId::Domain(name) } else { ClientId::Ipv4(std::net::Ipv4Addr::LOCALHOST) }
}

/// The server's own words are not repeated here: some repeat what they were sent.
fn login_failed(error: lettre::transport::smtp::Error) -> Fault {
    Fault::Server(match error.status() {
        Some(code) => format!("it refuses smtp_user or the password (answer {code})"),
        None => error.to_string(),
    })
}

fn send_failed(error: lettre::transport::smtp::Error) -> Fault {
    match error.status().map(|code| code.to_string()) {
        // It goes away; or it wants to be logged in to, or encrypted, first.
        Some(code) if ["421", "530", "534", "535", "538"].contains(&code.as_str()) => Fault::Server(error.to_string()),
        Some(_) => Fault::Refused { is_final: error.is_permanent(), why: error.to_string() },
        // This mail cannot be sent through this server: it does not know letters beyond ASCII in addresses.
        None if error.is_client() => Fault::Refused { is_final: true, why: error.to_string() },
        None => Fault::Server(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(port: u16, connect_time: Duration) -> Route {
        let server = SmtpServer { host: "127.0.0.1".to_owned(), port, security: SmtpSecurity::Plain };
        let config = MailConfig { server, from: "backup@example.net".to_owned(), login: None, authorities: None };
        Route { connect_time, ..Route::new(&config).expect("no certificates are asked for") }
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_is_left_in_time() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let route = route(silent.local_addr().expect("an address").port(), Duration::from_millis(50));
        let Err(Fault::Server(why)) = route.connect().await else { panic!("it said nothing") };
        assert_eq!(why, "it did not answer in time");
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_said_so() {
        let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = gone.local_addr().expect("an address").port();
        drop(gone);
        let Err(Fault::Server(why)) = route(port, CONNECT_TIME).connect().await else { panic!("nobody listens") };
        assert!(why.contains("onnection refused"), "{why}");
    }
}

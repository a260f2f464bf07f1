//! How mail is sent: server, transport security, login, sender.

use std::net::IpAddr;
use std::path::Path;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::check::private_text;
use super::error::ConfigError;
use super::layers::Layers;
use crate::model::access::Secret;

/// What sending mail takes.
#[derive(Clone, Debug)]
pub struct MailConfig {
    pub server: SmtpServer,
    /// The sender's address.
    pub from: String,
    pub login: Option<SmtpLogin>,
    /// Certificates in PEM that the server's is checked against, instead of those of the system.
    pub authorities: Option<Vec<u8>>,
}

/// `Debug` redacts the password.
#[derive(Clone, Debug)]
pub struct SmtpLogin {
    pub user: String,
    pub password: Secret,
}

/// Where mail is handed over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SmtpServer {
    /// A name, or an address without brackets.
    pub host: String,
    pub port: u16,
    pub security: SmtpSecurity,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SmtpSecurity {
    /// TLS from the first byte.
    Tls,
    /// TLS before anything else is said; a server that does not offer it gets no mail.
    StartTls,
    /// None: only to this machine itself.
    Plain,
}

/// `None` where `smtp` is empty, whatever the settings beside it say.
pub(super) fn check(layers: &Layers) -> Result<Option<MailConfig>, ConfigError> {
    let Some(text) = layers.text("smtp") else { return Ok(None) };
    let server = parse(text).map_err(|why| layers.refused("smtp", why))?;
    Ok(Some(MailConfig { authorities: authorities(layers, &server)?, server, from: from(layers)?, login: login(layers)? }))
}

const WANTED: &str = "smtps://HOST[:465], smtp+starttls://HOST[:587] or, to this machine alone, smtp://localhost[:25] is wanted";

fn parse(text: &str) -> Result<SmtpServer, String> {
    let (scheme, rest) = text.split_once("://").ok_or(WANTED)?;
    let (security, usual_port) = match scheme {
        "smtps" => (SmtpSecurity::Tls, 465),
        "smtp+starttls" => (SmtpSecurity::StartTls, 587),
        "smtp" => (SmtpSecurity::Plain, 25),
        _ => return Err(WANTED.to_owned()),
    };
    if rest.contains('@') {
        return Err(
            "a password in it would be seen by many: name the user in smtp_user and put the password into smtp_password_file".to_owned()
        );
    }
    let (host, port) = authority(rest.strip_suffix('/').unwrap_or(rest)).ok_or(WANTED)?;
    if security == SmtpSecurity::Plain && !is_loopback(&host) {
        return Err("mail and password would cross the network in the clear: smtp:// is for localhost, elsewhere it is smtps:// or smtp+starttls://".to_owned());
    }
    Ok(SmtpServer { host, port: port.unwrap_or(usual_port), security })
}

/// Host and port of `HOST[:PORT]`; an IPv6 address is in brackets.
fn authority(text: &str) -> Option<(String, Option<u16>)> {
    let (host, rest) = match text.strip_prefix('[') {
        Some(text) => {
            let (host, rest) = text.split_once(']')?;
            (host.parse::<std::net::Ipv6Addr>().ok()?.to_string(), rest)
        }
        None => {
            let end = text.find(':').unwrap_or(text.len());
            let is_plain = |host: &str| !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
            (Some(&text[..end]).filter(|host| is_plain(host))?.to_owned(), &text[end..])
        }
    };
    if rest.is_empty() {
        return Some((host, None));
    }
    let digits = rest.strip_prefix(':').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok().filter(|port| *port > 0).map(|port| (host, Some(port)))
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn from(layers: &Layers) -> Result<String, ConfigError> {
    let text =
        layers.text("mail_from").ok_or_else(|| layers.refused("smtp", "mail_from is missing: mail needs an address that it comes from"))?;
    let is_plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>()[],;:\\\"@".contains(&byte));
    let is_address = text.split_once('@').is_some_and(|(name, host)| is_plain(name) && is_plain(host));
    if is_address {
        Ok(text.to_owned())
    } else {
        Err(layers.refused("mail_from", format!("an address such as backup@example.net is wanted, not `{text}`")))
    }
}

fn login(layers: &Layers) -> Result<Option<SmtpLogin>, ConfigError> {
    match (layers.text("smtp_user"), layers.path("smtp_password_file")) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(layers.refused("smtp_user", "smtp_password_file is missing: set both or none")),
        (None, Some(_)) => Err(layers.refused("smtp_password_file", "smtp_user is missing: set both or none")),
        (Some(user), Some(path)) => {
            let text = private_text(&path).map_err(|why| layers.refused("smtp_password_file", why))?;
            if text.is_empty() {
                return Err(layers.refused("smtp_password_file", format!("{} is empty", path.display())));
            }
            Ok(Some(SmtpLogin { user: user.to_owned(), password: Secret::presented(&text) }))
        }
    }
}

fn authorities(layers: &Layers, server: &SmtpServer) -> Result<Option<Vec<u8>>, ConfigError> {
    let Some(path) = layers.path("smtp_ca_file") else { return Ok(None) };
    if server.security == SmtpSecurity::Plain {
        return Err(layers.refused("smtp_ca_file", "smtp:// is without TLS: there is no certificate to check"));
    }
    certificates(&path).map(Some).map_err(|why| layers.refused("smtp_ca_file", why))
}

fn certificates(path: &Path) -> Result<Vec<u8>, String> {
    let text = std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let found = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>().is_ok_and(|found| !found.is_empty());
    if found { Ok(text) } else { Err(format!("{} holds no certificate in PEM", path.display())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_by_its_url() {
        use SmtpSecurity::{Plain, StartTls, Tls};
        for (text, host, port, security) in [
            ("smtps://mail.example.net:465", "mail.example.net", 465, Tls),
            ("smtps://mail.example.net", "mail.example.net", 465, Tls),
            ("smtps://[2001:db8::1]:10465/", "2001:db8::1", 10465, Tls),
            ("smtp+starttls://mail.example.net/", "mail.example.net", 587, StartTls),
            ("smtp+starttls://192.0.2.7:25", "192.0.2.7", 25, StartTls),
            ("smtp://localhost", "localhost", 25, Plain),
            ("smtp://LOCALHOST:2525", "LOCALHOST", 2525, Plain),
            ("smtp://127.0.0.9", "127.0.0.9", 25, Plain),
            ("smtp://[::1]:26", "::1", 26, Plain),
        ] {
            assert_eq!(parse(text), Ok(SmtpServer { host: host.to_owned(), port, security }), "{text}");
        }
    }

    #[test]
    fn nothing_goes_out_in_the_clear_and_no_password_is_in_a_url() {
        for text in ["smtp://mail.example.net", "smtp://192.0.2.7:25", "smtp://[2001:db8::1]", "smtp://localhost.example.net"] {
            assert!(parse(text).is_err_and(|why| why.contains("in the clear")), "{text}");
        }
        let complaint = parse("smtps://ops:hunter2@mail.example.net").expect_err("a password");
        assert!(complaint.contains("smtp_password_file") && !complaint.contains("hunter2"), "{complaint}");
        for text in [
            "mail.example.net",
            "http://localhost",
            "smtps://",
            "smtps://:465",
            "smtps://a:0",
            "smtps://a:65536",
            "smtps://a:+1",
            "smtps://a/b",
            "smtps://a b",
            "smtps://[a]",
            "smtps://[::1",
            "smtps://[::1]465",
        ] {
            assert_eq!(parse(text), Err(WANTED.to_owned()), "{text}");
        }
    }
}

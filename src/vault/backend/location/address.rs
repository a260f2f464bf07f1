//! The URL of a repository on a server, taken apart.

use std::fmt;
use std::net::IpAddr;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::LocationError;

/// What a path may not hold as it is. A `%` is left alone: what is encoded stays so.
const NOT_IN_A_PATH: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`').add(b'{').add(b'}').add(b'\\').add(b'^').add(b'|');

/// A server, who asks, and the folder of the repository there.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    pub is_tls: bool,
    /// A name or an IP address, without brackets.
    pub host: String,
    pub port: u16,
    /// User and password, decoded; `None` where the URL names nobody, as that of a session.
    pub credentials: Option<(String, Option<String>)>,
    /// Starts and ends with `/`.
    pub path: String,
}

impl Address {
    /// Whether a text was meant as a URL of ours.
    pub fn is_meant_by(text: &str) -> bool {
        scheme(text).is_some()
    }

    pub fn parse(text: &str) -> Result<Self, LocationError> {
        let wrong = LocationError::Url;
        let (is_tls, rest) = scheme(text).ok_or(wrong("it starts with https://"))?;
        if rest.contains(['?', '#']) {
            return Err(wrong("it has a `?` or `#`; in a password they are written as %3F and %23"));
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (who, server) = authority.rsplit_once('@').map_or((None, authority), |(who, server)| (Some(who), server));
        let (host, port) = split_port(server)?;
        let port = match port {
            None | Some("") => {
                if is_tls {
                    443
                } else {
                    80
                }
            }
            Some(digits) => digits.parse().map_err(|_| wrong("its port is not a number; a `/` in a password is written as %2F"))?,
        };
        let is_name = |host: &str| host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        if host.is_empty() || !(is_name(&host) || host.parse::<IpAddr>().is_ok()) {
            return Err(wrong("it names no host"));
        }
        let credentials = who.map(decode_credentials).transpose()?;
        let mut path = utf8_percent_encode(path, NOT_IN_A_PATH).to_string();
        if !path.ends_with('/') {
            path.push('/');
        }
        Ok(Self { is_tls, host, port, credentials, path })
    }

    /// Host and port as a `Host` header has them.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let usual = if self.is_tls { 443 } else { 80 };
        if self.port == usual { host } else { format!("{host}:{}", self.port) }
    }

    /// Whether the host is called as this machine calls itself.
    pub fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost") || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// What nobody may read in a message: the password, and the token in a session's path.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let password = self.credentials.as_ref().and_then(|(_, password)| password.as_deref());
        password.into_iter().chain(self.token()).filter(|secret| !secret.is_empty())
    }

    fn token(&self) -> Option<&str> {
        let mut segments = self.path.split('/').filter(|segment| !segment.is_empty());
        segments.next().filter(|first| *first == "session").and_then(|_| segments.next())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(if self.is_tls { "https://" } else { "http://" })?;
        if let Some((user, password)) = &self.credentials {
            let mark = if password.is_some() { ":***@" } else { "@" };
            write!(out, "{}{mark}", user.escape_default())?;
        }
        let path = self.token().map(|token| self.path.replacen(&format!("session/{token}"), "session/***", 1));
        write!(out, "{}{}", self.authority(), path.as_ref().unwrap_or(&self.path))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// Whether it is TLS, and what follows `://`.
fn scheme(text: &str) -> Option<(bool, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    match scheme.to_ascii_lowercase().as_str() {
        "https" => Some((true, rest)),
        "http" => Some((false, rest)),
        _ => None,
    }
}

fn split_port(server: &str) -> Result<(String, Option<&str>), LocationError> {
    let Some(rest) = server.strip_prefix('[') else {
        let (host, port) = server.split_once(':').map_or((server, None), |(host, port)| (host, Some(port)));
        return Ok((host.to_owned(), port));
    };
    let wrong = LocationError::Url("its IPv6 address has no closing bracket");
    let (host, rest) = rest.split_once(']').ok_or(wrong)?;
    let port = if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or(wrong)?) };
    Ok((host.to_owned(), port))
}

fn decode_credentials(who: &str) -> Result<(String, Option<String>), LocationError> {
    let (user, password) = who.split_once(':').map_or((who, None), |(user, password)| (user, Some(password)));
    Ok((decode(user)?, password.map(decode).transpose()?))
}

/// `%41` is `A`, `+` is a plus; a `%` without two digits is an error, as it is to `restic`.
fn decode(text: &str) -> Result<String, LocationError> {
    let wrong = LocationError::Url("a `%` in user or password is written as %25");
    for (at, _) in text.match_indices('%') {
        let digits = text.as_bytes().get(at + 1..at + 3).ok_or(wrong)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(wrong);
        }
    }
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| LocationError::Url("user or password is not UTF-8"))?;
    Ok(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Address {
        Address::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn user_and_password_are_decoded_and_the_path_is_kept() {
        let address = parsed("https://US%45R:p%2Fw%20+@Vault.example:8443/@20261119T120000Z/web");
        assert_eq!(address.credentials, Some(("USER".to_owned(), Some("p/w +".to_owned()))));
        assert_eq!((address.host.as_str(), address.port, address.is_tls), ("Vault.example", 8443, true));
        assert_eq!(address.path, "/@20261119T120000Z/web/");
        assert_eq!(parsed("https://a:b:c@@host").credentials, Some(("a".to_owned(), Some("b:c@".to_owned()))));
        assert_eq!(parsed("https://host/a%20b/ c").path, "/a%20b/%20c/");
    }

    #[test]
    fn a_port_that_is_the_usual_one_is_not_said() {
        assert_eq!(parsed("https://host").authority(), "host");
        assert_eq!(parsed("https://host:443/").authority(), "host");
        assert_eq!(parsed("http://[::1]/").authority(), "[::1]");
        assert_eq!(parsed("http://host:443/").authority(), "host:443");
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for (host, expected) in
            [("localhost", true), ("127.8.8.8", true), ("[::1]", true), ("localhost.example", false), ("10.0.0.1", false)]
        {
            assert_eq!(parsed(&format!("http://{host}/")).is_loopback(), expected, "{host}");
        }
    }
}

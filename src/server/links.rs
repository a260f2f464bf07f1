//! Which hosts are ours: which of them our links name, and which requests are for one.

use std::net::IpAddr;
use std::sync::{Arc, RwLock};

/// Builds absolute URLs: from `public_url`, else from a request's own `Host` where it is localhost or a name in the
/// certificate, else `localhost:PORT`. So a forged `Host` never gets into a link. Cheap to clone; clones change together.
#[derive(Clone)]
pub struct Links(Arc<RwLock<Hosts>>);

struct Hosts {
    public_url: Option<String>,
    /// Names and addresses in the certificate, lower case.
    names: Vec<String>,
    port: u16,
    is_tls: bool,
}

impl Links {
    /// Links of a listener on `port`; `names` are those in its certificate, none on a plain listener.
    pub fn new(public_url: Option<&str>, names: Vec<String>, port: u16, is_tls: bool) -> Self {
        Self(Arc::new(RwLock::new(Hosts { public_url: without_slash(public_url), names: lower(names), port, is_tls })))
    }

    /// Puts another certificate's names in force, for the next request.
    pub fn update_names(&self, names: Vec<String>) {
        self.0.write().expect("nobody panics while holding the hosts").names = lower(names);
    }

    /// Puts another `public_url` and another certificate's names in force, for the next request.
    pub fn update(&self, public_url: Option<&str>, names: Vec<String>) {
        let mut hosts = self.0.write().expect("nobody panics while holding the hosts");
        hosts.public_url = without_slash(public_url);
        hosts.names = lower(names);
    }

    /// Whether a request with this `Host` is for this server. Once `public_url` says how clients call it, a page whose own name
    /// was pointed at this machine (DNS rebinding) asks for a host that is none of ours. Without it any host may be meant, and
    /// so may a request of HTTP/1.0 that names none: no browser sends such.
    pub fn serve(&self, host: Option<&str>) -> bool {
        let hosts = self.0.read().expect("nobody panics while holding the hosts");
        match (hosts.public_name(), host) {
            (None, _) | (_, None) => true,
            (Some(public), Some(host)) => host_name(host).is_some_and(|name| name.eq_ignore_ascii_case(public)) || hosts.knows(host),
        }
    }

    /// `https://HOST[:PORT]` (or `http://` on a plain listener) without a final slash, for a request with this `Host`.
    pub fn origin(&self, host: Option<&str>) -> String {
        let hosts = self.0.read().expect("nobody panics while holding the hosts");
        if let Some(url) = &hosts.public_url {
            return url.clone();
        }
        let scheme = if hosts.is_tls { "https" } else { "http" };
        match host.filter(|host| hosts.knows(host)) {
            Some(host) => format!("{scheme}://{}", host.to_ascii_lowercase()),
            None => format!("{scheme}://localhost:{}", hosts.port),
        }
    }
}

impl Hosts {
    /// The host of `public_url`, without its port.
    fn public_name(&self) -> Option<&str> {
        let authority = self.public_url.as_deref()?.split_once("://")?.1;
        host_name(authority)
    }

    fn knows(&self, host: &str) -> bool {
        let Some(name) = host_name(host) else { return false };
        let name = name.to_ascii_lowercase();
        is_this_machine(&name) || self.names.iter().any(|known| covers(known, &name))
    }
}

/// Whether a host only ever means this machine, so that no certificate need name it.
fn is_this_machine(name: &str) -> bool {
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The host without its port; `None` where the rest is not a port.
fn host_name(host: &str) -> Option<&str> {
    let end = if host.starts_with('[') { host.find(']')? + 1 } else { host.find(':').unwrap_or(host.len()) };
    let (name, rest) = host.split_at(end);
    let is_port = |rest: &str| rest.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok() && !port.starts_with('+'));
    (rest.is_empty() || is_port(rest)).then_some(name)
}

/// Whether a certificate's name covers `name`; a wildcard stands for one label.
fn covers(known: &str, name: &str) -> bool {
    match known.strip_prefix("*.") {
        Some(parent) => name.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && is_plain(label) && rest == parent),
        None => known == name,
    }
}

/// Whether a label holds nothing that could be taken for another part of a URL.
fn is_plain(label: &str) -> bool {
    label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn without_slash(url: Option<&str>) -> Option<String> {
    url.map(|url| url.trim_end_matches('/').to_owned())
}

fn lower(names: Vec<String>) -> Vec<String> {
    names.into_iter().map(|name| name.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links() -> Links {
        let names = ["backup.example.com", "*.example.org", "192.0.2.7", "[2001:db8::7]"].map(str::to_owned);
        Links::new(None, names.to_vec(), 8443, true)
    }

    #[test]
    fn a_host_of_ours_is_kept_with_its_own_port() {
        for (host, origin) in [
            ("localhost:9000", "https://localhost:9000"),
            ("LOCALHOST", "https://localhost"),
            ("[::1]:8443", "https://[::1]:8443"),
            ("backup.example.com", "https://backup.example.com"),
            ("Backup.Example.com:443", "https://backup.example.com:443"),
            ("a.example.org", "https://a.example.org"),
            ("192.0.2.7:1", "https://192.0.2.7:1"),
            ("[2001:db8::7]", "https://[2001:db8::7]"),
        ] {
            assert_eq!(links().origin(Some(host)), origin);
        }
    }

    #[test]
    fn a_foreign_or_odd_host_never_gets_into_a_link() {
        let odd = ["evil.example", "localhost.evil.example", "localhost:80@evil.example", "localhost:99999", "localhost:+80", "localhost:"];
        let odder = ["example.org", "a.b.example.org", ".example.org", "a/b.example.org", "[::1", "[::1]evil", "", "@", "localhost:8443/x"];
        for host in odd.into_iter().chain(odder) {
            assert_eq!(links().origin(Some(host)), "https://localhost:8443", "{host:?}");
        }
        assert_eq!(links().origin(None), "https://localhost:8443");
    }

    #[test]
    fn the_public_url_wins_and_can_be_changed_while_serving() {
        let links = links();
        let of_handlers = links.clone();
        links.update(Some("https://vault.example.net/"), Vec::new());
        assert_eq!(of_handlers.origin(Some("localhost")), "https://vault.example.net");
        links.update(None, Vec::new());
        assert_eq!(links.origin(Some("backup.example.com")), "https://localhost:8443");
    }

    #[test]
    fn once_a_public_url_is_set_only_our_own_hosts_are_served() {
        let links = links();
        for host in [Some("evil.example"), Some("localhost"), None] {
            assert!(links.serve(host), "{host:?}: nobody said how clients call this server");
        }
        let names = vec!["internal.example.com".to_owned(), "*.example.org".to_owned()];
        links.update(Some("https://Vault.example.net:8443/"), names);
        let own = ["vault.example.net", "VAULT.example.net:1", "internal.example.com:8443", "a.example.org", "localhost:9"];
        for host in own.into_iter().chain(["127.0.0.1:8443", "127.8.8.8", "[::1]:8443"]) {
            assert!(links.serve(Some(host)), "{host}");
        }
        assert!(links.serve(None));
        let foreign = ["evil.example", "vault.example.net.evil.example", "xvault.example.net", "192.0.2.1", "[2001:db8::1]", "8.127.0.0.1"];
        for host in foreign.into_iter().chain(["localhost.evil.example", "a.b.example.org", "example.net", "vault.example.net:x", ""]) {
            assert!(!links.serve(Some(host)), "{host}");
        }
    }

    #[test]
    fn a_plain_listener_makes_plain_links() {
        assert_eq!(Links::new(None, Vec::new(), 80, false).origin(Some("127.0.0.1:80")), "http://127.0.0.1:80");
    }
}

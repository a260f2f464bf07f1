//! Who sent a request that came through a proxy.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;

/// The client of a request that arrived from `peer`: `peer` itself, unless it is a trusted proxy; then the last address
/// in `X-Forwarded-For` that is no trusted proxy. What a client writes into the header stands before what the proxy
/// adds, so it is never believed; an entry that is no address ends the search at the proxy that passed it on.
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    let mut client = peer.to_canonical();
    if !is_trusted(client, trusted) {
        return client;
    }
    let lines: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
    let entries = lines.iter().rev().flat_map(|line| line.to_str().unwrap_or("unreadable").rsplit(','));
    for entry in entries {
        let Some(address) = parse(entry.trim()) else { break };
        client = address;
        if !is_trusted(client, trusted) {
            break;
        }
    }
    client
}

/// Whether `address` is one of the proxies that the operator named.
pub fn is_trusted(address: IpAddr, trusted: &[IpAddr]) -> bool {
    trusted.iter().any(|proxy| proxy.to_canonical() == address.to_canonical())
}

/// An address as proxies write it: alone, in brackets, or with a port.
fn parse(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    let address = bare.parse().ok().or_else(|| entry.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, lines: &[&str]) -> String {
        let trusted = ["127.0.0.1", "10.0.0.2"].map(|text| text.parse().expect("an address"));
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", line.parse().expect("a header value"));
        }
        client_address(peer.parse().expect("an address"), &headers, &trusted).to_string()
    }

    #[test]
    fn a_peer_that_is_no_proxy_speaks_for_itself() {
        assert_eq!(client("192.0.2.9", &["198.51.100.1"]), "192.0.2.9");
        assert_eq!(client("::ffff:192.0.2.9", &["198.51.100.1"]), "192.0.2.9");
    }

    #[test]
    fn behind_a_proxy_the_last_untrusted_address_counts() {
        assert_eq!(client("127.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("::ffff:127.0.0.1", &["1.1.1.1, 198.51.100.1, 10.0.0.2"]), "198.51.100.1");
        assert_eq!(client("127.0.0.1", &["1.1.1.1", "198.51.100.1"]), "198.51.100.1");
        assert_eq!(client("127.0.0.1", &["[2001:db8::1]:4711"]), "2001:db8::1");
        assert_eq!(client("127.0.0.1", &["2001:db8::1"]), "2001:db8::1");
        assert_eq!(client("127.0.0.1", &["198.51.100.1:80"]), "198.51.100.1");
    }

    #[test]
    fn without_a_readable_entry_the_proxy_itself_counts() {
        assert_eq!(client("127.0.0.1", &[]), "127.0.0.1");
        assert_eq!(client("127.0.0.1", &["198.51.100.1, unknown"]), "127.0.0.1");
        assert_eq!(client("127.0.0.1", &["198.51.100.1, nonsense, 10.0.0.2"]), "10.0.0.2");
    }
}

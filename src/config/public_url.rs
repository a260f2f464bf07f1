//! The one URL that an operator may give: scheme, host, port and nothing else.

/// `https://HOST[:PORT]/` with its final slash, made of what access URLs allow; in words what is wanted instead.
///
/// `http` is for a plain listener on this machine alone.
pub fn parse(text: &str, is_plain_on_loopback: bool) -> Result<String, String> {
    let (scheme, rest) = text.split_once("://").ok_or("https://HOST[:PORT]/ is wanted")?;
    if scheme != "https" && !(scheme == "http" && is_plain_on_loopback) {
        return Err("it begins with https:// (http:// only with plain_http on a loopback address)".to_owned());
    }
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if is_authority(authority) {
        return Ok(format!("{scheme}://{authority}/"));
    }
    let wanted = "a host name of letters, digits, `.` and `-` and perhaps a port is wanted after the scheme, and nothing else";
    Err(format!("{wanted}: no user, path, query or address in brackets"))
}

/// The host part of the expression that clients check access URLs with: `[-.a-zA-Z0-9]+(:[0-9]+)?`, and a port that exists.
fn is_authority(text: &str) -> bool {
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    let is_host = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|number| number > 0);
    is_host && port.is_none_or(is_port)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn scheme_host_and_port_are_kept_with_one_final_slash() {
        for (text, url) in [
            ("https://backup.example.com/", "https://backup.example.com/"),
            ("https://backup.example.com", "https://backup.example.com/"),
            ("https://Backup-1.example.com:8443/", "https://Backup-1.example.com:8443/"),
            ("https://192.0.2.7:8443", "https://192.0.2.7:8443/"),
        ] {
            assert_eq!(parse(text, false), Ok(url.to_owned()));
        }
        assert_eq!(parse("http://localhost:8080", true), Ok("http://localhost:8080/".to_owned()));
    }

    #[test]
    fn anything_an_access_url_cannot_hold_is_refused() {
        for bad in [
            "",
            "backup.example.com",
            "ftp://backup.example.com/",
            "http://backup.example.com/",
            "HTTPS://backup.example.com/",
            "https://",
            "https:///",
            "https://:8443/",
            "https://backup.example.com//",
            "https://backup.example.com/path",
            "https://backup.example.com/?q",
            "https://user@backup.example.com/",
            "https://user:pass@backup.example.com/",
            "https://[::1]:8443/",
            "https://back_up.example.com/",
            "https://bäckup.example.com/",
            "https://backup.example.com:/",
            "https://backup.example.com:0/",
            "https://backup.example.com:65536/",
            "https://backup.example.com:+1/",
            "https://backup.example.com:1:2/",
        ] {
            assert!(parse(bad, false).is_err(), "{bad}");
        }
    }
}

//! Which server a request is for: exactly one `Host`, and the same one in an absolute request target.

use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, Version};

/// Why a request's target is ambiguous. `Display` is the text that a client reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HostError {
    #[error("it has no Host header")]
    Missing,
    #[error("it has more than one Host header")]
    Several,
    #[error("its Host header is not HOST or HOST:PORT")]
    Malformed,
    #[error("its Host header and its target name different hosts")]
    Contradicted,
}

/// Refuses what a proxy in front of us might understand in another way (RFC 9112 §3.2).
pub fn check(head: &Parts) -> Result<(), HostError> {
    let mut lines = head.headers.get_all(HOST).iter();
    let host = match (lines.next(), lines.next()) {
        (_, Some(_)) => return Err(HostError::Several),
        (None, None) if head.version >= Version::HTTP_11 => return Err(HostError::Missing),
        (None, None) => return Ok(()),
        (Some(line), None) => Authority::try_from(line.as_bytes()).map_err(|_| HostError::Malformed)?,
    };
    if host.host().is_empty() || !host.as_str().bytes().all(is_host_byte) {
        return Err(HostError::Malformed);
    }
    match head.uri.authority() {
        Some(target) if *target != host => Err(HostError::Contradicted),
        _ => Ok(()),
    }
}

/// What a name, an address and a port are made of. A URL allows more, but no host of ours is called so.
const fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']')
}

/// The `Host` header of a request that [`check`] let through.
pub fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(HOST).and_then(|line| line.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(target: &str, version: Version, hosts: &[&str]) -> Result<(), HostError> {
        let mut request = http::Request::builder().uri(target).version(version);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        check(&request.body(()).expect("a test's request is valid").into_parts().0)
    }

    #[test]
    fn one_host_is_wanted() {
        for host in ["localhost", "localhost:8443", "127.0.0.1:1", "[::1]:443", "Backup.example.com", "backup.example.com:"] {
            assert_eq!(judge("/a", Version::HTTP_11, &[host]), Ok(()), "{host}");
        }
        assert_eq!(judge("/a", Version::HTTP_11, &[]), Err(HostError::Missing));
        assert_eq!(judge("/a", Version::HTTP_10, &[]), Ok(()));
        assert_eq!(judge("/a", Version::HTTP_10, &["a", "a"]), Err(HostError::Several));
        assert_eq!(judge("/a", Version::HTTP_11, &["a", "a"]), Err(HostError::Several));
        for odd in ["", "user@host", "a b", "a/b", "a,b", "http://a", "@", ":80", "[::1"] {
            assert_eq!(judge("/a", Version::HTTP_11, &[odd]), Err(HostError::Malformed), "{odd}");
        }
    }

    #[test]
    fn an_absolute_target_agrees_with_the_host() {
        assert_eq!(judge("http://Backup.example.com/a", Version::HTTP_11, &["backup.example.com"]), Ok(()));
        for target in ["http://other.example/a", "http://backup.example.com:81/a", "http://u@backup.example.com/a"] {
            assert_eq!(judge(target, Version::HTTP_11, &["backup.example.com"]), Err(HostError::Contradicted), "{target}");
        }
    }
}

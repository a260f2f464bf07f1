//! How a repository's place is reached: whom to believe, how fast, and for how long a failing place is tried again.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;

use crate::vault::cancel::Cancel;

/// What [`super::open`] needs to know beside the location. A folder needs none of it.
#[derive(Clone)]
pub struct Options {
    pub trust: Trust,
    /// KiB per second of all uploads together, as `restic` counts; 0 is no limit.
    pub limit_upload_kib: u32,
    /// KiB per second of all downloads together; 0 is no limit.
    pub limit_download_kib: u32,
    /// Once raised, every call ends with `Error::Cancelled` within a fifth of a second, in the middle of a transfer too.
    pub cancel: Cancel,
    pub retries: Retries,
    /// A connection on which nothing moves for so long is given up, and the request is repeated.
    pub idle: Duration,
    /// Plain HTTP to other machines too: password and traffic can be read on the way.
    pub allows_plain_http: bool,
    /// Further headers of every request, such as another `Authorization` than user and password of the location.
    pub headers: Headers,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            trust: Trust::System,
            limit_upload_kib: 0,
            limit_download_kib: 0,
            cancel: Cancel::default(),
            retries: Retries::default(),
            idle: Duration::from_secs(120),
            allows_plain_http: false,
            headers: Headers::default(),
        }
    }
}

/// Headers that are asked for anew for each request, as they may change while a place is used. None by default.
#[derive(Clone, Default)]
pub struct Headers(Option<Arc<dyn Fn() -> HeaderMap + Send + Sync>>);

impl Headers {
    pub fn of(headers: impl Fn() -> HeaderMap + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(headers)))
    }

    pub(super) const fn may_change(&self) -> bool {
        self.0.is_some()
    }

    /// As they are now.
    pub(super) fn now(&self) -> HeaderMap {
        self.0.as_ref().map(|headers| headers()).unwrap_or_default()
    }
}

/// Whose certificate a server may show.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Trust {
    /// One that leads to a root of this system, for the right name.
    #[default]
    System,
    /// One that leads to a certificate of this PEM file, or is in it, for the right name. The system's roots do not count.
    CaFile(PathBuf),
    /// Exactly this one: neither its issuer, nor its names, nor its dates count.
    Pin(Pin),
}

/// The SHA-256 of a server's own certificate: of its DER bytes, the certificate alone without the chain above it. It is what
/// `openssl x509 -noout -fingerprint -sha256` prints.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pin(pub [u8; 32]);

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a pin is the SHA-256 of the server's certificate: 64 hexadecimal digits, with or without colons")]
pub struct PinError;

impl FromStr for Pin {
    type Err = PinError;

    fn from_str(text: &str) -> Result<Self, PinError> {
        let digits: String = text.trim().split(':').collect();
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).map_err(|_| PinError)?;
        bytes.try_into().map(Self).map_err(|_| PinError)
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// How a request that failed, and may succeed later, is repeated: with growing pauses of random length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retries {
    /// The first pause, about.
    pub first_wait: Duration,
    /// No pause grows longer than about this.
    pub longest_wait: Duration,
    /// A server's `Retry-After` is obeyed up to this.
    pub longest_asked: Duration,
    /// No repetition begins later than this after the first try.
    pub in_all: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(60),
            longest_asked: Duration::from_secs(300),
            in_all: Duration::from_secs(15 * 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_taken_as_openssl_prints_it_and_as_plain_digits() {
        let plain = "00ff".repeat(16);
        let pin: Pin = plain.parse().expect("64 digits");
        assert_eq!(pin.to_string(), plain);
        assert_eq!(format!("{}00:FF", "00:FF:".repeat(15)).parse(), Ok(pin));
        for wrong in ["", "00ff", &"0".repeat(63), &"g".repeat(64), &"0".repeat(66)] {
            assert_eq!(wrong.parse::<Pin>(), Err(PinError), "{wrong}");
        }
    }
}

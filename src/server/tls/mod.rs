//! Certificates: made, loaded, swapped while serving.
//!
//! A bad new pair never replaces a good old one.

pub mod error;
pub mod expiry;
pub mod own;
pub mod pair;

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use tokio_rustls::TlsAcceptor;

use self::error::{CertificateError, Result};
use self::own::OwnPair;
use self::pair::Pair;
use crate::clock::Clock;
use crate::config::ServerConfig;

/// The pair that new connections get, and where the next one comes from.
pub struct Certificates {
    clock: Clock,
    own: OwnPair,
    serving: RwLock<Serving>,
}

struct Serving {
    source: Source,
    pair: Arc<Pair>,
}

/// Where a pair comes from.
#[derive(Clone, PartialEq, Eq)]
enum Source {
    /// Files that the operator named: certificate chain and key.
    Given(PathBuf, PathBuf),
    /// The self-signed pair in the data directory.
    Own,
}

impl Certificates {
    /// The pair that `config` names, else the self-signed one in `data`, made where it is missing or soon out of date.
    /// A given certificate that has expired is served all the same, while [`expiry::watch`] logs an error: a client that
    /// restores without looking at it is better served than one that finds nobody.
    pub fn open(config: &ServerConfig, data: &Path, clock: Clock) -> Result<Arc<Self>> {
        let own = OwnPair::new(data);
        let source = Source::of(config);
        let pair = Arc::new(source.load(&own, &clock)?);
        Ok(Arc::new(Self { clock, own, serving: RwLock::new(Serving { source, pair }) }))
    }

    /// Whether [`Certificates::open`] would refuse the pair that `config` names, or the self-signed one in `data`. Makes nothing.
    pub fn check(config: &ServerConfig, data: &Path, clock: &Clock) -> Result<()> {
        match Source::of(config) {
            Source::Given(certificate, key) => Pair::load(&certificate, &key).map(drop),
            Source::Own => OwnPair::new(data).look(clock.wall()).map(drop),
        }
    }

    /// Loads the pair that `config` names now. On an error the old one stays in force.
    pub fn reload(&self, config: &ServerConfig) -> Result<()> {
        self.swap(Source::of(config))
    }

    /// Makes a self-signed pair anew when it ends soon, and says whether it did; a given one is not ours to renew.
    pub fn renew_own(&self) -> Result<bool> {
        let is_due =
            self.serving.read().is_ok_and(|serving| serving.source == Source::Own && own::is_due(&serving.pair, self.clock.wall()));
        if is_due {
            self.swap(Source::Own)?;
        }
        Ok(is_due)
    }

    /// Names and addresses in the certificate, as a `Host` spells them.
    pub fn names(&self) -> Vec<String> {
        self.pair().names.clone()
    }

    /// Seconds until the certificate expires; negative once it has.
    pub fn seconds_left(&self) -> i64 {
        self.pair().seconds_left(self.clock.wall())
    }

    /// The self-signed certificate that clients have to be told of, where it is the one in force.
    pub fn own_certificate(&self) -> Option<PathBuf> {
        let serving = self.serving.read().expect("nobody panics while holding the pair");
        (serving.source == Source::Own).then(|| self.own.certificate())
    }

    /// TLS 1.2 and 1.3 with whatever pair is in force, for HTTP/1.1 alone and without early data.
    pub fn acceptor(self: &Arc<Self>) -> TlsAcceptor {
        let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .expect("the provider has cipher suites for both versions")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(InForce(Arc::clone(self))));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.max_early_data_size = 0;
        // All suites are good; that one of our order is taken keeps whoever is between from having a say.
        config.ignore_client_order = true;
        TlsAcceptor::from(Arc::new(config))
    }

    fn swap(&self, source: Source) -> Result<()> {
        let pair = source.load(&self.own, &self.clock)?;
        if pair.seconds_left(self.clock.wall()) <= 0 {
            return Err(CertificateError::Expired { ended_at: pair.ends_at.rfc3339() });
        }
        *self.serving.write().expect("nobody panics while holding the pair") = Serving { source, pair: Arc::new(pair) };
        Ok(())
    }

    fn pair(&self) -> Arc<Pair> {
        Arc::clone(&self.serving.read().expect("nobody panics while holding the pair").pair)
    }
}

/// Gives each handshake the pair in force when it began.
struct InForce(Arc<Certificates>);

impl std::fmt::Debug for InForce {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("the certificate in force")
    }
}

impl ResolvesServerCert for InForce {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.pair().key))
    }
}

impl Source {
    fn of(config: &ServerConfig) -> Self {
        match (&config.tls_certificate, &config.tls_key) {
            (Some(certificate), Some(key)) => Self::Given(certificate.clone(), key.clone()),
            _ => Self::Own,
        }
    }

    fn load(&self, own: &OwnPair, clock: &Clock) -> Result<Pair> {
        match self {
            Self::Given(certificate, key) => Pair::load(certificate, key),
            Self::Own => own.load_or_make(clock.wall()),
        }
    }
}

#[cfg(test)]
mod tests;

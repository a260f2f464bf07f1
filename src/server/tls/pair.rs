//! A certificate chain and its key, loaded and checked.

use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::error::{CertificateError, Result};
use crate::model::instant::{Instant, SECOND_MICROS};

/// A pair that fits together and can be served.
#[derive(Debug)]
pub struct Pair {
    pub key: Arc<CertifiedKey>,
    /// Names and addresses in the certificate, as a `Host` spells them: IPv6 addresses in brackets.
    pub names: Vec<String>,
    pub ends_at: Instant,
}

/// Far more than any chain or key.
const FILE_BYTES: u64 = 1 << 20;

impl Pair {
    /// Reads both files and checks that they are whole, that they belong together, and that not everybody on the machine
    /// can read the key. A group may: many systems give keys to a group of their own; that is only warned of.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self> {
        let chain = read_chain(certificate)?;
        let private = read_key(key)?;
        let leaf = chain.first().ok_or_else(|| CertificateError::NoCertificate { path: certificate.to_owned() })?;
        let (names, ends_at) = described(leaf).ok_or_else(|| CertificateError::NoCertificate { path: certificate.to_owned() })?;
        let certified = CertifiedKey::from_der(chain, private, &rustls::crypto::aws_lc_rs::default_provider())
            .map_err(|source| CertificateError::Mismatch { certificate: certificate.to_owned(), key: key.to_owned(), source })?;
        Ok(Self { key: Arc::new(certified), names, ends_at })
    }

    /// Seconds from `now` until the certificate expires; negative once it has.
    pub fn seconds_left(&self, now: Instant) -> i64 {
        self.ends_at.micros_since(now) / SECOND_MICROS
    }
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let bytes = read(open(path)?, path)?;
    let chain: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    chain.map_err(|_| CertificateError::NoCertificate { path: path.to_owned() })
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    let file = open(path)?;
    let mode = file.metadata().map_err(|source| CertificateError::Read { path: path.to_owned(), source })?.permissions().mode();
    if mode & 0o007 != 0 {
        return Err(CertificateError::KeyForAll { path: path.to_owned() });
    }
    if mode & 0o070 != 0 {
        tracing::warn!(path = %path.display(), "the TLS key can be read by its group: whoever is in it can pose as this server");
    }
    let bytes = read(file, path)?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| CertificateError::NoKey { path: path.to_owned() })
}

fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|source| CertificateError::Read { path: path.to_owned(), source })
}

fn read(file: File, path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = file.take(FILE_BYTES).read_to_end(&mut bytes);
    read.map_err(|source| CertificateError::Read { path: path.to_owned(), source })?;
    Ok(bytes)
}

/// Names and end of a certificate; `None` where it is none.
fn described(leaf: &CertificateDer<'_>) -> Option<(Vec<String>, Instant)> {
    let (_, certificate) = X509Certificate::from_der(leaf).ok()?;
    let alternatives = certificate.subject_alternative_name().ok().flatten();
    let names = alternatives.map(|found| found.value.general_names.iter().filter_map(host).collect()).unwrap_or_default();
    Some((names, Instant::from_seconds(certificate.validity().not_after.timestamp())))
}

fn host(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match address(bytes)? {
            IpAddr::V4(address) => Some(address.to_string()),
            IpAddr::V6(address) => Some(format!("[{address}]")),
        },
        _ => None,
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|bytes| IpAddr::V4(Ipv4Addr::from(bytes)));
    let v6 = <[u8; 16]>::try_from(bytes).map(|bytes| IpAddr::V6(Ipv6Addr::from(bytes)));
    v4.or(v6).ok()
}

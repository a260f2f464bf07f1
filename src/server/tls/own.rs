//! The self-signed pair that a server makes for itself: `tls/cert.pem` and `tls/key.pem` in the data directory.

use std::fs::{DirBuilder, Permissions};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType};
use tempfile::NamedTempFile;

use super::error::{CertificateError, Result};
use super::pair::Pair;
use crate::model::instant::{DAY_MICROS, Instant};

/// Where the self-signed pair lies.
pub struct OwnPair {
    folder: PathBuf,
}

const VALID_DAYS: i64 = 3_650;
/// A pair that ends within this many days is made anew.
const RENEW_DAYS: i64 = 30;
/// A machine can have a great many addresses; a certificate had better not.
const MOST_ADDRESSES: usize = 32;

/// Whether a self-signed pair ends so soon, or has ended, that a new one is wanted.
pub fn is_due(pair: &Pair, now: Instant) -> bool {
    pair.ends_at.micros_since(now) < RENEW_DAYS * DAY_MICROS
}

impl OwnPair {
    pub fn new(data: &Path) -> Self {
        Self { folder: data.join("tls") }
    }

    pub fn certificate(&self) -> PathBuf {
        self.folder.join("cert.pem")
    }

    fn key(&self) -> PathBuf {
        self.folder.join("key.pem")
    }

    /// The pair as it lies there, or why another is to be made. An error where a start would be refused.
    pub fn look(&self, now: Instant) -> Result<std::result::Result<Pair, String>> {
        Ok(Err(match Pair::load(&self.certificate(), &self.key()) {
            Ok(pair) if !is_due(&pair, now) => return Ok(Ok(pair)),
            Ok(pair) => format!("the old one ends at {}", pair.ends_at.rfc3339()),
            Err(CertificateError::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => "there was none".to_owned(),
            Err(error @ (CertificateError::Read { .. } | CertificateError::KeyForAll { .. })) => return Err(error),
            Err(error) => format!("the old one cannot be used: {error}"),
        }))
    }

    /// The pair as it lies there; made, and the log says why, where it is missing, damaged, or ends within 30 days.
    pub fn load_or_make(&self, now: Instant) -> Result<Pair> {
        let why = match self.look(now)? {
            Ok(pair) => return Ok(pair),
            Err(why) => why,
        };
        self.make(now)?;
        let pair = Pair::load(&self.certificate(), &self.key())?;
        let path = self.certificate().display().to_string();
        tracing::warn!(
            path,
            ends_at = pair.ends_at.rfc3339(),
            why,
            "made a self-signed TLS certificate; clients need this file to trust it"
        );
        Ok(pair)
    }

    /// Writes a new pair, each file whole or not at all. A crash between the two leaves a pair that does not fit, which
    /// the next start replaces.
    fn make(&self, now: Instant) -> Result<()> {
        let made = |source| CertificateError::Make { source };
        let key = KeyPair::generate().map_err(made)?;
        let certificate = params(now)?.self_signed(&key).map_err(made)?;
        self.make_folder()?;
        self.put(&self.key(), 0o600, &key.serialize_pem())?;
        self.put(&self.certificate(), 0o644, &certificate.pem())
    }

    fn make_folder(&self) -> Result<()> {
        let failed = |source| CertificateError::Write { path: self.folder.clone(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).map_err(failed)
    }

    fn put(&self, path: &Path, mode: u32, text: &str) -> Result<()> {
        let failed = |source| CertificateError::Write { path: path.to_owned(), source };
        let mut file = NamedTempFile::new_in(&self.folder).map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.as_file().set_permissions(Permissions::from_mode(mode)).map_err(failed)?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(path).map(drop).map_err(|error| failed(error.error))
    }
}

/// A server's certificate that is its own root: no CA, since a strict client takes none as a server.
fn params(now: Instant) -> Result<CertificateParams> {
    let host = host_name();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, format!("Strongroom on {}", host.as_deref().unwrap_or("localhost")));
    params.subject_alt_names = alternative_names(host)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let day = |at: Instant| {
        let date = jiff::tz::TimeZone::UTC.to_datetime(jiff::Timestamp::from_second(at.seconds()).unwrap_or_default()).date();
        rcgen::date_time_ymd(i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    // A day's grace for clients whose clocks are behind.
    params.not_before = day(now.plus_micros(-DAY_MICROS));
    params.not_after = day(now.plus_micros((VALID_DAYS - 1) * DAY_MICROS));
    Ok(params)
}

fn alternative_names(host: Option<String>) -> Result<Vec<SanType>> {
    let names = ["localhost".to_owned()].into_iter().chain(host.filter(|host| host != "localhost"));
    let dns = names.map(|name| name.try_into().map(SanType::DnsName));
    let addresses = addresses().into_iter().map(|address| Ok(SanType::IpAddress(address)));
    dns.chain(addresses).collect::<std::result::Result<_, _>>().map_err(|source| CertificateError::Make { source })
}

/// Loopback, then what the machine's interfaces have, without those that only mean something on one link.
fn addresses() -> Vec<IpAddr> {
    let mut all = vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "the addresses of this machine cannot be read: the self-signed certificate names none but loopback's");
        Vec::new()
    });
    for interface in interfaces {
        let address = interface.ip();
        if all.len() < MOST_ADDRESSES && !all.contains(&address) && !interface.is_link_local() && !interface.is_loopback() {
            all.push(address);
        }
    }
    all
}

/// The machine's name, where it could be a host in a URL.
fn host_name() -> Option<String> {
    let name = gethostname::gethostname().into_string().ok()?.to_ascii_lowercase();
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    (!name.is_empty() && name.len() <= 253 && name.bytes().all(fits)).then_some(name)
}

//! What can be wrong with a certificate and its key.

use std::io;
use std::path::PathBuf;

pub type Result<T> = std::result::Result<T, CertificateError>;

/// Why a pair cannot be served, in words for the operator. Never holds any of the key.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{} holds no certificate in PEM, or only a part of one", path.display())]
    NoCertificate { path: PathBuf },
    #[error("{} holds no private key in PEM, or only a part of one", path.display())]
    NoKey { path: PathBuf },
    #[error("{} can be read by everybody on this machine; make it mode 0600, or 0640 with a group of its own", path.display())]
    KeyForAll { path: PathBuf },
    #[error("the key in {} does not belong to the certificate in {}", key.display(), certificate.display())]
    Mismatch { certificate: PathBuf, key: PathBuf, source: rustls::Error },
    #[error("the certificate expired at {ended_at}")]
    Expired { ended_at: String },
    #[error("cannot make a certificate")]
    Make { source: rcgen::Error },
}

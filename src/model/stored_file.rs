//! One immutable named upload.

use std::fmt;
use std::str::FromStr;

use super::access::AccountId;
use super::digest::Sha256Digest;
use super::file_name::FileName;
use super::instant::{HOUR_MICROS, Instant, SECOND_MICROS};

/// What a quota counts for each path segment of a name, beside the file's bytes.
pub const SEGMENT_BYTES: u64 = 4096;

/// How long bytes and name stay after the end of a life: downloads under way finish, and a resumed one never meets another file.
pub const NAME_HOLD_MICROS: i64 = 24 * HOUR_MICROS;

/// The most bytes one file may have: 5 GB as the service defined it.
pub const MAX_FILE_BYTES: u64 = 5_368_709_120;

/// 128 random bits in 26 lower-case characters of base32 (RFC 4648, no padding): unique for every blob ever made.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BlobId(String);

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a blob id is 26 characters of base32")]
pub struct BlobIdError;

impl BlobId {
    pub fn random() -> Self {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the operating system's random source answers");
        Self(data_encoding::BASE32_NOPAD.encode(&bytes).to_ascii_lowercase())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BlobId {
    type Err = BlobIdError;

    fn from_str(text: &str) -> Result<Self, BlobIdError> {
        let fits = text.len() == 26 && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'));
        fits.then(|| Self(text.to_owned())).ok_or(BlobIdError)
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Where a row stands. Only `Live` rows are seen by clients.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileState {
    Live,
    /// Deleted by a client of a vault: unseen, but kept for the retention.
    Hidden,
    /// A blob without a row was found; its digest is being verified.
    Checking,
    /// Its bytes are being removed.
    Doomed,
    /// Bytes that fit no row: never shown, never deleted.
    Quarantined,
}

impl FileState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Hidden => "hidden",
            Self::Checking => "checking",
            Self::Doomed => "doomed",
            Self::Quarantined => "quarantined",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Live, Self::Hidden, Self::Checking, Self::Doomed, Self::Quarantined].into_iter().find(|state| state.as_str() == text)
    }
}

/// A file as its row says. `expires_at` is computed from the account's history when the row is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredFile {
    pub account: AccountId,
    pub name: FileName,
    pub id: BlobId,
    pub state: FileState,
    pub size_bytes: u64,
    pub sha256: Sha256Digest,
    /// Unique and rising within the account: the order of its changes.
    pub created_at: Instant,
    /// Whole seconds, part of the blob's key; a life is counted from here.
    pub kept_from: Instant,
    /// The end of its life; [`Instant::FOREVER`] in a vault.
    pub expires_at: Instant,
    pub hidden_at: Option<Instant>,
    pub checked_at: Option<Instant>,
    pub damaged_at: Option<Instant>,
}

impl StoredFile {
    /// Creation as clients see it, in whole seconds. It survives a rebuild, which knows only the blob's key.
    pub fn shown_created_at(&self) -> Instant {
        let created = Instant::from_micros(self.created_at.micros().div_euclid(SECOND_MICROS) * SECOND_MICROS);
        created.min(self.kept_from)
    }

    pub fn has_expired(&self, now: Instant) -> bool {
        now >= self.expires_at
    }

    /// When its name becomes free again.
    pub const fn name_free_at(&self) -> Instant {
        self.expires_at.plus_micros(NAME_HOLD_MICROS)
    }

    /// What it counts in the quota.
    pub fn quota_bytes(&self) -> u64 {
        quota_bytes(&self.name, self.size_bytes)
    }
}

/// What a file of this name and size counts in the quota.
pub fn quota_bytes(name: &FileName, size_bytes: u64) -> u64 {
    size_bytes.saturating_add(SEGMENT_BYTES.saturating_mul(name.segments().count() as u64))
}

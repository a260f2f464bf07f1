//! The owner of stored files in the Backup API.

use std::fmt;
use std::str::FromStr;

use super::access::{AccountId, SecretHash};
use super::instant::Instant;
use super::retention::RetentionHistory;

/// What an account is for, and with it how its files' lives end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Whole archives by PUT; a life ends `retention` days after creation.
    Archive,
    /// Deduplicating clients; a client's DELETE hides, the bytes go later.
    Vault,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an account's kind is archive or vault")]
pub struct KindError;

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Vault => "vault",
        }
    }
}

impl FromStr for Kind {
    type Err = KindError;

    fn from_str(text: &str) -> Result<Self, KindError> {
        match text {
            "archive" => Ok(Self::Archive),
            "vault" => Ok(Self::Vault),
            _ => Err(KindError),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// An account as the catalog had it when it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    pub id: AccountId,
    pub kind: Kind,
    pub description: String,
    /// SHA-256 of the password.
    pub password: SecretHash,
    /// Most bytes the account may hold, overhead included; `None` for no limit.
    pub quota_bytes: Option<u64>,
    /// What its files count: their bytes + [`crate::model::stored_file::SEGMENT_BYTES`] a path segment.
    pub used_bytes: u64,
    pub retention: RetentionHistory,
    pub created_at: Instant,
    /// Why it is disabled, where it is.
    pub disabled: Option<String>,
    /// Removed accounts answer nobody; their files live out their life.
    pub removed_at: Option<Instant>,
}

impl Account {
    /// Whether requests with its right password are served.
    pub const fn is_open(&self) -> bool {
        self.disabled.is_none() && self.removed_at.is_none()
    }
}

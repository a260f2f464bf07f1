//! Readable blob keys: `ACCOUNT/` + the encoded name + `@CREATED-SHA256HEX-RANDOM`.

use crate::model::access::AccountId;
use crate::model::digest::Sha256Digest;
use crate::model::file_name::FileName;
use crate::model::instant::Instant;
use crate::model::stored_file::{BlobId, StoredFile};

/// Everything a blob's key says; enough to rebuild its row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlobKey {
    pub account: AccountId,
    pub name: FileName,
    /// Whole seconds.
    pub kept_from: Instant,
    pub sha256: Sha256Digest,
    pub id: BlobId,
}

impl BlobKey {
    pub fn of(file: &StoredFile) -> Self {
        Self { account: file.account.clone(), name: file.name.clone(), kept_from: file.kept_from, sha256: file.sha256, id: file.id.clone() }
    }

    /// The key as a path relative to `blobs/`, `/` between components.
    pub fn to_path(&self) -> String {
        todo!()
    }

    /// The inverse of [`BlobKey::to_path`]; `None` for what it would not have written.
    pub fn parse(path: &str) -> Option<Self> {
        todo!("{path}")
    }
}

//! Uploads: admitted, received in bounded memory, committed once.

use bytes::Bytes;

use super::{Result, Store};
use crate::model::account::Account;
use crate::model::digest::Sha256Digest;
use crate::model::file_name::FileName;
use crate::model::stored_file::StoredFile;

/// One upload in flight: unseen by everybody. Dropping it frees its space.
pub struct Upload {}

impl Store {
    /// Admits an upload of exactly `size_bytes`: the name is free, quota and disk have room, counting what uploads in flight have
    /// promised. Errors: `NameTaken`, `OverQuota`, `DiskFull`, `WritesSuspended`, `AccountClosed`, `Unavailable`.
    pub async fn begin_upload(&self, account: &Account, name: &FileName, size_bytes: u64) -> Result<Upload> {
        todo!("{account:?} {name:?} {size_bytes}")
    }
}

impl Upload {
    /// Takes the next bytes; at most about 1 MiB of memory is used, whatever the size. More than promised: `WrongSize`.
    pub async fn write(&mut self, bytes: Bytes) -> Result<()> {
        todo!("{}", bytes.len())
    }

    /// Syncs, publishes, commits; runs to its end even when the caller stops waiting. `expected` are digests that the client sent.
    /// After Ok the file is kept. Errors: `WrongSize`, `DigestMismatch`, `NameTaken`, `OverQuota`, `DiskFull`, `AccountClosed`,
    /// `InDoubt`, `WritesSuspended`, `Unavailable`.
    pub async fn finish(self, expected: Vec<Sha256Digest>) -> Result<StoredFile> {
        todo!("{expected:?}")
    }
}

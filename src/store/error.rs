//! The few outcomes of a store call that a caller can act on.

use std::error::Error as StdError;

use crate::model::digest::Sha256Digest;
use crate::model::stored_file::StoredFile;

type Cause = Box<dyn StdError + Send + Sync>;

/// What a store call can end with. Details, with paths and ids, are in the source: for the log, never for a client.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no such thing in the store")]
    NotFound,
    /// The name is held by this file: alive, or past its life but within the name hold.
    #[error("the name is taken")]
    NameTaken(Box<StoredFile>),
    #[error("the quota of {quota_bytes} bytes leaves no room: {used_bytes} are used, {needed_bytes} were asked for")]
    OverQuota { quota_bytes: u64, used_bytes: u64, needed_bytes: u64 },
    #[error("the disk is full: {free_bytes} bytes are free for uploads, {needed_bytes} were asked for")]
    DiskFull { free_bytes: u64, needed_bytes: u64 },
    #[error("{received} bytes arrived of {promised} promised")]
    WrongSize { promised: u64, received: u64 },
    #[error("the bytes have another digest than the client said")]
    DigestMismatch { sent: Sha256Digest, computed: Sha256Digest },
    /// The account was disabled or removed while the call ran.
    #[error("the account is closed: {reason}")]
    AccountClosed { reason: String },
    /// A damaged blob: the bytes are not those that were stored.
    #[error("the stored bytes are damaged")]
    Corrupt(#[source] Cause),
    /// A disk error ended writing until a restart.
    #[error("writes are suspended: {reason}")]
    WritesSuspended { reason: String },
    /// The commit may or may not have happened; sending the file again is safe.
    #[error("the outcome of the commit is unknown")]
    InDoubt(#[source] Cause),
    /// The bytes are kept, but the catalog refused their row: the file may still appear, and sending it again is safe.
    #[error("the file was published, but not entered")]
    NotEntered {
        /// Whether that is because the catalog's disk is full.
        disk_is_full: bool,
        source: Cause,
    },
    /// Catalog or disk cannot be reached now; trying again may help.
    #[error("the store cannot be reached now")]
    Unavailable(#[source] Cause),
    /// A fault of ours.
    #[error("the store failed")]
    Internal(#[source] Cause),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

//! Bytes at rest under readable keys. All calls block and run on blocking threads.
//!
//! * Staged bytes are invisible until [`Staged::publish`], which is the only way to a key: it syncs the bytes once,
//!   gives them their key create-only, and makes every folder above durable before it returns.
//! * A key is unique for ever, so nothing is ever replaced.

mod batch;
mod cached;
#[cfg(test)]
mod contract;
mod copies;
pub mod counted;
pub mod disk;
mod fault;
mod folders;
pub mod key;
#[cfg(test)]
pub mod memory;
mod probe;
mod publish;
mod reader;
mod removal;
mod root;
mod staging;
mod walk;

use std::io;

pub use key::BlobKey;

/// What a caller may conclude from a failed call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BlobFault {
    NotFound,
    /// ENOSPC, EDQUOT, EFBIG.
    Full,
    /// EIO: trust nothing that was not synced before.
    Io,
    /// EROFS, ENOTCONN, ENODEV, ESTALE, EMFILE …: may pass.
    Unavailable,
    /// Anything else: permissions, a folder where a file should be.
    Failed,
}

/// A failed blob call: on what, and the system's error.
#[derive(Debug, thiserror::Error)]
#[error("blobs: {doing}")]
pub struct BlobError {
    pub fault: BlobFault,
    pub doing: String,
    #[source]
    pub source: io::Error,
}

/// Room on the medium.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Space {
    pub free_bytes: u64,
    pub free_files: u64,
}

/// One thing a walk came upon.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    Blob {
        key: BlobKey,
        size_bytes: u64,
    },
    /// Nothing that we would have written; relative to `blobs/`. Left alone and reported.
    Foreign {
        path: String,
    },
    /// A folder or an entry that the system will not show; the walk goes on beside it.
    Unreadable {
        path: String,
        why: String,
    },
}

pub trait Blobs: Send + Sync + 'static {
    /// A new staging file, named by its own random name and removed when the handle is dropped.
    fn stage(&self) -> Result<Box<dyn Staged>, BlobError>;
    fn open(&self, key: &BlobKey) -> Result<Box<dyn BlobReader>, BlobError>;
    /// All bytes of a blob that lies in memory and has so many; `None` where that is not so or not known. Waits for nothing, so it may
    /// be called anywhere.
    fn read_cached(&self, _key: &BlobKey, _size_bytes: usize) -> Option<Vec<u8>> {
        None
    }
    /// Removes the bytes, then folders that became empty, and makes that durable. Absent bytes are removed already.
    fn remove(&self, key: &BlobKey) -> Result<(), BlobError>;
    /// The same for many, with fewer syncs; an outcome for each.
    fn remove_all(&self, keys: &[BlobKey]) -> Vec<Result<(), BlobError>> {
        keys.iter().map(|key| self.remove(key)).collect()
    }
    /// Calls `visit` for everything published; stops early, with Ok, when it says `false`.
    fn walk(&self, visit: &mut dyn FnMut(Found) -> bool) -> Result<(), BlobError>;
    fn space(&self) -> Result<Space, BlobError>;
    /// Removes staging files of no living upload; returns how many.
    fn clear_staging(&self) -> Result<u64, BlobError>;
    /// Stores a small copy durably and whole, or not at all. `name` is a plain file name.
    fn put_control(&self, name: &str, bytes: &[u8]) -> Result<(), BlobError>;
    fn get_control(&self, name: &str) -> Result<Vec<u8>, BlobError>;
    /// Names of all small copies, sorted.
    fn list_control(&self) -> Result<Vec<String>, BlobError>;
    fn remove_control(&self, name: &str) -> Result<(), BlobError>;
}

/// Bytes on their way in.
pub trait Staged: Send {
    /// Appends all of `bytes`.
    fn write(&mut self, bytes: &[u8]) -> Result<(), BlobError>;
    /// Syncs the bytes (once: a descriptor whose fsync failed is never trusted again), then publishes them under `key`,
    /// create-only, then makes the folders durable. After Ok the blob survives a power cut. After an error it may or may not exist.
    fn publish(self: Box<Self>, key: &BlobKey) -> Result<(), BlobError>;
    /// The same, sharing its syncs with others that publish at the same time; `done` is told of the outcome, maybe on another thread.
    /// This thread may come back much later, when it has seen to others.
    fn publish_among(self: Box<Self>, key: &BlobKey, done: Published) {
        done(self.publish(key));
    }
}

/// Hears how a publish ended. Dropped unheard after a panic, which is a failure, too.
pub type Published = Box<dyn FnOnce(Result<(), BlobError>) + Send>;

/// An open blob. It stays readable after its removal.
pub trait BlobReader: Send {
    fn size_bytes(&self) -> u64;
    /// Fills `buffer` from `offset`; fewer bytes only at the end of the blob.
    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> Result<usize, BlobError>;
    /// Appends the bytes at `offset` to `bytes`, `length` of them; fewer only at the end of the blob.
    fn append_at(&mut self, bytes: &mut Vec<u8>, offset: u64, length: usize) -> Result<(), BlobError> {
        let start = bytes.len();
        bytes.resize(start + length, 0);
        let count = self.read_at(&mut bytes[start..], offset)?;
        bytes.truncate(start + count);
        Ok(())
    }
    /// Makes the next read of this range come from the medium and not from a cache, as far as the system allows.
    fn forget_cache(&mut self, offset: u64, length: u64);
}

//! Blobs as plain files on a POSIX file system.

use std::path::Path;

use super::{BlobError, BlobKey, BlobReader, Blobs, Found, Space, Staged};

/// Blobs below one folder.
pub struct DiskBlobs {}

impl DiskBlobs {
    /// Opens or makes `root` (0700), `.staging` and `.control` in it, and probes the file system once: a name of 229 bytes and
    /// two that differ only in case are made, synced, linked and unlinked.
    pub fn open(root: &Path) -> Result<Self, BlobError> {
        todo!("{root:?}")
    }
}

impl Blobs for DiskBlobs {
    fn stage(&self) -> Result<Box<dyn Staged>, BlobError> {
        todo!()
    }
    fn open(&self, key: &BlobKey) -> Result<Box<dyn BlobReader>, BlobError> {
        todo!("{key:?}")
    }
    fn remove(&self, key: &BlobKey) -> Result<(), BlobError> {
        todo!("{key:?}")
    }
    fn walk(&self, _visit: &mut dyn FnMut(Found) -> bool) -> Result<(), BlobError> {
        todo!()
    }
    fn space(&self) -> Result<Space, BlobError> {
        todo!()
    }
    fn clear_staging(&self) -> Result<u64, BlobError> {
        todo!()
    }
    fn put_control(&self, name: &str, bytes: &[u8]) -> Result<(), BlobError> {
        todo!("{name} {}", bytes.len())
    }
    fn get_control(&self, name: &str) -> Result<Vec<u8>, BlobError> {
        todo!("{name}")
    }
    fn list_control(&self) -> Result<Vec<String>, BlobError> {
        todo!()
    }
    fn remove_control(&self, name: &str) -> Result<(), BlobError> {
        todo!("{name}")
    }
}

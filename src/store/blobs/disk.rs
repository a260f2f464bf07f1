//! Blobs as plain files on a POSIX file system.
//!
//! One process removes and clears at a time (the one that holds the data directory); any number may read, and store small copies.

use std::path::Path;
use std::sync::Arc;

use super::reader::DiskReader;
use super::root::Root;
use super::staging::StagingFile;
use super::{BlobError, BlobKey, BlobReader, Blobs, Found, Space, Staged, cached, copies, probe, removal, staging, walk};

/// Blobs below one folder.
pub struct DiskBlobs {
    root: Arc<Root>,
}

impl DiskBlobs {
    /// Opens or makes `root` (0700), `.staging` and `.control` in it, and probes the file system once: names of 229 bytes and
    /// names that only a careless file system takes for one are made, synced, moved create-only and removed. A file system that
    /// fails is refused in words; one without room for the probe is believed.
    pub fn open(root: &Path) -> Result<Self, BlobError> {
        let blobs = Self::open_beside(root)?;
        probe::probe(&blobs.root)?;
        Ok(blobs)
    }

    /// The same for a process beside a server: it probes nothing.
    pub fn open_beside(root: &Path) -> Result<Self, BlobError> {
        Ok(Self { root: Arc::new(Root::open(root)?) })
    }
}

#[cfg(test)]
impl DiskBlobs {
    pub(super) fn root(&self) -> &Arc<Root> {
        &self.root
    }
}

impl Blobs for DiskBlobs {
    fn stage(&self) -> Result<Box<dyn Staged>, BlobError> {
        Ok(Box::new(StagingFile::create(&self.root)?))
    }

    fn open(&self, key: &BlobKey) -> Result<Box<dyn BlobReader>, BlobError> {
        Ok(Box::new(DiskReader::open(&self.root, key.to_path())?))
    }

    fn read_cached(&self, key: &BlobKey, size_bytes: usize) -> Option<Vec<u8>> {
        cached::read(&self.root, &key.to_path(), size_bytes)
    }

    fn remove(&self, key: &BlobKey) -> Result<(), BlobError> {
        removal::remove(&self.root, &[key.to_path()]).pop().expect("one outcome for one path")
    }

    fn remove_all(&self, keys: &[BlobKey]) -> Vec<Result<(), BlobError>> {
        let paths: Vec<String> = keys.iter().map(BlobKey::to_path).collect();
        removal::remove(&self.root, &paths)
    }

    fn walk(&self, visit: &mut dyn FnMut(Found) -> bool) -> Result<(), BlobError> {
        walk::walk(&self.root, visit)
    }

    fn space(&self) -> Result<Space, BlobError> {
        self.root.space()
    }

    fn clear_staging(&self) -> Result<u64, BlobError> {
        staging::clear(&self.root, "")
    }

    fn put_control(&self, name: &str, bytes: &[u8]) -> Result<(), BlobError> {
        copies::put(&self.root, name, bytes)
    }

    fn get_control(&self, name: &str) -> Result<Vec<u8>, BlobError> {
        copies::get(&self.root, name)
    }

    fn list_control(&self) -> Result<Vec<String>, BlobError> {
        copies::list(&self.root)
    }

    fn remove_control(&self, name: &str) -> Result<(), BlobError> {
        copies::remove(&self.root, name)
    }
}

#[cfg(test)]
mod system_calls;
#[cfg(test)]
mod tests;

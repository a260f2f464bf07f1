//! Blobs that count what is read of them, for the progress of long work.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{BlobError, BlobKey, BlobReader, Blobs, Found, Space, Staged};

/// Blobs, and the bytes that were read of them so far.
pub struct CountedBlobs {
    blobs: Arc<dyn Blobs>,
    read: Arc<AtomicU64>,
}

struct CountedReader {
    reader: Box<dyn BlobReader>,
    read: Arc<AtomicU64>,
}

impl CountedBlobs {
    pub fn new(blobs: Arc<dyn Blobs>, read: Arc<AtomicU64>) -> Self {
        Self { blobs, read }
    }
}

impl Blobs for CountedBlobs {
    fn stage(&self) -> Result<Box<dyn Staged>, BlobError> {
        self.blobs.stage()
    }

    fn open(&self, key: &BlobKey) -> Result<Box<dyn BlobReader>, BlobError> {
        Ok(Box::new(CountedReader { reader: self.blobs.open(key)?, read: Arc::clone(&self.read) }))
    }

    fn remove(&self, key: &BlobKey) -> Result<(), BlobError> {
        self.blobs.remove(key)
    }

    fn walk(&self, visit: &mut dyn FnMut(Found) -> bool) -> Result<(), BlobError> {
        self.blobs.walk(visit)
    }

    fn space(&self) -> Result<Space, BlobError> {
        self.blobs.space()
    }

    fn clear_staging(&self) -> Result<u64, BlobError> {
        self.blobs.clear_staging()
    }

    fn put_control(&self, name: &str, bytes: &[u8]) -> Result<(), BlobError> {
        self.blobs.put_control(name, bytes)
    }

    fn get_control(&self, name: &str) -> Result<Vec<u8>, BlobError> {
        self.blobs.get_control(name)
    }

    fn list_control(&self) -> Result<Vec<String>, BlobError> {
        self.blobs.list_control()
    }

    fn remove_control(&self, name: &str) -> Result<(), BlobError> {
        self.blobs.remove_control(name)
    }
}

impl BlobReader for CountedReader {
    fn size_bytes(&self) -> u64 {
        self.reader.size_bytes()
    }

    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> Result<usize, BlobError> {
        let count = self.reader.read_at(buffer, offset)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }

    fn forget_cache(&mut self, offset: u64, length: u64) {
        self.reader.forget_cache(offset, length);
    }
}

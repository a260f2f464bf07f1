//! Blobs in memory, for tests of what stands above them: the same contract, and a few switches for harm.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use rustix::io::Errno;

use super::{BlobError, BlobKey, BlobReader, Blobs, Found, Space, Staged, copies};

type Bytes = Arc<Vec<u8>>;

/// On which side of the blob's appearance a publish fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    BeforeBlob,
    AfterBlob,
}

/// Blobs that end with the process.
#[derive(Default)]
pub struct MemoryBlobs {
    shared: Arc<Mutex<Contents>>,
}

#[derive(Default)]
struct Contents {
    /// By key; what is no key is foreign.
    published: BTreeMap<String, Bytes>,
    control: BTreeMap<String, Bytes>,
    next_failure: Option<When>,
    /// What opening a blob ends with.
    opening: Option<Errno>,
    /// What removing a blob ends with.
    removing: Option<Errno>,
}

impl MemoryBlobs {
    /// The next publish fails with EIO.
    pub fn fail_next_publish(&self, when: When) {
        lock(&self.shared).next_failure = Some(when);
    }

    /// From now on no blob can be opened, as without permission.
    pub fn refuse_reading(&self, refuse: bool) {
        lock(&self.shared).opening = refuse.then_some(Errno::ACCESS);
    }

    /// From now on no blob can be opened, as on a file system that was taken away.
    pub fn be_away(&self, away: bool) {
        lock(&self.shared).opening = away.then_some(Errno::NOTCONN);
    }

    /// From now on removing a blob fails like this.
    pub fn fail_removals(&self, errno: Option<Errno>) {
        lock(&self.shared).removing = errno;
    }

    /// Flips one bit in the middle of the stored bytes; twice is none.
    pub fn flip_bit(&self, key: &BlobKey) {
        let mut contents = lock(&self.shared);
        let bytes = contents.published.get_mut(&key.to_path()).expect("the blob is there");
        let mut harmed = bytes.to_vec();
        let middle = harmed.len() / 2;
        harmed[middle] ^= 1;
        *bytes = Arc::new(harmed);
    }

    /// Puts something there that no publish would have.
    pub fn plant(&self, path: &str) {
        lock(&self.shared).published.insert(path.to_owned(), Bytes::default());
    }
}

impl Blobs for MemoryBlobs {
    fn stage(&self) -> Result<Box<dyn Staged>, BlobError> {
        Ok(Box::new(StagedBytes { shared: Arc::clone(&self.shared), bytes: Vec::new() }))
    }

    fn open(&self, key: &BlobKey) -> Result<Box<dyn BlobReader>, BlobError> {
        let path = key.to_path();
        if let Some(errno) = lock(&self.shared).opening {
            return Err(BlobError::new(format!("opening {path}"), errno));
        }
        let bytes = lock(&self.shared).published.get(&path).cloned();
        let bytes = bytes.ok_or_else(|| BlobError::new(format!("opening {path}"), Errno::NOENT))?;
        Ok(Box::new(MemoryReader(bytes)))
    }

    fn remove(&self, key: &BlobKey) -> Result<(), BlobError> {
        let mut contents = lock(&self.shared);
        if let Some(errno) = contents.removing {
            return Err(BlobError::new(format!("removing {}", key.to_path()), errno));
        }
        contents.published.remove(&key.to_path());
        Ok(())
    }

    fn walk(&self, visit: &mut dyn FnMut(Found) -> bool) -> Result<(), BlobError> {
        let published = lock(&self.shared).published.clone();
        for (path, bytes) in published {
            let found = match BlobKey::parse(&path) {
                Some(key) => Found::Blob { key, size_bytes: bytes.len() as u64 },
                None => Found::Foreign { path },
            };
            if !visit(found) {
                break;
            }
        }
        Ok(())
    }

    fn space(&self) -> Result<Space, BlobError> {
        Ok(Space { free_bytes: 1 << 40, free_files: 1 << 20 })
    }

    fn clear_staging(&self) -> Result<u64, BlobError> {
        Ok(0)
    }

    fn put_control(&self, name: &str, bytes: &[u8]) -> Result<(), BlobError> {
        copies::check_name(name)?;
        lock(&self.shared).control.insert(name.to_owned(), Arc::new(bytes.to_vec()));
        Ok(())
    }

    fn get_control(&self, name: &str) -> Result<Vec<u8>, BlobError> {
        copies::check_name(name)?;
        let bytes = lock(&self.shared).control.get(name).cloned();
        bytes.map(|bytes| bytes.to_vec()).ok_or_else(|| BlobError::new(format!("opening {name}"), Errno::NOENT))
    }

    fn list_control(&self) -> Result<Vec<String>, BlobError> {
        Ok(lock(&self.shared).control.keys().cloned().collect())
    }

    fn remove_control(&self, name: &str) -> Result<(), BlobError> {
        copies::check_name(name)?;
        lock(&self.shared).control.remove(name);
        Ok(())
    }
}

struct StagedBytes {
    shared: Arc<Mutex<Contents>>,
    bytes: Vec<u8>,
}

impl Staged for StagedBytes {
    fn write(&mut self, bytes: &[u8]) -> Result<(), BlobError> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn publish(self: Box<Self>, key: &BlobKey) -> Result<(), BlobError> {
        let path = key.to_path();
        let doing = format!("publishing {path}");
        let mut contents = lock(&self.shared);
        let failure = contents.next_failure.take();
        if failure == Some(When::BeforeBlob) {
            return Err(BlobError::new(doing, Errno::IO));
        }
        if contents.published.contains_key(&path) {
            return Err(BlobError::new(doing, Errno::EXIST));
        }
        contents.published.insert(path, Arc::new(self.bytes));
        if failure == Some(When::AfterBlob) { Err(BlobError::new(doing, Errno::IO)) } else { Ok(()) }
    }
}

struct MemoryReader(Bytes);

impl BlobReader for MemoryReader {
    fn size_bytes(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> Result<usize, BlobError> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.0.len());
        let count = buffer.len().min(self.0.len() - start);
        buffer[..count].copy_from_slice(&self.0[start..start + count]);
        Ok(count)
    }

    fn forget_cache(&mut self, _offset: u64, _length: u64) {}
}

fn lock(shared: &Mutex<Contents>) -> MutexGuard<'_, Contents> {
    shared.lock().expect("nothing panics while it holds the contents")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::blobs::contract::key;

    fn publish(blobs: &MemoryBlobs, key: &BlobKey) -> Result<(), BlobError> {
        let mut staged = blobs.stage().expect("a staging file");
        staged.write(b"bytes").expect("room");
        staged.publish(key)
    }

    #[test]
    fn a_publish_fails_where_it_was_told_to_and_once() {
        let blobs = MemoryBlobs::default();
        let (before, after) = (key("/before"), key("/after"));
        blobs.fail_next_publish(When::BeforeBlob);
        publish(&blobs, &before).expect_err("told to fail");
        assert!(blobs.open(&before).is_err());
        publish(&blobs, &before).expect("told once");
        blobs.fail_next_publish(When::AfterBlob);
        publish(&blobs, &after).expect_err("told to fail");
        assert!(blobs.open(&after).is_ok());
    }

    #[test]
    fn a_flipped_bit_changes_one_byte() {
        let blobs = MemoryBlobs::default();
        let key = key("/a");
        publish(&blobs, &key).expect("published");
        blobs.flip_bit(&key);
        let mut bytes = [0; 8];
        assert_eq!(blobs.open(&key).expect("there").read_at(&mut bytes, 0).expect("readable"), 5);
        assert_eq!(&bytes[..5], b"byues");
    }
}

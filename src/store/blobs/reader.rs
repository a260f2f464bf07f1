//! An open blob on disk.

use std::fs::File;
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt as _;

use rustix::buffer::spare_capacity;
use rustix::fs::{Advice, OFlags};
use rustix::io::Errno;

use super::root::{Root, open_file};
use super::{BlobError, BlobReader};

/// The largest page of any machine we run on: the kernel forgets whole pages only.
const PAGE_BYTES: u64 = 64 * 1024;

pub(super) struct DiskReader {
    file: File,
    path: String,
    size_bytes: u64,
}

impl DiskReader {
    pub(super) fn open(root: &Root, path: String) -> Result<Self, BlobError> {
        let (file, size_bytes) = match open_file(&root.folder, &path, OFlags::NOATIME) {
            // Only the owner of a file may leave its access time alone.
            Err(error) if error.source.raw_os_error() == Some(Errno::PERM.raw_os_error()) => {
                open_file(&root.folder, &path, OFlags::empty())?
            }
            opened => opened?,
        };
        Ok(Self { file, path, size_bytes })
    }
}

impl BlobReader for DiskReader {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read_at(&mut self, buffer: &mut [u8], offset: u64) -> Result<usize, BlobError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.file.read_at(&mut buffer[filled..], offset.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(BlobError::new(format!("reading {}", self.path), error)),
            }
        }
        Ok(filled)
    }

    /// Reads into memory that nobody has cleared before.
    fn append_at(&mut self, bytes: &mut Vec<u8>, offset: u64, length: usize) -> Result<(), BlobError> {
        let start = bytes.len();
        bytes.reserve_exact(length);
        while bytes.len() < start + length {
            let from = offset.saturating_add((bytes.len() - start) as u64);
            match rustix::io::pread(&self.file, spare_capacity(bytes), from) {
                Ok(0) => break,
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(BlobError::new(format!("reading {}", self.path), errno)),
            }
        }
        // The memory may have been larger than what was asked for.
        bytes.truncate(start + length);
        Ok(())
    }

    fn forget_cache(&mut self, offset: u64, length: u64) {
        let start = offset / PAGE_BYTES * PAGE_BYTES;
        let end = offset.saturating_add(length).checked_next_multiple_of(PAGE_BYTES).unwrap_or(u64::MAX);
        if let Some(length) = NonZeroU64::new(end - start) {
            // A refusal leaves the cache as it was, which the contract allows.
            let _ = rustix::fs::fadvise(&self.file, start, Some(length), Advice::DontNeed);
        }
    }
}

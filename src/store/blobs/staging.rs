//! Bytes on their way in: files under `.staging/`, each with a name that is never used again.
//!
//! Whoever writes a staging file holds an `flock` on it, which ends with the process however that ends. So clearing up tells the
//! living from the left over, in this process and in others.

use std::fs::File;
use std::io::{self, Write as _};
use std::num::NonZeroU64;
use std::sync::Arc;

use rustix::fs::{Advice, AtFlags, Dir, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::fault::Doing as _;
use super::root::{FILE_MODE, Root, open_folder, unlink};
use super::{BlobError, BlobKey, Published, Staged, batch, publish};
use crate::model::stored_file::BlobId;

/// The disk is set to work whenever so many bytes more have been written, so that the sync at the end finds little left to do.
const WRITE_BACK_BYTES: u64 = 8 << 20;

/// Bytes written at a time. Linux takes the memory of a write in one stretch, and long stretches from what has long been free; a virtual
/// machine has lent that to its host and waits until it is back.
const PIECE_BYTES: usize = 64 << 10;

/// One staging file, open. Dropping it removes that name and no other.
pub(super) struct StagingFile {
    pub(super) root: Arc<Root>,
    pub(super) name: String,
    pub(super) file: File,
    /// Whether the name has gone to another folder.
    pub(super) moved: bool,
    written_bytes: u64,
    /// How much of it the system was asked to write back.
    begun_bytes: u64,
}

impl StagingFile {
    pub(super) fn create(root: &Arc<Root>) -> Result<Self, BlobError> {
        loop {
            match Self::create_named(root, BlobId::random().to_string()) {
                Err(error) if was_cleared(&error) => {}
                outcome => return outcome,
            }
        }
    }

    /// Creates and locks `name`, which must be new. See [`was_cleared`] for the error that asks for another try.
    pub(super) fn create_named(root: &Arc<Root>, name: String) -> Result<Self, BlobError> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&root.staging, &name, flags, FILE_MODE).doing(|| format!("making the staging file {name}"))?;
        let created = Self { root: Arc::clone(root), name, file: file.into(), moved: false, written_bytes: 0, begun_bytes: 0 };
        rustix::fs::flock(&created.file, FlockOperation::LockExclusive).doing(|| format!("locking the staging file {}", created.name))?;
        if created.is_linked()? {
            return Ok(created);
        }
        Err(BlobError::new(format!("locking the staging file {}", created.name), io::Error::from(io::ErrorKind::Interrupted)))
    }

    pub(super) fn is_linked(&self) -> Result<bool, BlobError> {
        let state = rustix::fs::fstat(&self.file).doing(|| format!("looking at the staging file {}", self.name))?;
        Ok(state.st_nlink > 0)
    }

    pub(super) const fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), BlobError> {
        for piece in bytes.chunks(PIECE_BYTES) {
            self.file.write_all(piece).writing(|| format!("writing the staging file {}", self.name))?;
        }
        self.written_bytes += bytes.len() as u64;
        self.begin_write_back();
        Ok(())
    }

    /// Linux begins to write what it is told is not needed again, and waits for nothing. An error of that is kept by the kernel for
    /// the sync of this descriptor; a system that does nothing costs time at the end.
    fn begin_write_back(&mut self) {
        let ready = self.written_bytes / WRITE_BACK_BYTES * WRITE_BACK_BYTES;
        if let Some(length) = NonZeroU64::new(ready - self.begun_bytes) {
            let _ = rustix::fs::fadvise(&self.file, self.begun_bytes, Some(length), Advice::DontNeed);
            self.begun_bytes = ready;
        }
    }

    /// Syncs the bytes. Never called twice: after a failed sync the second one would lie.
    pub(super) fn sync(&self) -> Result<(), BlobError> {
        fail::fail_point!("staging-sync", |_| Ok(()));
        self.file.sync_all().writing(|| format!("syncing the staging file {}", self.name))
    }
}

impl Drop for StagingFile {
    fn drop(&mut self) {
        if !self.moved {
            // What cannot be removed now is found by the next clearing.
            let _ = unlink(&self.root.staging, &self.name);
        }
    }
}

impl Staged for StagingFile {
    fn write(&mut self, bytes: &[u8]) -> Result<(), BlobError> {
        self.append(bytes)
    }

    fn publish(mut self: Box<Self>, key: &BlobKey) -> Result<(), BlobError> {
        self.sync()?;
        publish::publish(&mut self, &key.to_path())
    }

    fn publish_among(self: Box<Self>, key: &BlobKey, done: Published) {
        let root = Arc::clone(&self.root);
        batch::publish(&root, self, key.to_path(), done);
    }
}

/// Whether a staging file was cleared away between its creation and its lock, so that making another is the answer.
pub(super) fn was_cleared(error: &BlobError) -> bool {
    error.source.kind() == io::ErrorKind::Interrupted
}

/// The names in the staging folder.
pub(super) fn names(root: &Root) -> Result<Vec<String>, BlobError> {
    let folder = open_folder(&root.staging, ".").and_then(Dir::new).doing(|| "opening the staging folder".to_owned())?;
    let mut names = Vec::new();
    for entry in folder {
        let entry = entry.doing(|| "reading the staging folder".to_owned())?;
        match entry.file_name().to_str() {
            Ok("." | "..") | Err(_) => {}
            Ok(name) => names.push(name.to_owned()),
        }
    }
    Ok(names)
}

/// Removes the staging files that begin with `prefix` and that nobody writes; returns how many. One that cannot be removed does not
/// keep the others, but is the error in the end.
pub(super) fn clear(root: &Root, prefix: &str) -> Result<u64, BlobError> {
    let (mut cleared, mut failed) = (0, None);
    for name in names(root)?.iter().filter(|name| name.starts_with(prefix)) {
        match clear_one(root, name) {
            Ok(removed) => cleared += u64::from(removed),
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(cleared), Err)
}

/// False for the living, for what has gone meanwhile, and for what is no file.
fn clear_one(root: &Root, name: &str) -> Result<bool, BlobError> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(&root.staging, name, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::ISDIR | Errno::LOOP | Errno::NXIO) => return Ok(false),
        Err(errno) => return Err(BlobError::new(format!("opening the staging file {name}"), errno)),
    };
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Ok(false),
        Err(errno) => return Err(BlobError::new(format!("locking the staging file {name}"), errno)),
    }
    match rustix::fs::unlinkat(&root.staging, name, AtFlags::empty()) {
        Ok(()) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(BlobError::new(format!("removing the staging file {name}"), errno)),
    }
}

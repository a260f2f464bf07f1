//! Small blobs that lie in memory: read where they are asked for, without another thread that could wait for a disk.
//!
//! The system opens by what it knows already and reads what it holds already, or says that it would have to wait: then a thread that
//! may wait does the same work. Only on file systems whose opening asks nobody else.

use std::fs::File;
use std::io::IoSliceMut;

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};
use rustix::io::ReadWriteFlags;

use super::root::Root;

/// All `length` bytes of the blob; `None` where that could wait, and for whatever is not as expected.
pub(super) fn read(root: &Root, path: &str, length: usize) -> Option<Vec<u8>> {
    if !root.is_plain_disk {
        return None;
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOATIME;
    let file = File::from(rustix::fs::openat2(&root.folder, path, flags, Mode::empty(), ResolveFlags::CACHED).ok()?);
    let state = rustix::fs::fstat(&file).ok()?;
    let is_expected = FileType::from_raw_mode(state.st_mode) == FileType::RegularFile && usize::try_from(state.st_size) == Ok(length);
    if !is_expected {
        return None;
    }
    let mut bytes = vec![0; length];
    let count = rustix::io::preadv2(&file, &mut [IoSliceMut::new(&mut bytes)], 0, ReadWriteFlags::NOWAIT).ok()?;
    (count == length).then_some(bytes)
}

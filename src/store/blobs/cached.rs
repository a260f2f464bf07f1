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

#[cfg(test)]
mod tests {
    use crate::store::blobs::Blobs as _;
    use crate::store::blobs::contract::{key, publish};
    use crate::store::blobs::disk::DiskBlobs;

    #[test]
    fn what_was_just_written_is_at_hand_and_only_as_it_was_asked_for() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let blobs = DiskBlobs::open(&folder.path().join("blobs")).expect("it takes blobs");
        let written = key("/a");
        publish(&blobs, &written, b"bytes");
        let at_hand = blobs.root().is_plain_disk.then(|| b"bytes".to_vec());
        assert_eq!(blobs.read_cached(&written, 5), at_hand);
        assert_eq!((blobs.read_cached(&written, 4), blobs.read_cached(&written, 6)), (None, None), "another size");
        assert_eq!(blobs.read_cached(&key("/b"), 5), None, "no such blob");
    }
}

//! Files whose bytes the page cache has not got.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use rustix::fs::{Advice, fadvise};

use crate::vault::crypto::random;

/// A file of random bytes, on the disk alone, and the bytes.
pub(in crate::vault) fn cold_file(size_bytes: usize) -> (File, Vec<u8>) {
    let mut bytes = vec![0; size_bytes];
    random(&mut bytes);
    let file = tempfile::tempfile().expect("a file without a name");
    file.write_all_at(&bytes, 0).expect("room on the disk");
    file.sync_all().expect("the file is stored");
    fadvise(&file, 0, None, Advice::DontNeed).expect("the cache lets go of it");
    (file, bytes)
}

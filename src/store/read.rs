//! Downloads: every block is checked against its sum before a byte of it is handed out.

use std::ops::Range;

use bytes::Bytes;

use super::{Result, Store};
use crate::model::stored_file::StoredFile;

/// Verified bytes of one file, a block of at most 1 MiB at a time.
pub struct Download {}

impl Store {
    /// Opens `range` of the file's bytes. A missing blob of a file that is still live is `Corrupt`; of one that ended meanwhile `NotFound`.
    pub async fn open_file(&self, file: &StoredFile, range: Range<u64>) -> Result<Download> {
        todo!("{file:?} {range:?}")
    }
}

impl Download {
    /// The next bytes; `None` after the last. `Corrupt` marks the file damaged first.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        todo!()
    }
}

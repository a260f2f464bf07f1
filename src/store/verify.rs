//! Reading whole blobs against what their rows say. Blocking.

use super::blobs::{BlobError, BlobFault, BlobKey, BlobReader, Blobs};
use crate::model::digest::{BlockSums, Hasher, Sha256Digest};

/// Bytes read at once.
const READ_BYTES: usize = 256 * 1024;

/// What a blob was found to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Finding {
    /// Every byte is as it was stored.
    Whole { size_bytes: u64, sums: BlockSums },
    /// It is not there.
    Missing,
    /// Why it is not: words for the operator.
    Damaged(String),
    /// It is there and refuses to be read: a disk's or an administrator's fault that may be mended.
    Unreadable(String),
    /// It cannot be told now; nothing is marked.
    Unknown(String),
}

impl Finding {
    /// What is wrong, for the operator.
    pub(super) fn words(&self) -> &str {
        match self {
            Self::Whole { .. } => "nothing",
            Self::Missing => "its bytes are missing",
            Self::Damaged(why) | Self::Unreadable(why) | Self::Unknown(why) => why,
        }
    }
}

/// Reads the blob and compares its SHA-256 with the key's, and its size with `size_bytes` where that is known.
/// What does not match is read once more, past the cache, before it is called damaged. `pace` is told of each part that was read
/// and ends the reading with `false`.
pub(super) fn read_whole(blobs: &dyn Blobs, key: &BlobKey, size_bytes: Option<u64>, pace: &mut dyn FnMut(u64) -> bool) -> Finding {
    let mut reader = match blobs.open(key) {
        Ok(reader) => reader,
        Err(error) => return failure(&error),
    };
    if let Some(expected) = size_bytes.filter(|expected| *expected != reader.size_bytes()) {
        return Finding::Damaged(format!("{} bytes instead of {expected}", reader.size_bytes()));
    }
    for attempt in 0..2 {
        if attempt > 0 {
            reader.forget_cache(0, reader.size_bytes());
        }
        match hash(&mut *reader, pace) {
            Ok(Some((sha256, sums, size_bytes))) if sha256 == key.sha256 => return Finding::Whole { size_bytes, sums },
            Ok(Some(_)) => {}
            Ok(None) => return Finding::Unknown("the reading was stopped".to_owned()),
            Err(error) if attempt > 0 || error.fault != BlobFault::Io => return failure(&error),
            Err(_) => {}
        }
    }
    Finding::Damaged("another SHA-256 than its name says".to_owned())
}

/// Whether the blob is there with the right size; reads none of it.
pub(super) fn look(blobs: &dyn Blobs, key: &BlobKey, size_bytes: u64) -> Option<Finding> {
    match blobs.open(key) {
        Ok(reader) if reader.size_bytes() == size_bytes => None,
        Ok(reader) => Some(Finding::Damaged(format!("{} bytes instead of {size_bytes}", reader.size_bytes()))),
        Err(error) => Some(failure(&error)),
    }
}

/// `None` where `pace` ended it.
fn hash(reader: &mut dyn BlobReader, pace: &mut dyn FnMut(u64) -> bool) -> Result<Option<(Sha256Digest, BlockSums, u64)>, BlobError> {
    let (mut hasher, mut buffer, mut offset) = (Hasher::default(), vec![0; READ_BYTES], 0);
    loop {
        let count = reader.read_at(&mut buffer, offset)?;
        if count == 0 {
            let (sha256, sums) = hasher.finish();
            return Ok(Some((sha256, sums, offset)));
        }
        hasher.update(&buffer[..count]);
        offset += count as u64;
        if !pace(count as u64) {
            return Ok(None);
        }
    }
}

fn failure(error: &BlobError) -> Finding {
    match error.fault {
        BlobFault::NotFound => Finding::Missing,
        BlobFault::Io => Finding::Unreadable("the disk cannot read it".to_owned()),
        BlobFault::Failed => Finding::Unreadable("its bytes cannot be opened".to_owned()),
        BlobFault::Full | BlobFault::Unavailable => Finding::Unknown(super::chain(error)),
    }
}

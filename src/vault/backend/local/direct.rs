//! Writing packs past the page cache (`O_DIRECT`, open(2)). Nobody reads a pack again soon, so the cache has better uses; the processor is
//! spared the search for free memory and a copy into it; and an error of the disk is that of the write that met it.

use std::fs::File;
use std::io::{self, Write as _};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::vault::pack::ALIGNED_BYTES;

/// From this length on. A shorter file is written and synced at once anyway.
const LEAST_BYTES: usize = 1 << 20;

/// Writes all of it at the beginning of a new file. The cache is used where the file system cannot pass it by, for bytes that do not lie
/// at a multiple of [`ALIGNED_BYTES`], and for the rest of them that is no such multiple.
pub fn write_all(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    let is_aligned = bytes.as_ptr().align_offset(ALIGNED_BYTES) == 0;
    let written = if is_aligned && bytes.len() >= LEAST_BYTES { write_directly(file, bytes)? } else { 0 };
    file.write_all(&bytes[written..])
}

/// How many bytes from the first on are written.
fn write_directly(file: &File, bytes: &[u8]) -> io::Result<usize> {
    let usual = fcntl_getfl(file)?;
    if fcntl_setfl(file, usual | OFlags::DIRECT).is_err() {
        return Ok(0);
    }
    let written = write_whole_blocks(file, &bytes[..bytes.len() / ALIGNED_BYTES * ALIGNED_BYTES]);
    fcntl_setfl(file, usual)?;
    written
}

fn write_whole_blocks(mut file: &File, blocks: &[u8]) -> io::Result<usize> {
    let mut written = 0;
    while written < blocks.len() && written % ALIGNED_BYTES == 0 {
        match file.write(&blocks[written..]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // It asks for another alignment, or says only now that it cannot.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => break,
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use std::io::Seek as _;

    use super::*;
    use crate::vault::crypto::random;

    #[test]
    fn the_cache_is_passed_by_where_that_can_be() {
        let (bytes, begin) = bytes();
        let file = tempfile::tempfile().unwrap();
        let can = fcntl_setfl(&file, fcntl_getfl(&file).unwrap() | OFlags::DIRECT).is_ok();
        let written = write_directly(&file, &bytes[begin..][..LEAST_BYTES + 1]).unwrap();
        assert_eq!(written, if can { LEAST_BYTES } else { 0 });
    }

    /// Random bytes, and where among them the first aligned one lies.
    fn bytes() -> (Vec<u8>, usize) {
        let mut bytes = vec![0; 3 * LEAST_BYTES];
        random(&mut bytes);
        let begin = bytes.as_ptr().align_offset(ALIGNED_BYTES);
        (bytes, begin)
    }

    #[test]
    fn all_bytes_come_to_lie_in_their_place_whatever_their_number() {
        let (bytes, begin) = bytes();
        for begin in [begin, begin + 1] {
            for blocks in [0, LEAST_BYTES, 2 * LEAST_BYTES] {
                for more in [0, 1, ALIGNED_BYTES - 1, ALIGNED_BYTES, ALIGNED_BYTES + 1] {
                    let bytes = &bytes[begin..][..blocks + more];
                    let mut file = tempfile::tempfile().unwrap();
                    write_all(&file, bytes).unwrap();
                    assert!(!fcntl_getfl(&file).unwrap().contains(OFlags::DIRECT), "the file is as it was");
                    file.rewind().unwrap();
                    let mut read = Vec::new();
                    io::Read::read_to_end(&mut file, &mut read).unwrap();
                    assert!(read == bytes, "{blocks} + {more} bytes");
                }
            }
        }
    }
}

//! Writing packs past the page cache (`O_DIRECT`, open(2)). Nobody reads a pack again soon, so the cache has better uses; the processor is
//! spared the search for free memory and a copy into it; and an error of the disk is that of the write that met it.

use std::fs::File;
use std::io::{self, Write as _};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::vault::room::ALIGNED_BYTES;

/// From this length on. A shorter file is written and synced at once anyway.
const LEAST_BYTES: usize = 1 << 20;

/// Writes all of it at the beginning of a new file: past the cache what can go there, where the file system takes it so, and the rest
/// through the cache.
pub fn write_all(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    let written = write_directly(file, direct_part(bytes))?;
    file.write_all(&bytes[written..])
}

/// What of the bytes can pass the cache by: whole blocks of many, if they lie where a disk can take them from.
fn direct_part(bytes: &[u8]) -> &[u8] {
    let can = bytes.len() >= LEAST_BYTES && bytes.as_ptr().align_offset(ALIGNED_BYTES) == 0;
    &bytes[..if can { bytes.len() / ALIGNED_BYTES * ALIGNED_BYTES } else { 0 }]
}

/// How many bytes of these blocks are written.
fn write_directly(file: &File, blocks: &[u8]) -> io::Result<usize> {
    let usual = fcntl_getfl(file)?;
    if blocks.is_empty() || fcntl_setfl(file, usual | OFlags::DIRECT).is_err() {
        return Ok(0);
    }
    let written = write_whole_blocks(file, blocks);
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

    /// Random bytes, and where among them the first aligned one lies.
    fn bytes() -> (Vec<u8>, usize) {
        let mut bytes = vec![0; 3 * LEAST_BYTES];
        random(&mut bytes);
        let begin = bytes.as_ptr().align_offset(ALIGNED_BYTES);
        (bytes, begin)
    }

    #[test]
    fn whole_blocks_of_a_pack_pass_the_cache_by_where_the_file_system_takes_them_so() {
        let (bytes, begin) = bytes();
        let pack = &bytes[begin..][..LEAST_BYTES + 1];
        assert_eq!(direct_part(pack).len(), LEAST_BYTES);
        assert!(direct_part(&pack[..LEAST_BYTES - 1]).is_empty(), "a short one");
        assert!(direct_part(&bytes[begin + 1..]).is_empty(), "one that lies elsewhere");
        let file = tempfile::tempfile().unwrap();
        let usual = fcntl_getfl(&file).unwrap();
        let can = fcntl_setfl(&file, usual | OFlags::DIRECT).is_ok();
        fcntl_setfl(&file, usual).unwrap();
        assert_eq!(write_directly(&file, direct_part(pack)).unwrap(), if can { LEAST_BYTES } else { 0 });
        assert_eq!(fcntl_getfl(&file).unwrap(), usual, "the file is as it was");
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

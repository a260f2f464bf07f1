//! Reading large files past the page cache (`O_DIRECT`, open(2)), as far as the file system can do that and the cache has not got them.
//!
//! What a backup reads, and the packs that a restore reads, nobody reads again soon, so what the machine works with stays in the cache; and
//! the processor is spared the search for free memory and a copy. What the cache has comes from there, without the disk.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt as _;

use rustix::fs::{Advice, OFlags, fadvise, fcntl_getfl, fcntl_setfl};
use rustix::io::{Errno, ReadWriteFlags, preadv2};

use crate::vault::room::ALIGNED_BYTES;

/// A file and how it is read.
pub struct Reader<'a> {
    file: &'a File,
    usual: OFlags,
    /// Whether the page cache can be passed by.
    can_pass: bool,
}

impl<'a> Reader<'a> {
    pub fn new(file: &'a File) -> Self {
        let usual = fcntl_getfl(file).unwrap_or(OFlags::empty());
        let can_pass = fcntl_setfl(file, usual | OFlags::DIRECT).and_then(|()| fcntl_setfl(file, usual)).is_ok();
        // Each stretch is asked for, so the system need not guess what comes next: its guesses would be in the cache.
        advise(file, if can_pass { Advice::Random } else { Advice::Sequential });
        Self { file, usual, can_pass }
    }

    /// Reads `wanted` bytes to the beginning of `room`, or up to the end of the file. How many there were. `room` is as long as `wanted` up
    /// to a multiple of [`ALIGNED_BYTES`]. Where `at` or the place of `room` is no such multiple, the cache may not be passed by.
    pub fn read(&mut self, room: &mut [u8], wanted: usize, at: u64) -> io::Result<usize> {
        let mut count = if self.can_pass && !self.is_cached(wanted, at) { self.read_past_cache(room, wanted, at)? } else { 0 };
        while count < wanted {
            match self.file.read_at(&mut room[count..wanted], at + count as u64) {
                Ok(0) => break,
                Ok(more) => count += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }

    /// Whether the last one of these bytes can be had without a disk (`RWF_NOWAIT`, preadv2(2)). Where the file system cannot tell, the
    /// cache is not passed by.
    pub fn is_cached(&mut self, wanted: usize, at: u64) -> bool {
        let last = (at + wanted as u64).saturating_sub(1);
        match preadv2(self.file, &mut [IoSliceMut::new(&mut [0])], last, ReadWriteFlags::NOWAIT) {
            Err(Errno::AGAIN) => false,
            Err(Errno::OPNOTSUPP) => {
                self.give_up();
                true
            }
            _ => true,
        }
    }

    /// How many bytes are read; the others are to be had as usual.
    fn read_past_cache(&mut self, room: &mut [u8], wanted: usize, at: u64) -> io::Result<usize> {
        fcntl_setfl(self.file, self.usual | OFlags::DIRECT)?;
        let read = self.read_blocks(&mut room[..wanted.next_multiple_of(ALIGNED_BYTES)], at);
        fcntl_setfl(self.file, self.usual)?;
        // The file may have grown within its last block.
        read.map(|count| count.min(wanted))
    }

    fn read_blocks(&mut self, room: &mut [u8], at: u64) -> io::Result<usize> {
        let mut count = 0;
        while count < room.len() && count % ALIGNED_BYTES == 0 {
            match self.file.read_at(&mut room[count..], at + count as u64) {
                Ok(0) => break,
                Ok(more) => count += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // It asks for another alignment, or says only now that it cannot.
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                    self.give_up();
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }

    fn give_up(&mut self) {
        self.can_pass = false;
        advise(self.file, Advice::Sequential);
    }
}

/// Tells the system how a file will be read.
pub fn advise(file: &File, advice: Advice) {
    // Slower without, no more.
    let _ = fadvise(file, 0, None, advice);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::testing::cold_file;

    /// From the first byte on that lies where a disk can put it.
    fn aligned(room: &mut [u8]) -> &mut [u8] {
        let begin = room.as_ptr().align_offset(ALIGNED_BYTES);
        &mut room[begin..]
    }

    #[test]
    fn every_byte_comes_whoever_has_it_and_no_more_than_there_are() {
        const BLOCKS: usize = 16 * ALIGNED_BYTES;
        for more in [0, 1, ALIGNED_BYTES - 1] {
            let (file, bytes) = cold_file(BLOCKS + more);
            let usual = fcntl_getfl(&file).unwrap();
            let mut reader = Reader::new(&file);
            let mut memory = vec![0; bytes.len() + 3 * ALIGNED_BYTES];
            let room = aligned(&mut memory);
            for at in [0, ALIGNED_BYTES, BLOCKS - ALIGNED_BYTES] {
                for wanted in [1, ALIGNED_BYTES, ALIGNED_BYTES + 1, bytes.len() - at, bytes.len() - at + 1] {
                    fadvise(&file, 0, None, Advice::DontNeed).unwrap();
                    let there = &bytes[at..][..wanted.min(bytes.len() - at)];
                    for (place, from) in [(0, "the disk"), (0, "the cache"), (1, "the disk, to any place")] {
                        room.fill(0);
                        let count = reader.read(&mut room[place..], wanted, at as u64).unwrap();
                        assert!(room[place..][..count] == *there, "{wanted} of {} bytes at {at} from {from}", bytes.len());
                        file.read_exact_at(&mut vec![0; BLOCKS], 0).unwrap();
                    }
                }
            }
            assert_eq!(fcntl_getfl(&file).unwrap(), usual, "the file is as it was");
        }
    }

    #[test]
    fn what_the_cache_has_not_passes_it_by_where_the_file_system_lets_it() {
        const BLOCKS: usize = 1 << 20;
        let (file, bytes) = cold_file(4 * BLOCKS);
        let mut reader = Reader::new(&file);
        // A look brings in what it looks at, so the second one is elsewhere; and neither is where the reading looks.
        let cached = |reader: &mut Reader<'_>, place| (0..4).filter(|at| reader.is_cached(1, (at * BLOCKS + place) as u64)).count();
        if cached(&mut reader, BLOCKS / 4) > 0 {
            eprintln!("NOT TESTED: this file system keeps its files in the cache");
            return;
        }
        let mut memory = vec![0; bytes.len() + ALIGNED_BYTES];
        let room = &mut aligned(&mut memory)[..bytes.len()];
        for at in (0..4).map(|part| part * BLOCKS) {
            assert_eq!(reader.read(&mut room[at..][..BLOCKS], BLOCKS, at as u64).unwrap(), BLOCKS);
        }
        assert!(*room == bytes);
        assert_eq!(cached(&mut reader, BLOCKS / 2), if reader.can_pass { 0 } else { 4 });
    }
}

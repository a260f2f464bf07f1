//! Reading before the bytes are asked for.
//!
//! Short files are announced to the system when they are opened, so that of those that wait for a worker a disk takes many at once. A large
//! file has a thread that reads its next segment while the one before is cut, so neither the disk nor a processor waits for the other.
//!
//! What the page cache has of a large file comes from there. The rest passes it by (`O_DIRECT`, open(2)), where the file system can do that:
//! nobody reads it again soon, so what the machine works with stays in the cache, and the processor is spared the search for free memory
//! and a copy.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use rustix::fs::{Advice, OFlags, fadvise, fcntl_getfl, fcntl_setfl};
use rustix::io::{Errno, ReadWriteFlags, preadv2};

use super::pool::WHOLE_BYTES;
use super::segment::{SEGMENT_BYTES, Segment, Segments};
use crate::vault::pack::ALIGNED_BYTES;

/// Lets the system read a file that will be read whole, while it waits for its turn.
pub(super) fn begin_reading(file: &File, size_bytes: u64) {
    if size_bytes <= WHOLE_BYTES {
        advise(file, Advice::WillNeed);
    }
}

fn advise(file: &File, advice: Advice) {
    // Slower without, no more.
    let _ = fadvise(file, 0, None, advice);
}

/// Gives `each` the first `most` bytes of the file, or what it has of them, segment by segment, and whether this is the last one.
pub(super) fn read_ahead<E: From<io::Error>>(
    file: &File,
    most: u64,
    segments: &Arc<Segments>,
    mut each: impl FnMut(Segment, bool) -> Result<(), E>,
) -> Result<(), E> {
    thread::scope(|scope| {
        // What is read next waits in its thread, so two segments have memory.
        let (send, receive) = sync_channel(0);
        thread::Builder::new().spawn_scoped(scope, move || read_all(&mut Source::new(file), most, segments, &send))?;
        for read in receive {
            let (segment, is_last) = read?;
            each(segment, is_last)?;
        }
        Ok(())
    })
}

/// Ends early where nobody takes the segments any more.
fn read_all(source: &mut Source<'_>, most: u64, segments: &Arc<Segments>, to: &SyncSender<io::Result<(Segment, bool)>>) {
    let (mut at, mut is_last) = (0, false);
    while !is_last {
        let mut segment = segments.take();
        let wanted = (SEGMENT_BYTES as u64).min(most - at);
        let read = segment.fill(|room| source.read(room, wanted as usize, at)).map(|count| {
            at += count as u64;
            is_last = (count as u64) < wanted || at == most;
            (segment, is_last)
        });
        let failed = read.is_err();
        if to.send(read).is_err() || failed {
            return;
        }
    }
}

/// A file and how it is read.
struct Source<'a> {
    file: &'a File,
    usual: OFlags,
    /// Whether the page cache can be passed by.
    can_pass: bool,
}

impl<'a> Source<'a> {
    fn new(file: &'a File) -> Self {
        let usual = fcntl_getfl(file).unwrap_or(OFlags::empty());
        let can_pass = fcntl_setfl(file, usual | OFlags::DIRECT).and_then(|()| fcntl_setfl(file, usual)).is_ok();
        // Each segment is asked for, so the system need not guess what comes next: its guesses would be in the cache.
        advise(file, if can_pass { Advice::Random } else { Advice::Sequential });
        Self { file, usual, can_pass }
    }

    /// Reads `wanted` bytes to the beginning of `room`, or up to the end of the file. How many there were.
    fn read(&mut self, room: &mut [u8], wanted: usize, at: u64) -> io::Result<usize> {
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
    fn is_cached(&mut self, wanted: usize, at: u64) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::crypto::random;

    /// A file of random bytes, on the disk alone.
    fn cold_file(size_bytes: usize) -> (File, Vec<u8>) {
        let mut bytes = vec![0; size_bytes];
        random(&mut bytes);
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&bytes, 0).unwrap();
        file.sync_all().unwrap();
        fadvise(&file, 0, None, Advice::DontNeed).unwrap();
        (file, bytes)
    }

    fn read(file: &File, most: u64) -> io::Result<Vec<u8>> {
        let (mut bytes, mut was_last) = (Vec::new(), false);
        read_ahead(file, most, &Arc::default(), |segment, is_last| {
            assert!(!was_last && segment.as_ref().len() <= SEGMENT_BYTES, "one after the last");
            bytes.extend_from_slice(segment.as_ref());
            was_last = is_last;
            Ok::<_, io::Error>(())
        })?;
        assert!(was_last, "the last one is told");
        Ok(bytes)
    }

    #[test]
    fn every_byte_comes_once_and_in_its_order_from_the_disk_and_from_the_cache() {
        for segments in 0..3 {
            for more in [0, 1, ALIGNED_BYTES - 1, ALIGNED_BYTES, SEGMENT_BYTES / 2 + 1] {
                let size_bytes = segments * SEGMENT_BYTES + more;
                let (file, bytes) = cold_file(size_bytes);
                let usual = fcntl_getfl(&file).unwrap();
                assert!(read(&file, size_bytes as u64).unwrap() == bytes, "{size_bytes} bytes of the disk");
                // Now the cache has some of it, or all.
                file.read_exact_at(&mut vec![0; size_bytes / 2], 0).unwrap();
                assert!(read(&file, size_bytes as u64).unwrap() == bytes, "{size_bytes} bytes, half of them cached");
                file.read_exact_at(&mut vec![0; size_bytes], 0).unwrap();
                assert!(read(&file, size_bytes as u64).unwrap() == bytes, "{size_bytes} bytes of the cache");
                assert_eq!(fcntl_getfl(&file).unwrap(), usual, "the file is as it was");
            }
        }
    }

    #[test]
    fn no_more_is_read_than_asked_for_and_no_more_than_there_is() {
        let (file, bytes) = cold_file(2 * SEGMENT_BYTES + 5);
        for most in [0, 1, SEGMENT_BYTES, SEGMENT_BYTES + 7, 2 * SEGMENT_BYTES + 4] {
            fadvise(&file, 0, None, Advice::DontNeed).unwrap();
            assert!(read(&file, most as u64).unwrap() == bytes[..most], "{most}");
        }
        assert!(read(&file, 1 << 40).unwrap() == bytes, "it was longer a moment ago");
    }

    #[test]
    fn what_the_cache_has_not_passes_it_by_where_the_file_system_lets_it() {
        let (file, bytes) = cold_file(4 * SEGMENT_BYTES);
        let mut source = Source::new(&file);
        // A look brings in what it looks at, so the second one is elsewhere; and neither is where the reading looks.
        let mut cached = |place| (0..4).filter(|at| source.is_cached(1, (at * SEGMENT_BYTES + place) as u64)).count();
        if cached(SEGMENT_BYTES / 4) > 0 {
            eprintln!("NOT TESTED: this file system keeps its files in the cache");
            return;
        }
        assert!(read(&file, bytes.len() as u64).unwrap() == bytes);
        assert_eq!(cached(SEGMENT_BYTES / 2), if source.can_pass { 0 } else { 4 });
    }

    /// Whether the system reads more of a file, now on the disk alone, than it is asked for after `begin`.
    fn is_begun_by(size_bytes: u64, begin: impl FnOnce(&File)) -> bool {
        const PAGES: u64 = 32;
        let page = ALIGNED_BYTES as u64;
        let (file, _) = cold_file(size_bytes as usize);
        let mut source = Source::new(&file);
        // Each look and each read brings in its own page and no other.
        advise(&file, Advice::Random);
        begin(&file);
        // What lies between these two comes with them where it was begun, however slow the disk is.
        for at in [0, PAGES - 1] {
            file.read_exact_at(&mut [0], at * page).unwrap();
        }
        (1..PAGES - 1).filter(|at| source.is_cached(1, at * page)).count() as u64 > PAGES / 2
    }

    #[test]
    fn a_short_file_is_read_while_it_waits_and_a_long_one_is_not() {
        if is_begun_by(WHOLE_BYTES, |_| {}) || !is_begun_by(WHOLE_BYTES, |file| advise(file, Advice::WillNeed)) {
            eprintln!("NOT TESTED: this file system keeps its files in the cache or takes no announcement");
            return;
        }
        let is_begun = |size_bytes| is_begun_by(size_bytes, |file| begin_reading(file, size_bytes));
        assert!(is_begun(WHOLE_BYTES), "the short one");
        assert!(!is_begun(WHOLE_BYTES + 1), "the long one");
    }

    #[test]
    fn an_error_of_the_file_is_told_and_one_of_the_taker_ends_the_reading() {
        let folder = File::open(".").unwrap();
        assert_eq!(read(&folder, 5).unwrap_err().kind(), io::ErrorKind::IsADirectory);
        let (file, _) = cold_file(16 * SEGMENT_BYTES);
        let (segments, mut taken) = (Arc::default(), 0);
        let ended = read_ahead(&file, 16 * SEGMENT_BYTES as u64, &segments, |_, _| {
            taken += 1;
            Err::<(), _>(io::Error::other("enough"))
        });
        assert_eq!((ended.unwrap_err().to_string().as_str(), taken), ("enough", 1));
    }
}

//! Reading before the bytes are asked for.
//!
//! Short files are announced to the system when they are opened, so that of those that wait for a worker a disk takes many at once. A large
//! file has a thread that reads its next segment while the one before is cut, so neither the disk nor a processor waits for the other.
//!
//! Large files are read past the page cache (`vault::past_cache`).

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use rustix::fs::Advice;

use super::pool::WHOLE_BYTES;
use super::segment::{SEGMENT_BYTES, Segment};
use crate::vault::past_cache::{Reader, advise};
use crate::vault::room::Home;

/// Lets the system read a file that will be read whole, while it waits for its turn.
pub(super) fn begin_reading(file: &File, size_bytes: u64) {
    if size_bytes <= WHOLE_BYTES {
        advise(file, Advice::WillNeed);
    }
}

/// Gives `each` the first `most` bytes of the file, or what it has of them, segment by segment, and whether this is the last one.
pub(super) fn read_ahead<E: From<io::Error>>(
    file: &File,
    most: u64,
    home: &Arc<Home>,
    mut each: impl FnMut(Segment, bool) -> Result<(), E>,
) -> Result<(), E> {
    thread::scope(|scope| {
        // What is read next waits in its thread, so two segments have memory.
        let (send, receive) = sync_channel(0);
        thread::Builder::new().spawn_scoped(scope, move || read_all(&mut Reader::new(file), most, home, &send))?;
        for read in receive {
            let (segment, is_last) = read?;
            each(segment, is_last)?;
        }
        Ok(())
    })
}

/// Ends early where nobody takes the segments any more.
fn read_all(source: &mut Reader<'_>, most: u64, home: &Arc<Home>, to: &SyncSender<io::Result<(Segment, bool)>>) {
    let (mut at, mut is_last) = (0, false);
    while !is_last {
        let mut segment = Segment::new(home);
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt as _;

    use rustix::fs::{fadvise, fcntl_getfl};

    use super::*;
    use crate::vault::room::ALIGNED_BYTES;
    use crate::vault::testing::cold_file;

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

    /// Whether the system reads more of a file, now on the disk alone, than it is asked for after `begin`.
    fn is_begun_by(size_bytes: u64, begin: impl FnOnce(&File)) -> bool {
        const PAGES: u64 = 32;
        let page = ALIGNED_BYTES as u64;
        let (file, _) = cold_file(size_bytes as usize);
        let mut source = Reader::new(&file);
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

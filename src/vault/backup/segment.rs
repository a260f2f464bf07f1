//! Memory for what is read of large files, used again and again: it is filled by one thread and dropped by another, and the allocator
//! would keep a share of it for each.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::vault::chunk::MAX_BYTES;
use crate::vault::room::Room;

/// Bytes of a large file that are read at once.
pub(super) const SEGMENT_BYTES: usize = 4 << 20;

/// The memory of one run that nobody uses.
#[derive(Default)]
pub(super) struct Segments(Mutex<Vec<Room>>);

/// Successive bytes of a file. The first one read lies where a disk can put it without a copy; before it is room for what is left of the
/// segment before, which is less than a chunk. The system gives that room once something is put there.
pub(super) struct Segment {
    /// There until this is dropped.
    memory: Option<Room>,
    used: Range<usize>,
    /// Where the memory goes when this is dropped.
    home: Arc<Segments>,
}

const NO_PANIC: &str = "nothing panics while it holds the memory";

impl Segments {
    /// Memory for one segment, which has no bytes yet.
    pub(super) fn take(self: &Arc<Self>) -> Segment {
        let free = self.0.lock().expect(NO_PANIC).pop();
        let memory = free.unwrap_or_else(|| Room::new(MAX_BYTES + SEGMENT_BYTES));
        Segment { memory: Some(memory), used: MAX_BYTES..MAX_BYTES, home: Arc::clone(self) }
    }
}

impl Segment {
    /// Puts up to [`SEGMENT_BYTES`] into it: as many as `read` says that it has put at the beginning.
    pub(super) fn fill<E>(&mut self, read: impl FnOnce(&mut [u8]) -> Result<usize, E>) -> Result<usize, E> {
        let begin = self.used.start;
        let count = read(&mut self.memory()[begin..][..SEGMENT_BYTES])?;
        self.used.end = self.used.start + count;
        Ok(count)
    }

    /// Puts what came before, less than [`MAX_BYTES`], in front.
    pub(super) fn put_before(&mut self, rest: &[u8]) {
        self.used.start -= rest.len();
        let begin = self.used.start;
        self.memory()[begin..][..rest.len()].copy_from_slice(rest);
    }

    const fn memory(&mut self) -> &mut Room {
        self.memory.as_mut().expect("it is there")
    }

    /// Its bytes, to be shared; the memory goes home with the last of them.
    pub(super) fn share(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Segment {
    fn as_ref(&self) -> &[u8] {
        &self.memory.as_ref().expect("it is there")[self.used.clone()]
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        self.home.0.lock().expect(NO_PANIC).extend(self.memory.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::room::ALIGNED_BYTES;

    fn filled(segments: &Arc<Segments>, bytes: &[u8]) -> Segment {
        let mut segment = segments.take();
        let put = |room: &mut [u8]| {
            assert_eq!((room.len(), room.as_ptr().align_offset(ALIGNED_BYTES)), (SEGMENT_BYTES, 0));
            room[..bytes.len()].copy_from_slice(bytes);
            Ok::<_, ()>(bytes.len())
        };
        assert_eq!(segment.fill(put), Ok(bytes.len()));
        segment
    }

    #[test]
    fn memory_is_used_again_when_its_last_chunk_is_gone() {
        let segments = Arc::new(Segments::default());
        let shared = filled(&segments, b"chunks").share();
        let place = shared.as_ptr();
        let chunk = shared.slice(2..4);
        drop(shared);
        let other = filled(&segments, b"other");
        assert_ne!(other.as_ref().as_ptr(), place);
        assert_eq!(&chunk[..], b"un");
        drop(chunk);
        let again = filled(&segments, b"");
        assert_eq!((again.as_ref().as_ptr(), again.as_ref().len()), (place, 0));
    }

    #[test]
    fn what_is_left_of_the_segment_before_comes_in_front() {
        let segments = Arc::new(Segments::default());
        for rest in [&b""[..], b"the rest of ", &[7; MAX_BYTES - 1]] {
            let mut segment = filled(&segments, b"a chunk");
            segment.put_before(rest);
            assert!(*segment.share() == *[rest, b"a chunk"].concat());
        }
    }
}

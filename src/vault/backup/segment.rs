//! What is read of a large file at once.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::vault::chunk::MAX_BYTES;
use crate::vault::room::{Home, Room};

/// Bytes of a large file that are read at once.
pub(super) const SEGMENT_BYTES: usize = 4 << 20;

/// Successive bytes of a file. The first one read lies where a disk can put it without a copy; before it is room for what is left of the
/// segment before, which is less than a chunk.
pub(super) struct Segment {
    room: Room,
    used: Range<usize>,
}

impl Segment {
    /// One that has no bytes yet. A panic where the system has no memory left, as everywhere.
    pub(super) fn new(home: &Arc<Home>) -> Self {
        let room = home.take(MAX_BYTES + SEGMENT_BYTES).expect("the system has memory left");
        Self { room, used: MAX_BYTES..MAX_BYTES }
    }

    /// Puts up to [`SEGMENT_BYTES`] into it: as many as `read` says that it has put at the beginning.
    pub(super) fn fill<E>(&mut self, read: impl FnOnce(&mut [u8]) -> Result<usize, E>) -> Result<usize, E> {
        let begin = self.used.start;
        let count = read(&mut self.room[begin..][..SEGMENT_BYTES])?;
        self.used.end = self.used.start + count;
        Ok(count)
    }

    /// Puts what came before, less than [`MAX_BYTES`], in front.
    pub(super) fn put_before(&mut self, rest: &[u8]) {
        self.used.start -= rest.len();
        let begin = self.used.start;
        self.room[begin..][..rest.len()].copy_from_slice(rest);
    }

    /// Its bytes, to be shared; the memory goes home with the last of them.
    pub(super) fn share(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Segment {
    fn as_ref(&self) -> &[u8] {
        &self.room[self.used.clone()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::room::ALIGNED_BYTES;

    fn filled(home: &Arc<Home>, bytes: &[u8]) -> Segment {
        let mut segment = Segment::new(home);
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
        let home = Arc::new(Home::default());
        let shared = filled(&home, b"chunks").share();
        let place = shared.as_ptr();
        let chunk = shared.slice(2..4);
        drop(shared);
        let other = filled(&home, b"other");
        assert_ne!(other.as_ref().as_ptr(), place);
        assert_eq!(&chunk[..], b"un");
        drop(chunk);
        let again = filled(&home, b"");
        assert_eq!((again.as_ref().as_ptr(), again.as_ref().len()), (place, 0));
    }

    #[test]
    fn what_is_left_of_the_segment_before_comes_in_front() {
        let home = Arc::new(Home::default());
        for rest in [&b""[..], b"the rest of ", &[7; MAX_BYTES - 1]] {
            let mut segment = filled(&home, b"a chunk");
            segment.put_before(rest);
            assert!(*segment.share() == *[rest, b"a chunk"].concat());
        }
    }
}

//! Memory for what is read of large files, used again and again: it is filled by one thread and dropped by another, and the allocator
//! would keep a share of it for each.

use std::sync::{Arc, Mutex};

use bytes::Bytes;

/// The buffers of one run that nobody uses.
#[derive(Default)]
pub(super) struct Segments(Mutex<Vec<Vec<u8>>>);

/// A buffer that goes back when the last chunk in it is dropped.
struct Segment {
    bytes: Vec<u8>,
    home: Arc<Segments>,
}

impl Segments {
    /// An empty buffer with room for so many bytes.
    pub(super) fn take(&self, capacity: usize) -> Vec<u8> {
        let mut bytes = self.0.lock().expect(NO_PANIC).pop().unwrap_or_default();
        bytes.reserve_exact(capacity);
        bytes
    }

    /// What was filled, to be shared.
    pub(super) fn share(self: &Arc<Self>, bytes: Vec<u8>) -> Bytes {
        Bytes::from_owner(Segment { bytes, home: Arc::clone(self) })
    }
}

const NO_PANIC: &str = "nothing panics while it holds the buffers";

impl AsRef<[u8]> for Segment {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        self.home.0.lock().expect(NO_PANIC).push(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_when_its_last_chunk_is_gone() {
        let segments = Arc::new(Segments::default());
        let mut bytes = segments.take(100);
        bytes.extend_from_slice(b"chunks");
        let place = bytes.as_ptr();
        let shared = segments.share(bytes);
        let chunk = shared.slice(2..4);
        drop(shared);
        let other = segments.take(10);
        assert_ne!(other.as_ptr(), place);
        assert_eq!(&chunk[..], b"un");
        drop(chunk);
        let again = segments.take(50);
        assert_eq!((again.as_ptr(), again.len()), (place, 0));
    }
}

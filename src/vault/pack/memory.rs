//! Memory of packs under construction. Its first byte lies where a disk takes bytes from without a copy, and it is used again: the
//! allocator would keep a share of it for each thread.

use std::sync::{Arc, Mutex};

use bytes::Bytes;

/// Where the first byte lies: at a multiple of this, which is as much as any usual disk asks for.
pub const ALIGNED_BYTES: usize = 4096;

/// Memory that no pack uses now.
#[derive(Default)]
pub struct Home(Mutex<Vec<Vec<u8>>>);

/// Bytes that grow.
pub(super) struct Memory {
    /// The bytes, and before them what aligns the first.
    all: Vec<u8>,
    begin: usize,
    /// Where the memory goes when this is dropped.
    home: Option<Arc<Home>>,
}

const NO_PANIC: &str = "nothing panics while it holds the memory";

impl Memory {
    /// Empty. With a home its memory is used where there is some.
    pub(super) fn new(home: Option<Arc<Home>>) -> Self {
        let free = home.as_ref().and_then(|home| home.0.lock().expect(NO_PANIC).pop());
        let mut memory = Self { all: free.unwrap_or_default(), begin: 0, home };
        memory.align();
        memory
    }

    /// How many bytes it has room for before it moves.
    pub(super) fn capacity(&self) -> usize {
        self.all.capacity() - self.begin
    }

    /// Makes room for `room` bytes in all.
    pub(super) fn reserve(&mut self, room: usize) {
        if self.capacity() < room {
            let before = std::mem::replace(&mut self.all, Vec::with_capacity(room + ALIGNED_BYTES));
            let bytes = &before[self.begin..];
            self.align();
            self.all.extend_from_slice(bytes);
        }
    }

    pub(super) fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.reserve(self.as_ref().len() + bytes.len());
        self.all.extend_from_slice(bytes);
    }

    /// The bytes, to be shared; the memory goes home with the last of them.
    pub(super) fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }

    /// Empties it and finds its first byte.
    fn align(&mut self) {
        self.all.clear();
        self.begin = if self.all.capacity() == 0 { 0 } else { self.all.as_ptr().align_offset(ALIGNED_BYTES) };
        self.all.resize(self.begin, 0);
    }
}

impl AsRef<[u8]> for Memory {
    fn as_ref(&self) -> &[u8] {
        &self.all[self.begin..]
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if let Some(home) = self.home.as_ref().filter(|_| self.all.capacity() > 0) {
            home.0.lock().expect(NO_PANIC).push(std::mem::take(&mut self.all));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_is_aligned_however_it_grows_and_the_memory_is_used_again() {
        let home = Arc::new(Home::default());
        let mut memory = Memory::new(Some(Arc::clone(&home)));
        let mut expected = Vec::new();
        for part in [1, 100, 1 << 20, 3 << 20] {
            let bytes = vec![part as u8; part];
            memory.extend_from_slice(&bytes);
            expected.extend_from_slice(&bytes);
            assert_eq!(memory.as_ref().as_ptr().align_offset(ALIGNED_BYTES), 0);
            assert!(memory.as_ref() == expected);
        }
        let shared = memory.into_bytes();
        let (place, part) = (shared.as_ptr(), shared.slice(1..2));
        drop(shared);
        assert_eq!(Memory::new(Some(Arc::clone(&home))).capacity(), 0, "a part of it is still needed");
        drop(part);
        let mut again = Memory::new(Some(Arc::clone(&home)));
        again.extend_from_slice(b"again");
        assert_eq!((again.as_ref(), again.as_ref().as_ptr()), (&b"again"[..], place));
        assert_eq!(Memory::new(None).capacity(), 0);
    }
}

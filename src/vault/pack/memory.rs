//! Memory of packs under construction.

use std::sync::Arc;

use bytes::Bytes;

use crate::vault::room::{Home, Room};

/// Bytes that grow.
pub(super) struct Memory {
    /// There from the first byte on.
    room: Option<Room>,
    length: usize,
    home: Arc<Home>,
}

impl Memory {
    /// Empty.
    pub(super) const fn new(home: Arc<Home>) -> Self {
        Self { room: None, length: 0, home }
    }

    /// Makes room for `bytes` in all. What was there is moved, unless there is room for that many. A panic where the system has no memory
    /// left, as everywhere.
    pub(super) fn reserve(&mut self, bytes: usize) {
        if self.room.as_ref().is_none_or(|room| room.len() < bytes) {
            let mut room = self.home.take(bytes).expect("the system has memory left");
            room[..self.length].copy_from_slice(self.as_ref());
            self.room = Some(room);
        }
    }

    pub(super) fn extend_from_slice(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        self.reserve(end);
        if let Some(room) = &mut self.room {
            room[self.length..end].copy_from_slice(bytes);
        }
        self.length = end;
    }

    /// The bytes, to be shared; the memory goes home with the last of them.
    pub(super) fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Memory {
    fn as_ref(&self) -> &[u8] {
        self.room.as_ref().map_or(&[], |room| &room[..self.length])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::room::ALIGNED_BYTES;

    #[test]
    fn the_first_byte_is_aligned_however_it_grows_and_the_memory_is_used_again() {
        let home = Arc::new(Home::default());
        let mut memory = Memory::new(Arc::clone(&home));
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
        let mut other = Memory::new(Arc::clone(&home));
        other.reserve(1);
        assert_ne!(other.as_ref().as_ptr(), place, "a part of it is still needed");
        drop(part);
        let mut again = Memory::new(Arc::clone(&home));
        again.extend_from_slice(b"again");
        assert_eq!((again.as_ref(), again.as_ref().as_ptr()), (&b"again"[..], place));
    }
}

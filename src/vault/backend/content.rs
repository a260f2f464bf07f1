//! What was read of a file of a repository, for whoever asked for it alone: opening it in its place is no harm to anybody.

use std::io;
use std::ops::{Deref, DerefMut, Range};
use std::sync::Arc;

use bytes::Bytes;

use crate::vault::room::{Home, Room};

/// From this length on, bytes lie in rooms that are used again: such are read of packs, one after the other. Fewer would leave much of a
/// large page empty.
pub const ROOM_FROM_BYTES: usize = 3 << 19;

/// Bytes of a file.
#[derive(Default)]
pub struct Content(Memory);

enum Memory {
    Vector(Vec<u8>),
    Room(Room, Range<usize>),
}

impl Content {
    /// No bytes yet, and room for so many. An error where there is no memory for them.
    pub fn with_capacity(bytes: usize, home: &Arc<Home>) -> io::Result<Self> {
        if bytes >= ROOM_FROM_BYTES {
            return Ok(Self::in_room(home.take(bytes)?, 0..0));
        }
        Ok(Vec::with_capacity(bytes).into())
    }

    /// What lies there.
    pub const fn in_room(room: Room, place: Range<usize>) -> Self {
        Self(Memory::Room(room, place))
    }

    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Memory::Vector(vector) => vector.extend_from_slice(bytes),
            Memory::Room(room, place) => match room.get_mut(place.end..place.end + bytes.len()) {
                Some(next) => {
                    next.copy_from_slice(bytes);
                    place.end += bytes.len();
                }
                None => self.0 = Memory::Vector([&room[place.clone()], bytes].concat()),
            },
        }
    }

    /// To be shared, and not changed any more.
    pub fn share(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::Vector(Vec::new())
    }
}

impl From<Vec<u8>> for Content {
    fn from(vector: Vec<u8>) -> Self {
        Self(Memory::Vector(vector))
    }
}

impl Deref for Content {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Memory::Vector(vector) => vector,
            Memory::Room(room, place) => &room[place.clone()],
        }
    }
}

impl DerefMut for Content {
    fn deref_mut(&mut self) -> &mut [u8] {
        match &mut self.0 {
            Memory::Vector(vector) => vector,
            Memory::Room(room, place) => &mut room[place.clone()],
        }
    }
}

impl AsRef<[u8]> for Content {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl<T: AsRef<[u8]> + ?Sized> PartialEq<T> for Content {
    fn eq(&self, other: &T) -> bool {
        **self == *other.as_ref()
    }
}

/// How many bytes they are: they may be secret, and are many.
impl std::fmt::Debug for Content {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Content({} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_follow_one_another_in_a_vector_in_a_room_and_beyond_its_end() {
        let home = Arc::new(Home::default());
        for capacity in [0, ROOM_FROM_BYTES - 1, ROOM_FROM_BYTES, 2 * ROOM_FROM_BYTES] {
            let mut content = Content::with_capacity(capacity, &home).unwrap();
            assert!(content.is_empty());
            let mut expected = Vec::new();
            for part in [1, ROOM_FROM_BYTES - 2, 1, ROOM_FROM_BYTES, 7] {
                let part = vec![part as u8; part];
                content.extend_from_slice(&part);
                expected.extend_from_slice(&part);
                assert!(content == expected, "{} bytes of {capacity}", expected.len());
            }
            content[1..3].fill(9);
            expected[1..3].fill(9);
            assert!(*content.share() == expected);
        }
    }

    #[test]
    fn many_bytes_lie_in_memory_that_was_used_before_and_few_do_not() {
        let home = Arc::new(Home::default());
        let mut content = Content::with_capacity(ROOM_FROM_BYTES, &home).unwrap();
        content.extend_from_slice(b"sealed");
        let place = content.as_ptr();
        drop(content.share());
        let mut content = Content::with_capacity(ROOM_FROM_BYTES, &home).unwrap();
        content.extend_from_slice(b"other");
        assert_eq!((content.as_ptr(), &content[..]), (place, &b"other"[..]));
        drop(content);
        let mut few = Content::with_capacity(ROOM_FROM_BYTES - 1, &home).unwrap();
        few.extend_from_slice(b"few");
        assert_ne!(few.as_ptr(), place);
    }
}

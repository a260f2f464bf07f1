//! Memory for much at once, used again and again: it is often filled by one thread and dropped by another, and the allocator would keep a
//! share of it for each, or give it back to the system, which clears it anew. It begins where a disk puts bytes and takes them from without
//! a copy, and has large pages where the system has them to give: a disk's driver looks up each page before it reads or writes there, and
//! so does the processor.

use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex};

use memmap2::{Advice, MmapMut};

/// Where the first byte lies: at a multiple of this, which is as much as any usual disk asks for, and no more than a page.
pub const ALIGNED_BYTES: usize = 4096;

/// Rooms come in multiples of this, the large page of the usual processors: the system gives them to whole ones.
const LARGE_PAGE_BYTES: usize = 2 << 20;

/// The rooms that nobody uses: as many as were in use at once.
#[derive(Default)]
pub struct Home(Mutex<Vec<MmapMut>>);

/// Bytes, whatever they are at first. The system gives a page when something is put there.
pub struct Room {
    /// There until this is dropped.
    memory: Option<MmapMut>,
    /// Where the memory goes when this is dropped.
    home: Arc<Home>,
}

const NO_PANIC: &str = "nothing panics while it holds the memory";
const IS_THERE: &str = "it is there until it is dropped";

impl Home {
    /// A room of at least so many bytes: the one that was used last, if it is large enough. An error where the system has no such memory.
    pub fn take(self: &Arc<Self>, bytes: usize) -> io::Result<Room> {
        let used_last = self.0.lock().expect(NO_PANIC).pop();
        let memory = match used_last.filter(|memory| memory.len() >= bytes) {
            Some(memory) => memory,
            None => new_memory(bytes)?,
        };
        Ok(Room { memory: Some(memory), home: Arc::clone(self) })
    }
}

fn new_memory(bytes: usize) -> io::Result<MmapMut> {
    let bytes = bytes.max(1).checked_next_multiple_of(LARGE_PAGE_BYTES).ok_or(io::ErrorKind::OutOfMemory)?;
    let memory = MmapMut::map_anon(bytes)?;
    // Slower without, no more.
    #[cfg(target_os = "linux")]
    let _ = memory.advise(Advice::HugePage);
    Ok(memory)
}

impl Deref for Room {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.memory.as_ref().expect(IS_THERE)
    }
}

impl DerefMut for Room {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.memory.as_mut().expect(IS_THERE)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.home.0.lock().expect(NO_PANIC).extend(self.memory.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_on_a_page_and_asks_for_large_pages() {
        let mut room = Arc::<Home>::default().take(3 << 20).unwrap();
        assert_eq!((room.len(), room.as_ptr().align_offset(ALIGNED_BYTES)), (4 << 20, 0));
        room[5] = 7;
        assert_eq!(room[5], 7);
        // proc(5): a line of addresses for each mapping, then one of its flags; "hg" is MADV_HUGEPAGE.
        let place = room.as_ptr() as usize;
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut is_of_room = false;
        let flags = maps.lines().find(|line| {
            if let Some((begin, end)) = line.split(' ').next().and_then(|range| range.split_once('-')) {
                let [begin, end] = [begin, end].map(|address| usize::from_str_radix(address, 16).unwrap());
                is_of_room = (begin..end).contains(&place);
            }
            is_of_room && line.starts_with("VmFlags:")
        });
        if !std::path::Path::new("/sys/kernel/mm/transparent_hugepage").exists() {
            eprintln!("NOT TESTED: this system has no large pages");
            return;
        }
        assert!(flags.is_some_and(|flags| flags.split(' ').any(|flag| flag == "hg")), "{flags:?}");
    }

    #[test]
    fn the_one_that_was_used_last_is_used_again_if_it_is_large_enough() {
        let home = Arc::new(Home::default());
        let (one, other) = (home.take(0).unwrap(), home.take(LARGE_PAGE_BYTES + 1).unwrap());
        let [place, place_of_other] = [&one, &other].map(|room| room.as_ptr());
        assert_ne!(place, place_of_other);
        drop(other);
        drop(one);
        let one = home.take(LARGE_PAGE_BYTES).unwrap();
        assert_eq!(one.as_ptr(), place);
        let other = home.take(1).unwrap();
        assert_eq!((other.as_ptr(), other.len()), (place_of_other, 2 * LARGE_PAGE_BYTES));
        drop(other);
        drop(one);
        assert_eq!(home.take(LARGE_PAGE_BYTES + 1).unwrap().len(), 2 * LARGE_PAGE_BYTES, "the last one is too small");
    }

    #[test]
    fn more_than_there_is_in_the_world_is_an_error() {
        for bytes in [usize::MAX, usize::MAX / 2] {
            assert!(Arc::<Home>::default().take(bytes).is_err(), "{bytes}");
        }
    }
}

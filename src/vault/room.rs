//! Memory for much that is used again and again. It begins where a disk takes bytes from without a copy, and has large pages where the
//! system has them to give: a disk's driver looks up each page before it reads or writes there, and so does the processor.

use std::ops::{Deref, DerefMut};

use memmap2::{Advice, MmapMut};

/// Where the first byte lies: at a multiple of this, which is as much as any usual disk asks for, and no more than a page.
pub const ALIGNED_BYTES: usize = 4096;

/// So many bytes, zero at first. The system gives a page when something is put there.
pub struct Room(MmapMut);

impl Room {
    /// One of at least a byte. A panic where the system has no memory left, as everywhere.
    pub fn new(bytes: usize) -> Self {
        let room = MmapMut::map_anon(bytes).expect("the system has memory left");
        // Slower without, no more.
        #[cfg(target_os = "linux")]
        let _ = room.advise(Advice::HugePage);
        Self(room)
    }
}

impl Deref for Room {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Room {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_on_a_page_is_zero_and_asks_for_large_pages() {
        let mut room = Room::new(3 << 20);
        assert_eq!((room.len(), room.as_ptr().align_offset(ALIGNED_BYTES)), (3 << 20, 0));
        assert!(room.iter().all(|byte| *byte == 0));
        room[5] = 7;
        assert_eq!(room[4..7], [0, 7, 0]);
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
}

//! Reading a file of the repository. Only regular files are read: nothing waits for a FIFO, no device is opened for long. Long stretches,
//! which are of packs, are read past the page cache.

use std::fs::File;
use std::io::{self, Read as _};
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use bytes::Bytes;

use super::error::failed;
use crate::vault::backend::Name;
use crate::vault::error::Error;
use crate::vault::past_cache::Reader;
use crate::vault::room::ALIGNED_BYTES;

/// From this length on the page cache is passed by.
const LEAST_BYTES: u64 = 1 << 20;

/// The file and how many bytes it has.
pub fn open(path: &Path, name: Name) -> Result<(File, u64), Error> {
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let file = File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path);
    let file = file.map_err(|error| failed("opening", name, error))?;
    let found = file.metadata().map_err(|error| failed("opening", name, error))?;
    if !found.is_file() {
        return Err(Error::Refused(format!("{name} is no file")));
    }
    Ok((file, found.len()))
}

pub fn read(path: &Path, name: Name, range: Option<Range<u64>>) -> Result<Bytes, Error> {
    let (file, size_bytes) = open(path, name)?;
    let range = range.unwrap_or(0..size_bytes);
    if range.end > size_bytes {
        return Err(ends_early(name, size_bytes, range.end));
    }
    let wanted = range.end.saturating_sub(range.start);
    let bytes = match room_for(wanted) {
        None => return Err(Error::Refused(format!("{name} with {wanted} bytes does not fit into memory"))),
        Some(room) if wanted >= LEAST_BYTES => read_past_cache(&file, room, &range),
        Some(mut room) => From { file: &file, at: range.start }.take(wanted).read_to_end(&mut room).map(|_| room.into()),
    };
    let bytes = bytes.map_err(|error| failed("reading", name, error))?;
    if bytes.len() as u64 != wanted {
        return Err(ends_early(name, range.start + bytes.len() as u64, range.end));
    }
    Ok(bytes)
}

/// Empty, with room for so many bytes and for the blocks around them, if there is memory for it.
fn room_for(wanted: u64) -> Option<Vec<u8>> {
    let mut room = Vec::new();
    let blocks = if wanted < LEAST_BYTES { 0 } else { 3 * ALIGNED_BYTES };
    room.try_reserve_exact(usize::try_from(wanted).ok()?.checked_add(blocks)?).is_ok().then_some(room)
}

/// The bytes of the range, or as many as the file has of them: whole blocks are read, into memory where a disk can put them.
fn read_past_cache(file: &File, mut room: Vec<u8>, range: &Range<u64>) -> io::Result<Bytes> {
    room.resize(room.capacity(), 0);
    let begin = room.as_ptr().align_offset(ALIGNED_BYTES);
    let first = range.start / ALIGNED_BYTES as u64 * ALIGNED_BYTES as u64;
    let before = (range.start - first) as usize;
    let count = Reader::new(file).read(&mut room[begin..], (range.end - first) as usize, first)?;
    Ok(Bytes::from(room).slice((begin + before).min(begin + count)..begin + count))
}

fn ends_early(name: Name, end: u64, wanted: u64) -> Error {
    Error::damaged(name.to_string(), format!("it ends at byte {end}, before byte {wanted}"))
}

/// Reads on from a place in a file.
struct From<'a> {
    file: &'a File,
    at: u64,
}

impl std::io::Read for From<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read_at(into, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

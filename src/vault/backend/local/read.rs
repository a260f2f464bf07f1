//! Reading a file of the repository. Only regular files are read: nothing waits for a FIFO, no device is opened for long. Long stretches,
//! which are of packs, are read past the page cache.

use std::fs::File;
use std::io::{self, Read as _};
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use super::error::failed;
use crate::vault::backend::Name;
use crate::vault::backend::content::{Content, ROOM_FROM_BYTES};
use crate::vault::error::Error;
use crate::vault::past_cache::Reader;
use crate::vault::room::{ALIGNED_BYTES, Home};

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

pub fn read(path: &Path, name: Name, range: Option<Range<u64>>, home: &Arc<Home>) -> Result<Content, Error> {
    let (file, size_bytes) = open(path, name)?;
    let range = range.unwrap_or(0..size_bytes);
    if range.end > size_bytes {
        return Err(ends_early(name, size_bytes, range.end));
    }
    let wanted = range.end.saturating_sub(range.start);
    let content = match usize::try_from(wanted) {
        Ok(wanted) if wanted < ROOM_FROM_BYTES => read_few(&file, &range, wanted),
        Ok(_) => read_past_cache(&file, &range, home),
        Err(_) => Err(io::ErrorKind::OutOfMemory.into()),
    };
    let content = content.map_err(|error| match error.kind() {
        io::ErrorKind::OutOfMemory => Error::Refused(format!("{name} with {wanted} bytes does not fit into memory")),
        _ => failed("reading", name, error),
    })?;
    if content.len() as u64 != wanted {
        return Err(ends_early(name, range.start + content.len() as u64, range.end));
    }
    Ok(content)
}

/// The bytes of the range, or as many as the file has of them.
fn read_few(file: &File, range: &Range<u64>, wanted: usize) -> io::Result<Content> {
    let mut bytes = Vec::with_capacity(wanted);
    From { file, at: range.start }.take(wanted as u64).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

/// The same of many: whole blocks are read, into memory where a disk can put them.
fn read_past_cache(file: &File, range: &Range<u64>, home: &Arc<Home>) -> io::Result<Content> {
    let first = range.start / ALIGNED_BYTES as u64 * ALIGNED_BYTES as u64;
    let (before, wanted) = ((range.start - first) as usize, (range.end - first) as usize);
    let mut room = home.take(wanted.checked_next_multiple_of(ALIGNED_BYTES).ok_or(io::ErrorKind::OutOfMemory)?)?;
    let count = Reader::new(file).read(&mut room, wanted, first)?;
    Ok(Content::in_room(room, before.min(count)..count))
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

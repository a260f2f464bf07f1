//! Reading a file of the repository. Only regular files are read: nothing waits for a FIFO, no device is opened for long.

use std::fs::File;
use std::io::Read as _;
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use bytes::Bytes;

use super::error::failed;
use crate::vault::backend::Name;
use crate::vault::error::Error;

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
    let mut bytes = Vec::new();
    let room = usize::try_from(wanted).ok().filter(|&wanted| bytes.try_reserve_exact(wanted).is_ok());
    room.ok_or_else(|| Error::Refused(format!("{name} with {wanted} bytes does not fit into memory")))?;
    let done = From { file: &file, at: range.start }.take(wanted).read_to_end(&mut bytes);
    done.map_err(|error| failed("reading", name, error))?;
    if bytes.len() as u64 != wanted {
        return Err(ends_early(name, range.start + bytes.len() as u64, range.end));
    }
    Ok(bytes.into())
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

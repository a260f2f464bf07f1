//! An entry of the file system as a backup keeps it: everything but its contents. Links are never followed.

mod names;
#[cfg(test)]
mod tests;
mod xattrs;

use std::io;
use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, FileType, Stat};

use self::names::Names;
use self::xattrs::XattrReader;
use crate::vault::tree::{Content, Metadata, Node, Time};

/// What [`MetadataReader::node`] reads from.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// An entry by its name in a folder, which may be open for its path alone.
    Named { folder: BorrowedFd<'a>, name: &'a [u8] },
    /// A file or folder that is open for reading.
    Open(BorrowedFd<'a>),
}

/// Reads entries, one after another. It knows the names of users and groups as they were when it was made.
pub struct MetadataReader {
    names: Names,
    xattrs: XattrReader,
    with_atime: bool,
}

impl MetadataReader {
    /// Without `with_atime` the time of modification is kept as that of the last access, too: reading would change it every time.
    pub fn new(with_atime: bool) -> Self {
        Self { names: Names::of_system(), xattrs: XattrReader::new(), with_atime }
    }

    /// The entry under this name, without contents: a file has no chunks, a folder no tree. What could not be read of its extended
    /// attributes is beside it. Fails where the entry itself cannot be kept: a link that cannot be read, or a kind that is none.
    pub fn node(&mut self, name: Vec<u8>, stat: &Stat, place: Place<'_>) -> io::Result<(Node, Option<io::Error>)> {
        let content = content_of(stat, place)?;
        let (xattrs, failed) = self.xattrs.read(place);
        let is_folder = matches!(content, Content::Folder { .. });
        #[allow(clippy::useless_conversion, reason = "it is a u32 on some processors")]
        let links = if is_folder { 0 } else { u64::from(stat.st_nlink) };
        let modified = time(stat.st_mtime, stat.st_mtime_nsec);
        let metadata = Metadata {
            mode: stat.st_mode & 0o7777,
            modified,
            accessed: if self.with_atime { time(stat.st_atime, stat.st_atime_nsec) } else { modified },
            changed: time(stat.st_ctime, stat.st_ctime_nsec),
            uid: stat.st_uid,
            gid: stat.st_gid,
            user: self.names.user(stat.st_uid),
            group: self.names.group(stat.st_gid),
            inode: stat.st_ino,
            device_id: if links > 1 { stat.st_dev } else { 0 },
            links,
            xattrs,
        };
        Ok((Node { name, content, metadata }, failed))
    }
}

/// What is under this name in the folder, a link being a link.
pub fn stat_of(folder: BorrowedFd<'_>, name: &[u8]) -> io::Result<Stat> {
    Ok(rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// What the kind bits of `st_mode` say.
pub fn kind_of(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// Before 1970 the seconds are negative, and the nanoseconds count forward all the same. Their type is not the same everywhere.
pub(super) fn time(seconds: i64, nanos: impl TryInto<u32>) -> Time {
    Time { seconds, nanos: nanos.try_into().unwrap_or_default() }
}

fn content_of(stat: &Stat, place: Place<'_>) -> io::Result<Content> {
    Ok(match kind_of(stat) {
        FileType::RegularFile => Content::File { size_bytes: u64::try_from(stat.st_size).unwrap_or_default(), chunks: Vec::new() },
        FileType::Directory => Content::Folder { tree: None },
        FileType::Symlink => Content::Symlink { target: target_of(place)? },
        FileType::BlockDevice => Content::BlockDevice { device: stat.st_rdev },
        FileType::CharacterDevice => Content::CharDevice { device: stat.st_rdev },
        FileType::Fifo => Content::Fifo,
        FileType::Socket => Content::Socket,
        FileType::Unknown => return Err(io::Error::other("it is of no kind that can be kept")),
    })
}

fn target_of(place: Place<'_>) -> io::Result<Vec<u8>> {
    let target = match place {
        Place::Named { folder, name } => rustix::fs::readlinkat(folder, name, Vec::new())?,
        Place::Open(link) => rustix::fs::readlinkat(link, "", Vec::new())?,
    };
    Ok(target.into_bytes())
}

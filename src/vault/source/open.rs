//! Opening what a backup reads: no link is followed, nothing waits for the other end of a FIFO, and where the system allows it, reading
//! leaves no time of access.

use std::fs::File;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use super::metadata::kind_of;
use super::stamp::Stamp;

/// The file of this name and its stamp now. Fails where it is no regular file any more, or another one than `inode`.
pub fn open_file(folder: BorrowedFd<'_>, name: &[u8], inode: u64) -> io::Result<(File, Stamp)> {
    let fd = open_unseen(folder, name, OFlags::NONBLOCK)?;
    let stat = rustix::fs::fstat(&fd)?;
    if kind_of(&stat) != FileType::RegularFile {
        return Err(io::Error::other("it is no regular file any more"));
    }
    if stat.st_ino != inode {
        return Err(io::Error::other("it was replaced meanwhile"));
    }
    Ok((File::from(fd), Stamp::of(&stat)))
}

/// The stamp of a file that is open.
pub fn stamp_of(file: &File) -> io::Result<Stamp> {
    Ok(Stamp::of(&rustix::fs::fstat(file)?))
}

/// The folder of this name, open for reading its entries.
pub(super) fn open_folder(folder: BorrowedFd<'_>, name: &[u8]) -> io::Result<OwnedFd> {
    open_unseen(folder, name, OFlags::DIRECTORY)
}

/// Only the owner of a file and root may read it without a trace.
fn open_unseen(folder: BorrowedFd<'_>, name: &[u8], more: OFlags) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | more;
    match rustix::fs::openat(folder, name, flags | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => Ok(rustix::fs::openat(folder, name, flags, Mode::empty())?),
        opened => Ok(opened?),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::os::fd::AsFd;
    use std::os::unix::fs::{MetadataExt, symlink};
    use std::path::Path;

    use super::*;

    fn folder(path: &Path) -> File {
        File::open(path).unwrap()
    }

    #[test]
    fn a_file_is_read_and_a_change_shows_in_its_stamp() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        fs::write(&path, "one").unwrap();
        let inode = fs::metadata(&path).unwrap().ino();
        let (mut file, before) = open_file(folder(dir.path()).as_fd(), b"f", inode).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), stamp_of(&file).unwrap()), ("one", before));
        fs::write(&path, "longer").unwrap();
        assert_ne!(stamp_of(&file).unwrap(), before);
    }

    #[test]
    fn what_is_no_file_any_more_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let at = folder(dir.path());
        fs::write(dir.path().join("f"), "x").unwrap();
        symlink("f", dir.path().join("link")).unwrap();
        fs::create_dir(dir.path().join("d")).unwrap();
        rustix::fs::mkfifoat(&at, "fifo", Mode::RUSR).unwrap();
        let inode = |name: &str| fs::symlink_metadata(dir.path().join(name)).unwrap().ino();
        let refused = |name: &str, inode| open_file(at.as_fd(), name.as_bytes(), inode).unwrap_err();
        assert_eq!(refused("link", inode("f")).raw_os_error(), Some(Errno::LOOP.raw_os_error()));
        assert_eq!(refused("gone", 1).raw_os_error(), Some(Errno::NOENT.raw_os_error()));
        for name in ["d", "fifo"] {
            assert!(refused(name, inode(name)).to_string().contains("no regular file"), "{name}");
        }
        assert!(refused("f", inode("f") + 1).to_string().contains("replaced"));
    }
}

//! The folder that all blobs lie in, held open, so that every path is relative to it and cannot leave it.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, FsWord, Mode, OFlags};
use rustix::io::Errno;

use super::batch::{self, Batches};
use super::fault::Doing as _;
use super::folders::DurableFolders;
use super::{BlobError, Space};

/// Uploads in flight. No account has such a name.
pub(super) const STAGING: &str = ".staging";
/// Small copies of what a rebuild cannot find in the blobs.
pub(super) const CONTROL: &str = ".control";

pub(super) const FOLDER_MODE: Mode = Mode::RWXU;
pub(super) const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR);
const FOLDER_FLAGS: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

pub(super) struct Root {
    pub(super) folder: OwnedFd,
    pub(super) staging: OwnedFd,
    pub(super) control: OwnedFd,
    pub(super) durable: DurableFolders,
    pub(super) batches: Batches,
    /// The kernel's own file system on a disk of this machine: opening what it knows already asks nobody else.
    pub(super) is_plain_disk: bool,
}

impl Root {
    /// Makes what is missing and syncs it, whoever made it. The folder above must exist.
    pub(super) fn open(path: &Path) -> Result<Self, BlobError> {
        match std::fs::DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(BlobError::new(format!("making {}", path.display()), error));
            }
            _ => {}
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(path, flags, Mode::empty()).doing(|| format!("opening {}", path.display()))?;
        close_to_others(&folder).doing(|| format!("closing {} to other users", path.display()))?;
        make_folder(&folder, STAGING)?;
        make_folder(&folder, CONTROL)?;
        sync(&folder, "blobs/")?;
        let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(above).and_then(|above| above.sync_all()).doing(|| format!("syncing {}", above.display()))?;
        let staging = open_folder(&folder, STAGING).doing(|| format!("opening {STAGING}"))?;
        let control = open_folder(&folder, CONTROL).doing(|| format!("opening {CONTROL}"))?;
        let is_plain_disk = is_plain_disk(&folder);
        let batches = Batches::new(is_plain_disk && batch::tells_of_failed_writes());
        Ok(Self { folder, staging, control, durable: DurableFolders::default(), batches, is_plain_disk })
    }

    pub(super) fn space(&self) -> Result<Space, BlobError> {
        let room = rustix::fs::fstatvfs(&self.folder).doing(|| "asking for free space".to_owned())?;
        // A file system that makes inodes as it needs them says that it has none at all.
        let free_files = if room.f_files == 0 { u64::MAX } else { room.f_favail };
        Ok(Space { free_bytes: room.f_bavail.saturating_mul(room.f_frsize), free_files })
    }
}

/// Opens a folder itself, never what a link in its place points to.
pub(super) fn open_folder(base: impl AsFd, path: &str) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(base, path, FOLDER_FLAGS, Mode::empty())
}

/// Opens a plain file for reading, and says how many bytes it has; anything else in its place is `Failed`. Never waits for a FIFO's other end.
pub(super) fn open_file(base: impl AsFd, path: &str, more: OFlags) -> Result<(File, u64), BlobError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | more;
    let file = rustix::fs::openat(base, path, flags, Mode::empty()).doing(|| format!("opening {path}"))?;
    let state = rustix::fs::fstat(&file).doing(|| format!("looking at {path}"))?;
    if FileType::from_raw_mode(state.st_mode) != FileType::RegularFile {
        return Err(BlobError::refused(format!("opening {path}"), "it is not a plain file"));
    }
    Ok((file.into(), state.st_size.try_into().unwrap_or(0)))
}

/// Makes one folder; one that is there already is as good.
pub(super) fn make_folder(base: impl AsFd, path: &str) -> Result<(), BlobError> {
    match rustix::fs::mkdirat(base, path, FOLDER_MODE) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(BlobError::new(format!("making the folder {path}"), errno)),
    }
}

/// Syncs an open folder, once: the error of a failed sync is the caller's, since a second one would only hide it.
pub(super) fn sync(folder: impl AsFd, path: &str) -> Result<(), BlobError> {
    fail::fail_point!("folder-sync", |_| Ok(()));
    rustix::fs::fsync(folder).writing(|| format!("syncing the folder {path}"))
}

/// Removes a name that may be gone already.
pub(super) fn unlink(base: impl AsFd, path: &str) -> Result<(), BlobError> {
    match rustix::fs::unlinkat(base, path, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(BlobError::new(format!("removing {path}"), errno)),
    }
}

fn is_plain_disk(folder: &OwnedFd) -> bool {
    const EXT4: FsWord = 0xef53;
    const XFS: FsWord = 0x5846_5342;
    let kind = rustix::fs::fstatfs(folder).map(|facts| facts.f_type);
    matches!(kind, Ok(EXT4 | XFS))
}

fn close_to_others(folder: &OwnedFd) -> Result<(), Errno> {
    let mode = Mode::from_raw_mode(rustix::fs::fstat(folder)?.st_mode);
    if mode.intersects(Mode::RWXG | Mode::RWXO) { rustix::fs::fchmod(folder, FOLDER_MODE) } else { Ok(()) }
}

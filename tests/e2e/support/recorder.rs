//! Disks that remember every write and every flush in their order: FUSE files, made to be the backing files of loop devices.
//!
//! The loop driver turns a flush of the block device into an fsync of its file, and without a write-back cache FUSE hands over each
//! write at once. So what a power cut may leave is known exactly: all up to the disk's last flush, and any of the writes since.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner, OpenFlags,
    ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request, WriteFlags,
};

const TTL: Duration = Duration::from_secs(3600);

/// One thing that reached a disk, which is named by its number.
pub enum Record {
    Write { disk: usize, offset: u64, bytes: Vec<u8> },
    Flush { disk: usize },
}

/// The disks, with one record of them all, mounted in a folder of their own until this is dropped.
pub struct Recorder {
    state: Arc<State>,
    folder: tempfile::TempDir,
    session: Option<BackgroundSession>,
}

struct State {
    content: Mutex<Content>,
    /// Whether writes and flushes fail with EIO.
    is_broken: AtomicBool,
    /// How many writes and flushes failed.
    failures: AtomicU64,
    sizes: Vec<u64>,
}

struct Content {
    disks: Vec<Vec<u8>>,
    records: Vec<Record>,
}

impl Recorder {
    /// Empty disks of these sizes. Only root may mount them.
    pub fn mount(sizes: &[u64]) -> Self {
        let disks = sizes.iter().map(|size| vec![0; index(*size)]).collect();
        let content = Mutex::new(Content { disks, records: Vec::new() });
        let (is_broken, failures, sizes) = (AtomicBool::new(false), AtomicU64::new(0), sizes.to_vec());
        let state = Arc::new(State { content, is_broken, failures, sizes });
        let folder = tempfile::tempdir().expect("a temporary folder");
        let session = fuser::spawn_mount(Files(Arc::clone(&state)), folder.path(), &Config::default()).expect("root mounts FUSE");
        Self { state, folder, session: Some(session) }
    }

    /// The backing file of one disk.
    pub fn file(&self, disk: usize) -> PathBuf {
        self.folder.path().join(disk.to_string())
    }

    /// How much has been recorded: what was flushed before now lies before this position.
    pub fn position(&self) -> usize {
        self.state.content().records.len()
    }

    /// From now on, writes and flushes fail, or do not.
    pub fn set_broken(&self, is_broken: bool) {
        self.state.is_broken.store(is_broken, Ordering::SeqCst);
    }

    /// How many writes and flushes have failed.
    pub fn failures(&self) -> u64 {
        self.state.failures.load(Ordering::SeqCst)
    }

    /// Everything that reached the disks. There are no records afterwards.
    pub fn take_records(&self) -> Vec<Record> {
        std::mem::take(&mut self.state.content().records)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        drop(self.session.take());
        // Something may still be mounted on it where a test failed; it goes when that goes.
        let _ = rustix::mount::unmount(self.folder.path(), rustix::mount::UnmountFlags::DETACH);
    }
}

impl State {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().expect("nobody panics while holding the disk")
    }

    fn fails(&self) -> bool {
        let fails = self.is_broken.load(Ordering::SeqCst);
        if fails {
            self.failures.fetch_add(1, Ordering::SeqCst);
        }
        fails
    }

    fn attributes(&self, node: INodeNo) -> FileAttr {
        let size = disk_of(node).and_then(|disk| self.sizes.get(disk));
        FileAttr {
            ino: node,
            size: size.copied().unwrap_or(0),
            blocks: size.copied().unwrap_or(0) / 512,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind: if size.is_some() { FileType::RegularFile } else { FileType::Directory },
            perm: if size.is_some() { 0o600 } else { 0o700 },
            nlink: if size.is_some() { 1 } else { 2 },
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

/// The disk behind a node; node 1 is the folder that they lie in.
fn disk_of(node: INodeNo) -> Option<usize> {
    index(node.0).checked_sub(2)
}

/// The file system of these files and nothing else.
struct Files(Arc<State>);

impl Filesystem for Files {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match (0..self.0.sizes.len()).find(|disk| name == disk.to_string().as_str()) {
            Some(disk) => reply.entry(&TTL, &self.0.attributes(INodeNo(disk as u64 + 2)), Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _: &Request, node: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&TTL, &self.0.attributes(node));
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE);
    }

    fn read(
        &self,
        _: &Request,
        node: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let content = self.0.content();
        let disk = disk_of(node).and_then(|disk| content.disks.get(disk));
        let bytes = disk.and_then(|disk| disk.get(index(offset)..)).unwrap_or_default();
        reply.data(&bytes[..bytes.len().min(index(u64::from(size)))]);
    }

    fn write(
        &self,
        _: &Request,
        node: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        if self.0.fails() {
            return reply.error(Errno::EIO);
        }
        let mut content = self.0.content();
        let (disk, at) = (disk_of(node).unwrap_or(usize::MAX), index(offset));
        let place = content.disks.get_mut(disk).and_then(|disk| disk.get_mut(at..at + data.len()));
        let Some(place) = place else { return reply.error(Errno::ENOSPC) };
        place.copy_from_slice(data);
        content.records.push(Record::Write { disk, offset, bytes: data.to_owned() });
        drop(content);
        reply.written(u32::try_from(data.len()).expect("FUSE writes are small"));
    }

    fn fsync(&self, _: &Request, node: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        if self.0.fails() {
            return reply.error(Errno::EIO);
        }
        self.0.content().records.push(Record::Flush { disk: disk_of(node).unwrap_or(usize::MAX) });
        reply.ok();
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("the disk is in memory")
}

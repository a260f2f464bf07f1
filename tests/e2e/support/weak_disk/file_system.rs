//! What the kernel asks of the weakest disk.

use std::ffi::OsStr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner, OpenFlags, RenameFlags,
    ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow,
    WriteFlags,
};

use super::State;
use super::tree::Tree;
use crate::support::tree::random;

/// The kernel sees each change of a name, because it makes it.
const NAMES: Duration = Duration::from_secs(3600);
const ATTRIBUTES: Duration = Duration::ZERO;

pub(super) struct Served(pub(super) Arc<State>);

impl Served {
    fn made(&self, parent: INodeNo, name: &OsStr, is_folder: bool, mode: u32) -> Result<FileAttr, Errno> {
        let mut tree = self.0.tree();
        let node = tree.make(parent, name, is_folder, mode)?;
        tree.attributes(node)
    }
}

fn entry(reply: ReplyEntry, outcome: Result<FileAttr, Errno>) {
    match outcome {
        Ok(attributes) => reply.entry_with_ttls(&ATTRIBUTES, &NAMES, &attributes, Generation(0)),
        Err(error) => reply.error(error),
    }
}

fn empty(reply: ReplyEmpty, outcome: Result<(), Errno>) {
    match outcome {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

impl Filesystem for Served {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let tree = self.0.tree();
        entry(reply, tree.child(parent, name).and_then(|child| tree.attributes(child)));
    }

    fn getattr(&self, _: &Request, node: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.0.tree().attributes(node) {
            Ok(attributes) => reply.attr(&ATTRIBUTES, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        node: INodeNo,
        mode: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let mut tree = self.0.tree();
        let mut set = || {
            tree.change();
            let changed = tree.node_mut(node)?;
            changed.mode = mode.unwrap_or(changed.mode);
            if let Some(size) = size {
                Arc::make_mut(&mut changed.bytes).resize(index(size), 0);
            }
            tree.attributes(node)
        };
        match set() {
            Ok(attributes) => reply.attr(&ATTRIBUTES, &attributes),
            Err(error) => reply.error(error),
        }
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, mode: u32, umask: u32, reply: ReplyEntry) {
        entry(reply, self.made(parent, name, true, mode & !umask));
    }

    fn create(&self, _: &Request, parent: INodeNo, name: &OsStr, mode: u32, umask: u32, _: i32, reply: ReplyCreate) {
        match self.made(parent, name, false, mode & !umask) {
            Ok(attributes) => reply.created(&ATTRIBUTES, &attributes, Generation(0), FileHandle(0), FopenFlags::empty()),
            Err(error) => reply.error(error),
        }
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(reply, self.0.tree().remove(parent, name, false));
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(reply, self.0.tree().remove(parent, name, true));
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let must_be_new = flags.contains(RenameFlags::RENAME_NOREPLACE);
        empty(reply, self.0.tree().rename((parent, name), (new_parent, new_name), must_be_new));
    }

    fn link(&self, _: &Request, node: INodeNo, new_parent: INodeNo, new_name: &OsStr, reply: ReplyEntry) {
        let mut tree = self.0.tree();
        let link = |tree: &mut Tree| {
            tree.change();
            if tree.child(new_parent, new_name).is_ok() {
                return Err(Errno::EEXIST);
            }
            tree.link(node, new_parent, new_name)?;
            tree.attributes(node)
        };
        entry(reply, link(&mut tree));
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
        let mut tree = self.0.tree();
        let (bytes, is_blob) = match tree.node(node) {
            Ok(node) => (Arc::clone(&node.bytes), node.is_blob),
            Err(error) => return reply.error(error),
        };
        let bytes = bytes.get(index(offset)..).unwrap_or_default();
        let bytes = &bytes[..bytes.len().min(index(u64::from(size)))];
        if let Some(one_in) = tree.faults.reads_one_in.filter(|_| is_blob && !bytes.is_empty()) {
            match random(&mut tree.seed, one_in) {
                0 => {
                    tree.wrong_reads += 1;
                    return reply.error(Errno::EIO);
                }
                1 => {
                    tree.wrong_reads += 1;
                    // The kernel fills what is missing with zeros.
                    return reply.data(&bytes[..bytes.len() / 2]);
                }
                _ => {}
            }
        }
        drop(tree);
        reply.data(bytes);
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
        let mut tree = self.0.tree();
        let mut write = || {
            tree.change();
            let node = tree.node_mut(node)?;
            node.changed = SystemTime::now();
            let bytes = Arc::make_mut(&mut node.bytes);
            let at = index(offset);
            bytes.resize(bytes.len().max(at + data.len()), 0);
            bytes[at..at + data.len()].copy_from_slice(data);
            Ok(u32::try_from(data.len()).expect("FUSE writes are small"))
        };
        match write() {
            Ok(count) => reply.written(count),
            Err(error) => reply.error(error),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, node: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        let delay = self.0.tree().faults.sync_delay;
        if delay.is_zero() {
            return empty(reply, self.0.tree().sync(node));
        }
        // Only this one waits, not the thread that serves all.
        let state = Arc::clone(&self.0);
        state.slow_syncs.fetch_add(1, Ordering::SeqCst);
        std::thread::spawn(move || {
            std::thread::sleep(delay);
            state.slow_syncs.fetch_sub(1, Ordering::SeqCst);
            empty(reply, state.tree().sync(node));
        });
    }

    fn fsyncdir(&self, _: &Request, node: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        empty(reply, self.0.tree().sync(node));
    }

    fn opendir(&self, _: &Request, node: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let name = self.0.tree().name_of(node);
        self.0.stall_here(name.as_deref());
        reply.opened(FileHandle(0), FopenFlags::empty());
    }

    fn readdir(&self, _: &Request, node: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let tree = self.0.tree();
        let folder = match tree.node(node) {
            Ok(folder) => folder,
            Err(error) => return reply.error(error),
        };
        let dots = [".", ".."].map(|name| (node, FileType::Directory, OsStr::new(name)));
        let kind = |child: u64| match tree.node(INodeNo(child)) {
            Ok(child) if child.is_folder => FileType::Directory,
            _ => FileType::RegularFile,
        };
        let entries = folder.entries.iter().map(|(name, child)| (INodeNo(*child), kind(*child), name.as_os_str()));
        for (number, (child, kind, name)) in (1_u64..).zip(dots.into_iter().chain(entries)).skip(index(offset)) {
            if reply.add(child, number, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        reply.statfs(1 << 20, 1 << 20, 1 << 20, 1 << 20, 1 << 20, 4096, 255, 4096);
    }
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("the disk is in memory")
}

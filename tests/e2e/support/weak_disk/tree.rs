//! Files and folders twice: as programs see them, and as a crash leaves them.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::Arc;

use fuser::{Errno, FileAttr, FileType, INodeNo};
use std::time::{SystemTime, UNIX_EPOCH};

use super::Faults;
use crate::support::tree::{random, write_private};

type Entries = BTreeMap<OsString, u64>;

/// One file or folder. It is never forgotten: tests are short.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) is_folder: bool,
    pub(super) mode: u32,
    pub(super) links: u32,
    pub(super) changed: SystemTime,
    pub(super) bytes: Arc<Vec<u8>>,
    pub(super) entries: Entries,
    /// Whether it has the name of a published blob.
    pub(super) is_blob: bool,
    /// What the last fsync saw.
    synced_bytes: Arc<Vec<u8>>,
    synced_entries: Entries,
}

pub(super) struct Tree {
    nodes: BTreeMap<u64, Node>,
    pub(super) changes: u64,
    pub(super) crashes: Vec<(u64, Durable)>,
    random_crashes: Option<(u64, u64)>,
    pub(super) faults: Faults,
    pub(super) wrong_reads: u64,
    pub(super) seed: u64,
}

/// What a crash left: for each folder its names, for each file its bytes.
pub struct Durable(BTreeMap<u64, (bool, Entries, Arc<Vec<u8>>)>);

impl Tree {
    pub(super) fn new() -> Self {
        let mut root = Node::new(true, 0o700);
        root.links = 2;
        Self {
            nodes: BTreeMap::from([(INodeNo::ROOT.0, root)]),
            changes: 0,
            crashes: Vec::new(),
            random_crashes: None,
            faults: Faults::default(),
            wrong_reads: 0,
            seed: 0x5EED_D507,
        }
    }

    pub(super) fn node(&self, node: INodeNo) -> Result<&Node, Errno> {
        self.nodes.get(&node.0).ok_or(Errno::ENOENT)
    }

    pub(super) fn node_mut(&mut self, node: INodeNo) -> Result<&mut Node, Errno> {
        self.nodes.get_mut(&node.0).ok_or(Errno::ENOENT)
    }

    pub(super) fn child(&self, parent: INodeNo, name: &OsStr) -> Result<INodeNo, Errno> {
        self.node(parent)?.entries.get(name).map(|child| INodeNo(*child)).ok_or(Errno::ENOENT)
    }

    /// To be called first by every change: a random crash may come before it.
    pub(super) fn change(&mut self) {
        self.changes += 1;
        if let Some((seed, one_in)) = &mut self.random_crashes
            && random(seed, *one_in) == 0
        {
            // The change itself has not happened: everything acknowledged so far came before it.
            let crash = (self.changes - 1, self.durable());
            self.crashes.push(crash);
        }
    }

    pub(super) fn crash_at_random(&mut self, seed: u64, one_in: u64) {
        self.random_crashes = Some((seed, one_in));
    }

    pub(super) fn make(&mut self, parent: INodeNo, name: &OsStr, is_folder: bool, mode: u32) -> Result<INodeNo, Errno> {
        self.change();
        if self.child(parent, name).is_ok() {
            return Err(Errno::EEXIST);
        }
        let number = INodeNo(self.nodes.len() as u64 + 1);
        self.nodes.insert(number.0, Node::new(is_folder, mode));
        self.link(number, parent, name)?;
        Ok(number)
    }

    pub(super) fn link(&mut self, node: INodeNo, parent: INodeNo, name: &OsStr) -> Result<(), Errno> {
        let child = self.node_mut(node)?;
        child.links += 1;
        child.is_blob |= !child.is_folder && name.to_string_lossy().contains('@');
        self.node_mut(parent)?.entries.insert(name.to_owned(), node.0);
        Ok(())
    }

    pub(super) fn remove(&mut self, parent: INodeNo, name: &OsStr, is_folder: bool) -> Result<(), Errno> {
        self.change();
        let child = self.child(parent, name)?;
        let node = self.node_mut(child)?;
        match (is_folder, node.is_folder) {
            (true, false) => return Err(Errno::ENOTDIR),
            (false, true) => return Err(Errno::EISDIR),
            (true, true) if !node.entries.is_empty() => return Err(Errno::ENOTEMPTY),
            _ => node.links = if is_folder { 0 } else { node.links - 1 },
        }
        self.node_mut(parent)?.entries.remove(name);
        Ok(())
    }

    pub(super) fn rename(&mut self, from: (INodeNo, &OsStr), to: (INodeNo, &OsStr), must_be_new: bool) -> Result<(), Errno> {
        self.change();
        let moved = self.child(from.0, from.1)?;
        if let Ok(replaced) = self.child(to.0, to.1) {
            if must_be_new {
                return Err(Errno::EEXIST);
            }
            self.node_mut(replaced)?.links -= 1;
        }
        self.node_mut(from.0)?.entries.remove(from.1);
        self.node_mut(moved)?.links -= 1;
        self.link(moved, to.0, to.1)
    }

    pub(super) fn sync(&mut self, node: INodeNo) -> Result<(), Errno> {
        self.change();
        let node = self.node_mut(node)?;
        node.synced_bytes = Arc::clone(&node.bytes);
        node.synced_entries.clone_from(&node.entries);
        Ok(())
    }

    /// The name by which a folder is known.
    pub(super) fn name_of(&self, node: INodeNo) -> Option<String> {
        let mut names = self.nodes.values().flat_map(|folder| &folder.entries);
        names.find(|(_, child)| **child == node.0).map(|(name, _)| name.to_string_lossy().into_owned())
    }

    pub(super) fn attributes(&self, number: INodeNo) -> Result<FileAttr, Errno> {
        let node = self.node(number)?;
        let size = node.bytes.len() as u64;
        Ok(FileAttr {
            ino: number,
            size,
            blocks: size.div_ceil(512),
            atime: UNIX_EPOCH,
            mtime: node.changed,
            ctime: node.changed,
            crtime: UNIX_EPOCH,
            kind: if node.is_folder { FileType::Directory } else { FileType::RegularFile },
            perm: u16::try_from(node.mode & 0o7777).expect("twelve bits"),
            nlink: node.links,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        })
    }

    pub(super) fn durable(&self) -> Durable {
        let kept = |node: &Node| (node.is_folder, node.synced_entries.clone(), Arc::clone(&node.synced_bytes));
        Durable(self.nodes.iter().map(|(number, node)| (*number, kept(node))).collect())
    }
}

impl Node {
    fn new(is_folder: bool, mode: u32) -> Self {
        let bytes = Arc::new(Vec::new());
        let (entries, synced_entries) = (Entries::new(), Entries::new());
        Self {
            is_folder,
            mode,
            links: u32::from(is_folder),
            changed: SystemTime::now(),
            synced_bytes: Arc::clone(&bytes),
            bytes,
            entries,
            synced_entries,
            is_blob: false,
        }
    }
}

impl Durable {
    /// Writes everything that is left into `folder`, as ordinary files.
    pub fn write_to(&self, folder: &Path) {
        self.write_node(INodeNo::ROOT.0, folder);
    }

    fn write_node(&self, number: u64, path: &Path) {
        use std::os::unix::fs::DirBuilderExt as _;
        let (is_folder, entries, bytes) = &self.0[&number];
        if !is_folder {
            return write_private(path, bytes);
        }
        std::fs::DirBuilder::new().mode(0o700).recursive(true).create(path).expect("a folder is made");
        for (name, child) in entries {
            self.write_node(*child, &path.join(name));
        }
    }
}

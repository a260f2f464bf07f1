//! The weakest disk that POSIX allows: a FUSE file system in memory that keeps, through a crash, bytes that were fsynced and names
//! whose folder was fsynced, and nothing else.
//!
//! Real file systems forgive a missing sync of a folder, because their journals carry it along with something else; this one does not.

mod file_system;
mod tree;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use fuser::{BackgroundSession, Config, MountOption};

use file_system::Served;
pub use tree::Durable;
use tree::Tree;

/// The disk, mounted in a folder of its own until it is dropped.
pub struct WeakDisk {
    state: Arc<State>,
    folder: tempfile::TempDir,
    session: Option<BackgroundSession>,
}

struct State {
    tree: Mutex<Tree>,
    stall: Mutex<Stall>,
    stalled: Condvar,
    /// How many slow syncs are under way.
    slow_syncs: AtomicUsize,
}

/// Somebody who opens a folder and has to wait.
#[derive(PartialEq, Eq)]
enum Stall {
    None,
    /// The next one that opens the folder of this name stalls.
    Awaited(String),
    Under,
}

/// What goes wrong with calls, until told otherwise.
#[derive(Clone, Copy, Default, Debug)]
pub struct Faults {
    /// Of reads of published blobs, one in so many fails with EIO, and one in so many brings zeros in the place of its second half.
    pub reads_one_in: Option<u64>,
    /// Each sync of a file takes this much longer.
    pub sync_delay: Duration,
}

impl WeakDisk {
    /// An empty disk. Only root may mount it.
    pub fn mount() -> Self {
        let (tree, stall) = (Mutex::new(Tree::new()), Mutex::new(Stall::None));
        let state = Arc::new(State { tree, stall, stalled: Condvar::new(), slow_syncs: AtomicUsize::new(0) });
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut config = Config::default();
        config.mount_options = vec![MountOption::DefaultPermissions];
        // One that stalls must not keep the others.
        config.n_threads = Some(4);
        let session = fuser::spawn_mount(Served(Arc::clone(&state)), folder.path(), &config).expect("root mounts FUSE");
        Self { state, folder, session: Some(session) }
    }

    pub fn at(&self) -> &Path {
        self.folder.path()
    }

    /// How many changes there have been: what was durable before now is so in every crash from this moment on.
    pub fn moment(&self) -> u64 {
        self.state.tree().changes
    }

    /// What a crash at this instant leaves, and the moment.
    pub fn crash(&self) -> (u64, Durable) {
        let tree = self.state.tree();
        (tree.changes, tree.durable())
    }

    /// From now on, a crash is kept after about one change in `one_in`; they are collected by [`WeakDisk::crashes`].
    pub fn crash_at_random(&self, seed: u64, one_in: u64) {
        self.state.tree().crash_at_random(seed, one_in);
    }

    pub fn crashes(&self) -> Vec<(u64, Durable)> {
        std::mem::take(&mut self.state.tree().crashes)
    }

    /// Nothing answers any more (ENOTCONN), as when the disk's cable or the program behind it is gone.
    pub fn unplug(&self) {
        use std::os::unix::fs::MetadataExt as _;
        let device = std::fs::metadata(self.at()).expect("the disk is mounted").dev();
        let connections = tempfile::tempdir().expect("a temporary folder");
        let at = connections.path();
        rustix::mount::mount("fusectl", at, "fusectl", rustix::mount::MountFlags::empty(), None).expect("root mounts it");
        let told = std::fs::write(at.join(rustix::fs::minor(device).to_string()).join("abort"), "1");
        rustix::mount::unmount(at, rustix::mount::UnmountFlags::DETACH).expect("root unmounts it");
        told.expect("the kernel drops the connection");
    }

    pub fn set_faults(&self, faults: Faults) {
        self.state.tree().faults = faults;
    }

    /// How many syncs of files wait for their delay.
    pub fn slow_syncs(&self) -> usize {
        self.state.slow_syncs.load(Ordering::SeqCst)
    }

    /// How many reads were answered wrongly.
    pub fn wrong_reads(&self) -> u64 {
        self.state.tree().wrong_reads
    }

    /// Whoever opens the folder of this name next, to list or to sync it, waits until [`WeakDisk::release`]. (A stalled sync itself would
    /// hold the kernel's lock on the folder, and with it everybody.)
    pub fn stall_opening_of(&self, name: &str) {
        *self.state.stall() = Stall::Awaited(name.to_owned());
    }

    /// Whether somebody is stalled now.
    pub fn is_stalled(&self) -> bool {
        *self.state.stall() == Stall::Under
    }

    pub fn release(&self) {
        *self.state.stall() = Stall::None;
        self.state.stalled.notify_all();
    }
}

impl Drop for WeakDisk {
    fn drop(&mut self) {
        self.release();
        drop(self.session.take());
        let _ = rustix::mount::unmount(self.folder.path(), rustix::mount::UnmountFlags::DETACH);
    }
}

impl State {
    fn tree(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock().expect("nobody panics while holding the disk")
    }

    fn stall(&self) -> MutexGuard<'_, Stall> {
        self.stall.lock().expect("nobody panics while holding it")
    }

    /// Waits where this is the one that was to stall.
    fn stall_here(&self, name: Option<&str>) {
        let mut stall = self.stall();
        if !matches!(&*stall, Stall::Awaited(awaited) if Some(awaited.as_str()) == name) {
            return;
        }
        *stall = Stall::Under;
        drop(self.stalled.wait_while(stall, |stall| *stall == Stall::Under));
    }
}

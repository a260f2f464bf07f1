//! SQLite's shared memory on a disk that no longer gives it.
//!
//! Every connection maps `catalog.db-shm`, and where the disk below has failed the system answers an access to it with SIGBUS, which ends a
//! process. Here it ends one thread: a thread of the catalog rests for ever at the access that failed, so that no byte is used that
//! the disk did not give, and nothing that follows from one reaches a disk or a client. Whoever waits for the catalog hears that it is
//! lost. Any other SIGBUS ends the process.
//!
//! The second file of unsafe code: the standard library handles no signals, and SQLite tells where its shared memory is only
//! to those who map it for it.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, OnceLock};

use ::rusqlite::ffi;
use tokio_util::sync::CancellationToken;

use super::super::{CatalogError, Fault};

static LOST: LazyLock<CancellationToken> = LazyLock::new(CancellationToken::new);

thread_local! {
    static RESTS_WHEN_LOST: Cell<bool> = const { Cell::new(false) };
}

/// Cancelled, until a restart, when memory was lost.
pub(in super::super) fn lost() -> &'static CancellationToken {
    &LOST
}

/// From here on this thread rests when memory is lost. Only for one whose callers stop waiting then; on any other, and before this, the
/// process ends.
pub(in super::super) fn rest_when_lost() {
    RESTS_WHEN_LOST.set(true);
}

/// Learns from here on where SQLite maps its shared memory, and what becomes of it. To be called before a catalog is opened.
pub(super) fn watch() -> Result<(), CatalogError> {
    static WATCHED: OnceLock<bool> = OnceLock::new();
    LazyLock::force(&LOST);
    match WATCHED.get_or_init(|| replace_system_calls() && handle_signal()) {
        true => Ok(()),
        false => Err(CatalogError::new(Fault::Failed, "the shared memory of catalog.db cannot be watched")),
    }
}

/// Mapped memory from `start` to before `end`; nothing where both are 0.
struct Mapped {
    start: AtomicUsize,
    end: AtomicUsize,
}

/// One holds the index of some 4,000 pages of the write-ahead log, so this is enough for a log of 16 GiB. What is mapped beyond is not known.
static ALL_MAPPED: [Mapped; 1_024] = [const { Mapped { start: AtomicUsize::new(0), end: AtomicUsize::new(0) } }; 1_024];

fn is_shared_memory(address: usize) -> bool {
    ALL_MAPPED.iter().any(|mapped| mapped.start.load(Ordering::SeqCst) <= address && address < mapped.end.load(Ordering::SeqCst))
}

/// `mmap` as SQLite calls it: for shared memory alone, since the catalog itself is not mapped (`mmap_size` is 0).
unsafe extern "C" fn map(place: *mut c_void, length: usize, access: c_int, flags: c_int, file: c_int, offset: libc::off_t) -> *mut c_void {
    // SAFETY: the call is SQLite's, passed on as it is.
    let memory = unsafe { libc::mmap(place, length, access, flags, file, offset) };
    if memory != libc::MAP_FAILED {
        let start = memory as usize;
        let is_free = |mapped: &&Mapped| mapped.start.compare_exchange(0, start, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        if let Some(mapped) = ALL_MAPPED.iter().find(is_free) {
            mapped.end.store(start + length, Ordering::SeqCst);
        }
    }
    memory
}

/// `munmap` as SQLite calls it: with what `map` answered.
unsafe extern "C" fn unmap(memory: *mut c_void, length: usize) -> c_int {
    if let Some(mapped) = ALL_MAPPED.iter().find(|mapped| mapped.start.load(Ordering::SeqCst) == memory as usize) {
        mapped.end.store(0, Ordering::SeqCst);
        mapped.start.store(0, Ordering::SeqCst);
    }
    // SAFETY: the call is SQLite's, passed on as it is.
    unsafe { libc::munmap(memory, length) }
}

type Map = unsafe extern "C" fn(*mut c_void, usize, c_int, c_int, c_int, libc::off_t) -> *mut c_void;
type Unmap = unsafe extern "C" fn(*mut c_void, usize) -> c_int;
type SystemCall = unsafe extern "C" fn();

fn replace_system_calls() -> bool {
    // SAFETY: `sqlite3_vfs_find` answers null or an interface that lives as long as the process. SQLite keeps system calls under a type
    // of its own and calls each as the type that it has in the system's headers, which is that of `map` and of `unmap`. No catalog is
    // open yet, so nobody is calling them meanwhile.
    unsafe {
        let vfs = ffi::sqlite3_vfs_find(c"unix".as_ptr());
        let Some(replace) = vfs.as_ref().and_then(|vfs| vfs.xSetSystemCall) else { return false };
        let map = std::mem::transmute::<Map, SystemCall>(map);
        let unmap = std::mem::transmute::<Unmap, SystemCall>(unmap);
        replace(vfs, c"mmap".as_ptr(), Some(map)) == ffi::SQLITE_OK && replace(vfs, c"munmap".as_ptr(), Some(unmap)) == ffi::SQLITE_OK
    }
}

fn handle_signal() -> bool {
    // SAFETY: a `sigaction` of zeros is a valid one, and `on_sigbus` has the type that SA_SIGINFO asks for. The standard library's own
    // handler is replaced: it tells of a stack that overflows, which on Linux is SIGSEGV.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_sigbus as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        libc::sigaction(libc::SIGBUS, &raw const action, std::ptr::null_mut()) == 0
    }
}

extern "C" fn on_sigbus(_: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    // SAFETY: with SA_SIGINFO the system hands over what happened; an address is read only where there is one.
    let is_lost = unsafe { (*info).si_code == libc::BUS_ADRERR && is_shared_memory((*info).si_addr() as usize) } && RESTS_WHEN_LOST.get();
    if is_lost {
        // This is no moment like any other: the thread itself has just touched that memory, which only SQLite's code for the write-ahead
        // log does, and that holds neither a lock of the process nor one of the allocator. So ordinary code may run here.
        LOST.cancel();
        loop {
            std::thread::park();
        }
    }
    // SAFETY: both may be called by the handler of a signal. The signal is held back until it returns, and then ends the process.
    unsafe {
        libc::signal(libc::SIGBUS, libc::SIG_DFL);
        libc::raise(libc::SIGBUS);
    }
}

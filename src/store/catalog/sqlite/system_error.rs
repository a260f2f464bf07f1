//! What the system said when SQLite failed. One of three files of unsafe code: the driver does not hand this out.

#![allow(unsafe_code)]

use ::rusqlite::{Connection as Raw, ffi};
use rustix::io::Errno;

/// The extended code of the connection's last error, and the system's error behind it. Meaningful right after a call that failed
/// with an I/O error, and never a reason to believe more than that error says.
pub(super) fn last(raw: &Raw) -> (i32, Option<Errno>) {
    // SAFETY: the handle is open for as long as `raw` is borrowed, both functions only read from it, and `raw`, which is not `Sync`,
    // keeps every other thread away from it meanwhile.
    let (extended, system) = unsafe { (ffi::sqlite3_extended_errcode(raw.handle()), ffi::sqlite3_system_errno(raw.handle())) };
    (extended, (system > 0).then(|| Errno::from_raw_os_error(system)))
}

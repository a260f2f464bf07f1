//! What a lock says.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Mode, STALE_AFTER};
use crate::vault::keys::Maker;

/// Who holds a lock, since when, and how much it is for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LockFile {
    /// When it was written, by its holder's clock.
    pub time: Timestamp,
    pub exclusive: bool,
    pub hostname: String,
    pub username: String,
    pub pid: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub uid: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gid: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl LockFile {
    /// That of this process.
    pub(super) fn new(mode: Mode, holder: &Maker, time: Timestamp) -> Self {
        Self {
            time,
            exclusive: mode == Mode::Exclusive,
            hostname: holder.hostname.clone(),
            username: holder.username.clone(),
            pid: std::process::id(),
            uid: rustix::process::getuid().as_raw(),
            gid: rustix::process::getgid().as_raw(),
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("its keys are texts")
    }

    /// Whether its holder has gone without removing it.
    pub fn is_stale(&self, now: Timestamp, this_host: &str) -> bool {
        now.duration_since(self.time) > STALE_AFTER || self.hostname == this_host && !exists(self.pid)
    }

    /// Whether it and one of that mode cannot both be held.
    pub const fn is_against(&self, mode: Mode) -> bool {
        self.exclusive || matches!(mode, Mode::Exclusive)
    }
}

impl std::fmt::Display for LockFile {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let how = if self.exclusive { "exclusively, " } else { "" };
        // Another machine's text may hold anything, control characters for a terminal too.
        let (host, user) = (self.hostname.escape_debug(), self.username.escape_debug());
        write!(out, "process {} of {user} on {host} ({how}since {})", self.pid, self.time)
    }
}

/// Whether a process of this machine runs; where that cannot be known it does.
fn exists(pid: u32) -> bool {
    !std::path::Path::new("/proc/self").exists() || std::path::Path::new("/proc").join(pid.to_string()).exists()
}

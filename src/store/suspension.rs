//! The latch that ends writing after a disk error: after a failed write nothing on that disk is known any more.

use std::sync::Mutex;

use super::{Error, Result};

/// Closed once, by the first EIO on a write path; only a restart opens it again.
#[derive(Default)]
pub(super) struct Suspension(Mutex<Option<String>>);

impl Suspension {
    /// Ends writing and says so in the log, once.
    pub(super) fn suspend(&self, why: &str) -> Error {
        let reason = "a disk error; the operator must look at the disk and restart the server".to_owned();
        let mut latch = self.0.lock().expect("nobody panics while holding the latch");
        if latch.is_none() {
            tracing::error!(error = %why, "writes are suspended until a restart");
            *latch = Some(reason.clone());
        }
        Error::WritesSuspended { reason }
    }

    pub(super) fn reason(&self) -> Option<String> {
        self.0.lock().expect("nobody panics while holding the latch").clone()
    }

    /// `WritesSuspended` where the latch is closed.
    pub(super) fn check(&self) -> Result<()> {
        self.reason().map_or(Ok(()), |reason| Err(Error::WritesSuspended { reason }))
    }
}

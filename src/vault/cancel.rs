//! One flag that stops work which is under way: it is looked at for each chunk and each entry. What is stopped leaves a repository that
//! checks clean and makes no snapshot.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::Error;

/// Clones are the same flag.
#[derive(Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    pub fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// [`Error::Cancelled`] from the moment on at which it was raised.
    pub fn check(&self) -> Result<(), Error> {
        if self.is_raised() { Err(Error::Cancelled) } else { Ok(()) }
    }
}

//! One flag that stops work which is under way: it is looked at for each chunk and each entry. What is stopped leaves a repository that
//! checks clean and makes no snapshot.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::error::Error;

/// Clones are the same flag.
#[derive(Clone, Default)]
pub struct Cancel {
    raised: Arc<OnceLock<Instant>>,
    /// How long after that this one counts as raised.
    grace: Duration,
}

impl Cancel {
    pub fn raise(&self) {
        // Of several times, the first counts.
        let _: Result<(), Instant> = self.raised.set(Instant::now());
    }

    pub fn is_raised(&self) -> bool {
        self.raised.get().is_some_and(|at| self.grace.is_zero() || at.elapsed() >= self.grace)
    }

    /// [`Error::Cancelled`] from the moment on at which it was raised.
    pub fn check(&self) -> Result<(), Error> {
        if self.is_raised() { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// The same flag, for what may still be done so long after it was raised.
    pub fn after(&self, grace: Duration) -> Self {
        Self { raised: Arc::clone(&self.raised), grace: self.grace + grace }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_still_be_done_for_a_while_ends_after_it() {
        let cancel = Cancel::default();
        let [soon, late] = [Duration::from_millis(1), Duration::from_hours(1)].map(|grace| cancel.after(grace));
        assert!(![&cancel, &soon, &late].into_iter().any(Cancel::is_raised));
        cancel.raise();
        assert!(cancel.is_raised() && !late.is_raised());
        while !soon.is_raised() {
            std::thread::yield_now();
        }
        assert!(matches!(soon.check(), Err(Error::Cancelled)) && late.check().is_ok());
    }
}

//! Why work is stopped. The vault engine knows one flag, `Cancel`; what a stop means for the run is kept beside it.

use std::sync::{Arc, Mutex};

use crate::vault::cancel::Cancel;

/// Why a job was stopped before its end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Why {
    /// A backup waits: the cleanup goes on after it, under its id.
    Halted,
    /// The process ends: the run stays live, and the next process goes on.
    Ending,
    /// The server does not list it any more: nothing is said of it.
    Unwanted,
    /// A user stopped it: it ends as `Stopped`.
    Stopped,
}

/// One job's flag and its reason. Clones are the same.
#[derive(Clone, Default)]
pub struct Leash {
    cancel: Cancel,
    why: Arc<Mutex<Option<Why>>>,
}

impl Leash {
    /// What the engine is given.
    pub const fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Stops the job. Of several reasons the strongest counts: the last one of [`Why`].
    pub fn pull(&self, why: Why) {
        let mut kept = self.why.lock().expect(NO_PANIC);
        *kept = (*kept).max(Some(why));
        self.cancel.raise();
    }

    /// Why it was stopped; `None` where nobody did. The engine may still have raised the flag by itself, where its lock was lost.
    pub fn why(&self) -> Option<Why> {
        *self.why.lock().expect(NO_PANIC)
    }
}

const NO_PANIC: &str = "nothing panics while it holds the reason";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_stop_counts_for_more_than_the_end_of_the_process() {
        let leash = Leash::default();
        assert_eq!((leash.why(), leash.cancel().is_raised()), (None, false));
        for (pulled, kept) in [(Why::Halted, Why::Halted), (Why::Stopped, Why::Stopped), (Why::Ending, Why::Stopped)] {
            leash.clone().pull(pulled);
            assert_eq!((leash.why(), leash.cancel().is_raised()), (Some(kept), true));
        }
    }
}

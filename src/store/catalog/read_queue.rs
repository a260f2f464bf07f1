//! Reads that wait for a thread of the catalog.
//!
//! Each read wakes one thread at most, the one that rested last: its connection remembers most. One that finds work done before it
//! slept takes the next without anybody's help.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, Thread};

use tokio::sync::Semaphore;

use super::reader::ReadJob;

/// The queue as its threads see it.
pub(super) struct ReadQueue {
    state: Mutex<State>,
    /// Callers beyond these wait before their job is taken.
    places: Semaphore,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Box<dyn ReadJob>>,
    resting: Vec<Thread>,
    is_closed: bool,
}

/// The way in. The threads end with it, after the jobs that were taken.
pub(super) struct Reads(Arc<ReadQueue>);

impl Reads {
    pub(super) async fn push(&self, job: Box<dyn ReadJob>) {
        self.0.places.acquire().await.expect("the places are never closed").forget();
        let mut state = self.0.state();
        state.jobs.push_back(job);
        let woken = state.resting.pop();
        drop(state);
        if let Some(thread) = woken {
            thread.unpark();
        }
    }
}

impl Drop for Reads {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.is_closed = true;
        state.resting.drain(..).for_each(|thread| thread.unpark());
    }
}

impl ReadQueue {
    /// A queue of so many jobs, and the way in.
    pub(super) fn new(places: usize) -> (Reads, Arc<Self>) {
        let queue = Arc::new(Self { state: Mutex::default(), places: Semaphore::new(places) });
        (Reads(Arc::clone(&queue)), queue)
    }

    /// The next job; rests until there is one. `None` when the way in is gone and nothing is left.
    pub(super) fn take(&self) -> Option<Box<dyn ReadJob>> {
        let mut state = self.state();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                self.places.add_permits(1);
                return Some(job);
            }
            if state.is_closed {
                return None;
            }
            let this = thread::current();
            state.resting.push(this.clone());
            drop(state);
            thread::park();
            state = self.state();
            // Somebody else's wake leaves this thread among those that rest.
            state.resting.retain(|thread| thread.id() != this.id());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the queue")
    }
}

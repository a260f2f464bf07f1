//! The same work on each of a list, by several threads. The first error or panic ends it: no item is begun after that.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread::ScopedJoinHandle;

use super::error::Error;

/// Does `work` for every item, in any order. The first error of those that the threads met.
pub(super) fn for_each<T: Sync>(items: &[T], threads: usize, work: impl Fn(&T) -> Result<(), Error> + Sync) -> Result<(), Error> {
    let next = AtomicUsize::new(0);
    let take_some = || {
        let _end = OnPanic(|| next.store(items.len(), Ordering::Relaxed));
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = work(item) {
                next.store(items.len(), Ordering::Relaxed);
                return Err(error);
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.min(items.len())).map(|_| scope.spawn(take_some)).collect();
        join_all(workers).into_iter().collect()
    })
}

/// Waits for all of them. The first one's panic goes on in the caller: what the others wait for must have been seen to, by [`OnPanic`].
pub(super) fn join_all<T>(threads: Vec<ScopedJoinHandle<'_, T>>) -> Vec<T> {
    let results: Vec<_> = threads.into_iter().map(ScopedJoinHandle::join).collect();
    results.into_iter().map(|result| result.unwrap_or_else(|panic| resume_unwind(panic))).collect()
}

/// What is done where a thread panics while it holds this: so that others do not wait for it.
pub(super) struct OnPanic<F: FnMut()>(pub F);

impl<F: FnMut()> Drop for OnPanic<F> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            (self.0)();
        }
    }
}

/// Bytes that several threads may hold at once. Who needs more than all of them waits until nobody holds any.
pub(super) struct Allowance {
    most: u64,
    free: Mutex<u64>,
    returned: Condvar,
}

/// Some of them; given back when this is dropped.
pub(super) struct Taken<'a> {
    from: &'a Allowance,
    bytes: u64,
}

impl Allowance {
    pub(super) const fn new(most: u64) -> Self {
        Self { most, free: Mutex::new(most), returned: Condvar::new() }
    }

    pub(super) fn take(&self, bytes: u64) -> Taken<'_> {
        let bytes = bytes.min(self.most);
        let free = self.free.lock().expect("nothing panics while it counts");
        let mut free = self.returned.wait_while(free, |free| *free < bytes).expect("nothing panics while it counts");
        *free -= bytes;
        Taken { from: self, bytes }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        *self.from.free.lock().expect("nothing panics while it counts") += self.bytes;
        self.from.returned.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_item_is_done_once() {
        let items: Vec<u32> = (0..1_000).collect();
        let done = Mutex::new(HashSet::new());
        for_each(&items, 4, |item| {
            assert!(done.lock().unwrap().insert(*item));
            Ok(())
        })
        .unwrap();
        assert_eq!(done.lock().unwrap().len(), 1_000);
        for_each(&[] as &[u32], 4, |_| Err(Error::Cancelled)).unwrap();
    }

    #[test]
    fn nothing_is_begun_after_an_error() {
        let items: Vec<usize> = (0..1_000).collect();
        let begun = AtomicUsize::new(0);
        let result = for_each(&items, 2, |item| {
            begun.fetch_add(1, Ordering::Relaxed);
            if *item == 0 { Err(Error::Cancelled) } else { Ok(()) }
        });
        assert!(matches!(result, Err(Error::Cancelled)));
        // With one thread there is no race to excuse a second item.
        begun.store(0, Ordering::Relaxed);
        assert!(for_each(&items, 1, |_| Err(begun.fetch_add(1, Ordering::Relaxed)).map_err(|_| Error::Cancelled)).is_err());
        assert_eq!(begun.into_inner(), 1);
        let begun = AtomicUsize::new(0);
        let work = |_: &usize| {
            begun.fetch_add(1, Ordering::Relaxed);
            panic!("the work")
        };
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| for_each(&items, 2, work)));
        assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&"the work"));
        assert!(begun.into_inner() <= 2);
    }

    #[test]
    fn no_more_is_held_than_is_allowed_and_the_too_large_goes_alone() {
        let allowance = Allowance::new(100);
        let (held, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let sizes: Vec<usize> = (0..300).map(|number| [40, 70, 500][number % 3]).collect();
        for_each(&sizes, 4, |size| {
            let taken = allowance.take(*size as u64);
            most.fetch_max(held.fetch_add((*size).min(100), Ordering::SeqCst) + (*size).min(100), Ordering::SeqCst);
            std::thread::yield_now();
            held.fetch_sub((*size).min(100), Ordering::SeqCst);
            drop(taken);
            Ok(())
        })
        .unwrap();
        assert!(most.load(Ordering::SeqCst) <= 100, "{most:?}");
    }
}

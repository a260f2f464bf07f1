//! Which folders this process has made durable.
//!
//! A folder in the set has its entry synced in the folder above, and so on up to the root, whoever made it. Removing an empty
//! folder takes it out of the set in the same step, and a sync that ran beside a removal is not believed: so a folder that was
//! removed and made again is never taken for the one that was synced.

#[cfg(test)]
mod interleavings;

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard};

/// The most bytes of paths that are remembered. A full set is emptied: forgetting costs a sync, never a file.
const MOST_BYTES: usize = 4 << 20;

#[derive(Default)]
pub(super) struct DurableFolders(Mutex<Memory>);

#[derive(Default)]
struct Memory {
    paths: HashSet<String>,
    bytes: usize,
    /// Counts removals.
    removals: u64,
}

/// How many folders had been removed at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Moment(u64);

impl DurableFolders {
    /// To be asked before the first sync of what will be given to [`DurableFolders::add`].
    pub(super) fn now(&self) -> Moment {
        Moment(self.lock().removals)
    }

    /// Whether `folder` needs no sync. Only true of a folder that cannot be removed now, so ask after something lies in it.
    pub(super) fn holds(&self, folder: &str) -> bool {
        self.lock().paths.contains(folder)
    }

    /// Remembers folders that were made durable since `began`, unless a folder was removed meanwhile.
    pub(super) fn add(&self, folders: &[&str], began: Moment) {
        let mut memory = self.lock();
        if memory.removals != began.0 {
            return;
        }
        for folder in folders {
            if memory.bytes + folder.len() > MOST_BYTES {
                memory.paths.clear();
                memory.bytes = 0;
            }
            if memory.paths.insert((*folder).to_owned()) {
                memory.bytes += folder.len();
            }
        }
    }

    /// Forgets `folder`, then tries `remove` on it; nobody asks or adds between the two.
    pub(super) fn remove<E>(&self, folder: &str, remove: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        let mut memory = self.lock();
        if memory.paths.remove(folder) {
            memory.bytes -= folder.len();
        }
        remove()?;
        memory.removals += 1;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().expect("nothing panics while it holds the folders")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn removed() -> Result<(), ()> {
        Ok(())
    }

    #[test]
    fn a_removed_folder_is_forgotten() {
        let folders = DurableFolders::default();
        folders.add(&["A", "A/b"], folders.now());
        assert!(folders.holds("A/b"));
        folders.remove("A/b", removed).expect("removed");
        assert!(!folders.holds("A/b"));
        assert!(folders.holds("A"));
    }

    #[test]
    fn a_sync_beside_a_removal_is_not_believed() {
        let folders = DurableFolders::default();
        let began = folders.now();
        folders.remove("A/b", removed).expect("removed");
        folders.add(&["A/b"], began);
        assert!(!folders.holds("A/b"));
        folders.add(&["A/b"], folders.now());
        assert!(folders.holds("A/b"));
    }

    #[test]
    fn a_folder_that_was_not_empty_costs_a_sync_and_no_more() {
        let folders = DurableFolders::default();
        let began = folders.now();
        folders.add(&["A"], began);
        folders.remove("A", || Err("not empty")).expect_err("it stays");
        assert!(!folders.holds("A"));
        folders.add(&["A"], began);
        assert!(folders.holds("A"));
    }

    #[test]
    fn memory_is_bounded() {
        let folders = DurableFolders::default();
        let long = "x".repeat(2_000);
        for number in 0..3_000 {
            folders.add(&[format!("{long}{number}").as_str()], folders.now());
        }
        let memory = folders.lock();
        assert!(memory.bytes <= MOST_BYTES);
        assert_eq!(memory.bytes, memory.paths.iter().map(String::len).sum::<usize>());
        assert!(memory.paths.contains(format!("{long}2999").as_str()));
    }
}

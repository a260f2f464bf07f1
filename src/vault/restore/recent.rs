//! The few things that are kept open, so that a restore of any size needs few descriptors.

use std::collections::HashMap;
use std::sync::Arc;

/// Things by number, those used last.
pub(super) struct Recent<T> {
    held: HashMap<u32, (u64, Arc<T>)>,
    most: usize,
    uses: u64,
}

impl<T> Recent<T> {
    pub(super) fn new(most: usize) -> Self {
        Self { held: HashMap::new(), most, uses: 0 }
    }

    pub(super) fn get(&mut self, number: u32) -> Option<Arc<T>> {
        self.uses += 1;
        let (used, thing) = self.held.get_mut(&number)?;
        *used = self.uses;
        Some(Arc::clone(thing))
    }

    /// Lets go of what has not been used for longest when there is no room, and gives it back. It stays open until nobody else has it.
    pub(super) fn put(&mut self, number: u32, thing: Arc<T>) -> Option<(u32, Arc<T>)> {
        let mut gone = None;
        if self.held.len() >= self.most {
            let oldest = self.held.iter().min_by_key(|(_, (used, _))| *used).map(|(number, _)| *number);
            gone = oldest.and_then(|oldest| self.held.remove(&oldest).map(|(_, thing)| (oldest, thing)));
        }
        self.uses += 1;
        self.held.insert(number, (self.uses, thing));
        gone
    }

    pub(super) fn remove(&mut self, number: u32) {
        self.held.remove(&number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let mut recent = Recent::new(2);
        recent.put(1, Arc::new("one"));
        recent.put(2, Arc::new("two"));
        assert_eq!(recent.get(1).as_deref(), Some(&"one"));
        recent.put(3, Arc::new("three"));
        assert_eq!(recent.get(2), None);
        assert_eq!(recent.get(1).as_deref(), Some(&"one"));
        recent.remove(1);
        assert_eq!(recent.get(1), None);
        assert_eq!(recent.get(3).as_deref(), Some(&"three"));
    }
}

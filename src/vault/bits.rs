//! A set of numbers below a limit, one bit each. Many threads may add to it at once.

use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers of the index's entries, mostly.
pub(super) struct Bits(Vec<AtomicU64>);

impl Bits {
    /// The empty set of numbers below `limit`.
    pub(super) fn new(limit: usize) -> Self {
        Self((0..limit.div_ceil(64)).map(|_| AtomicU64::new(0)).collect())
    }

    /// Adds a number; whether it was not in it.
    pub(super) fn insert(&self, number: u32) -> bool {
        let bit = 1 << (number % 64);
        self.word(number).fetch_or(bit, Ordering::Relaxed) & bit == 0
    }

    pub(super) fn contains(&self, number: u32) -> bool {
        self.word(number).load(Ordering::Relaxed) & 1 << (number % 64) != 0
    }

    fn word(&self, number: u32) -> &AtomicU64 {
        &self.0[number as usize / 64]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_added_and_says_what_is_new() {
        let bits = Bits::new(130);
        for number in [0, 63, 64, 129] {
            assert!(!bits.contains(number), "{number}");
            assert!(bits.insert(number));
            assert!(!bits.insert(number));
        }
        assert_eq!((0..130).filter(|number| bits.contains(*number)).collect::<Vec<_>>(), [0, 63, 64, 129]);
    }
}

//! The search for the byte at which a chunk ends.
//!
//! The rolling hash of FastCDC ("gear") takes in one byte after the other, and each step waits for the one before it. But every step also
//! shifts the bytes before by one bit, so that after 64 of them a byte is forgotten: the hash may be begun anywhere, 64 bytes ahead. So
//! four stretches are searched side by side, each a chain of its own, in less than half of the time of one. What is found is what one
//! chain finds.

use std::borrow::Cow;
use std::ops::Range;

use fastcdc::v2020::get_gear_with_seed;

/// Stretches that are searched side by side; with more than four, the processor's registers do not suffice.
const LANES: usize = 4;
/// Bytes of a stretch: many beside what is read twice to begin it, few beside a chunk.
const LANE_BYTES: usize = 4 << 10;
/// What is searched at once.
const TURN_BYTES: usize = LANES * LANE_BYTES;
/// So many bytes decide the hash.
const REMEMBERED_BYTES: usize = 64;

/// Bytes of which the hash knows those from `begin` on.
pub(super) struct Search<'a> {
    bytes: &'a [u8],
    begin: usize,
    gear: Cow<'static, [u64]>,
}

impl<'a> Search<'a> {
    pub(super) fn new(bytes: &'a [u8], begin: usize) -> Self {
        Self { bytes, begin, gear: get_gear_with_seed(0).0 }
    }

    /// The first byte in the range with which the hash has none of the mask's bits.
    pub(super) fn first(&self, range: Range<usize>, mask: u64) -> Option<usize> {
        let mut at = range.start;
        while at + TURN_BYTES <= range.end && !self.is_in_turn(at, mask) {
            at += TURN_BYTES;
        }
        // It lies in this turn, or in the rest that is shorter than one.
        let mut hash = self.hash_before(at);
        (at..range.end).find(|at| {
            hash = step(self.gear(), hash, self.bytes[*at]);
            hash & mask == 0
        })
    }

    /// Whether there is such a byte in the turn from `at` on.
    fn is_in_turn(&self, at: usize, mask: u64) -> bool {
        let gear = self.gear();
        let lanes: [&[u8; LANE_BYTES]; LANES] = std::array::from_fn(|lane| {
            let bytes = &self.bytes[at + lane * LANE_BYTES..][..LANE_BYTES];
            bytes.try_into().expect("a lane has so many bytes")
        });
        let mut hashes: [u64; LANES] = std::array::from_fn(|lane| self.hash_before(at + lane * LANE_BYTES));
        (0..LANE_BYTES).any(|number| {
            let mut is_hit = false;
            for (hash, lane) in hashes.iter_mut().zip(lanes) {
                *hash = step(gear, *hash, lane[number]);
                is_hit |= *hash & mask == 0;
            }
            is_hit
        })
    }

    /// The hash with the byte before `at`.
    fn hash_before(&self, at: usize) -> u64 {
        let from = at.saturating_sub(REMEMBERED_BYTES).max(self.begin);
        self.bytes[from..at].iter().fold(0, |hash, byte| step(self.gear(), hash, *byte))
    }

    fn gear(&self) -> &[u64; 256] {
        (&*self.gear).try_into().expect("one number for each value of a byte")
    }
}

fn step(gear: &[u64; 256], hash: u64, byte: u8) -> u64 {
    (hash << 1).wrapping_add(gear[usize::from(byte)])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One chain, as the paper has it.
    fn one_by_one(bytes: &[u8], range: Range<usize>, mask: u64) -> Option<usize> {
        let (gear, mut hash) = (get_gear_with_seed(0).0, 0_u64);
        (0..range.end).find(|at| {
            hash = (hash << 1).wrapping_add(gear[usize::from(bytes[*at])]);
            *at >= range.start && hash & mask == 0
        })
    }

    #[test]
    fn what_is_found_in_four_stretches_is_what_one_chain_finds() {
        let mut seed = 1_u64;
        let bytes: Vec<u8> = (0..5 * TURN_BYTES)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (seed >> 56) as u8
            })
            .collect();
        let mut found = 0;
        // Masks of bits that decide late and early, and hits from one in 4,096 bytes to none at all.
        for mask in [0xfff << 40, 0x0fff_f000_0000_0000, 0x5555_5555, u64::MAX << 47] {
            for start in [0, 1, 63, 64, 65, LANE_BYTES, TURN_BYTES + 1, 3 * TURN_BYTES - 1] {
                for end in [start, start + 1, start + TURN_BYTES - 1, start + TURN_BYTES, 4 * TURN_BYTES + 7, bytes.len()] {
                    let expected = one_by_one(&bytes, start..end, mask);
                    assert_eq!(Search::new(&bytes, 0).first(start..end, mask), expected, "{mask:x} in {start}..{end}");
                    found += usize::from(expected.is_some());
                }
            }
        }
        assert!((20..180).contains(&found), "{found} of 192 are found");
    }

    #[test]
    fn a_hash_that_is_begun_anywhere_is_that_of_the_whole_chain() {
        let bytes: Vec<u8> = (0..1_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let search = Search::new(&bytes, 0);
        let mut chain = 0;
        for (at, byte) in bytes.iter().enumerate() {
            assert_eq!(search.hash_before(at), chain, "before byte {at}");
            chain = step(search.gear(), chain, *byte);
        }
    }

    #[test]
    fn the_hash_knows_nothing_of_what_lies_before_its_beginning() {
        let bytes: Vec<u8> = (0..4 * TURN_BYTES).map(|number| (number * number / 7) as u8).collect();
        for begin in [1, 10, 100, TURN_BYTES] {
            let of_all = Search::new(&bytes, begin).first(begin..bytes.len(), 0xfff << 20);
            let of_rest = Search::new(&bytes[begin..], 0).first(0..bytes.len() - begin, 0xfff << 20);
            assert_eq!(of_all, of_rest.map(|at| at + begin));
        }
    }
}

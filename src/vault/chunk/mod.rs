//! Cutting files into chunks where their contents say so (FastCDC: W. Xia et al., "The Design of Fast Content-Defined Chunking for Data
//! Deduplication Based Storage Systems", 2020), so that a change moves no boundary but its neighbours.

mod search;

use fastcdc::v2020::{Normalization, select_masks};
use search::Search;

/// No chunk is shorter, but the last of a file.
pub const MIN_BYTES: usize = 1 << 20;
/// Few chunks are shorter, and few much longer: from here on an end is found 64 times as soon. On average they have a little more.
const USUAL_BYTES: usize = 3 << 19;
/// No chunk is longer.
pub const MAX_BYTES: usize = 8 << 20;

/// What ends a chunk before [`USUAL_BYTES`], one byte of 2^23, and after, one of 2^17.
fn masks() -> (u64, u64) {
    select_masks(1 << 20, Normalization::Level3)
}

/// The length of the first chunk of `bytes`; 0 for none. It depends on nothing but the chunk's own bytes: one that ends before `bytes`
/// do, or has [`MAX_BYTES`], stays the same whatever follows.
pub fn first_chunk(bytes: &[u8]) -> usize {
    if bytes.len() <= MIN_BYTES {
        return bytes.len();
    }
    let end = bytes.len().min(MAX_BYTES);
    // The last one of an odd number of bytes ends no chunk: the crate `fastcdc` looks at two at a time, and old chunks are to be found again.
    let searched = end / 2 * 2;
    let usual = searched.min(USUAL_BYTES);
    let (mask_before, mask_after) = masks();
    let search = Search::new(bytes, MIN_BYTES);
    let found = search.first(MIN_BYTES..usual, mask_before).or_else(|| search.first(usual..searched, mask_after));
    found.unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use fastcdc::v2020::cut;

    use super::*;

    /// Bytes that look random and are the same each time.
    fn bytes(count: usize, mut seed: u64) -> Vec<u8> {
        let mut next = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        (0..count / 8).flat_map(|_| next().to_le_bytes()).collect()
    }

    fn lengths(mut bytes: &[u8]) -> Vec<usize> {
        let mut lengths = Vec::new();
        while !bytes.is_empty() {
            lengths.push(first_chunk(bytes));
            bytes = &bytes[lengths[lengths.len() - 1]..];
        }
        lengths
    }

    #[test]
    fn chunks_have_their_bounds_and_about_a_mebibyte_and_a_half() {
        let all = lengths(&bytes(128 << 20, 1));
        let (last, whole) = all.split_last().unwrap();
        assert!(whole.iter().all(|length| (MIN_BYTES..=MAX_BYTES).contains(length)) && *last <= MAX_BYTES);
        let average = (128 << 20) / all.len();
        assert!((1536 << 10..1792 << 10).contains(&average), "{average}");
        let usual = whole.iter().filter(|length| (USUAL_BYTES..2 << 20).contains(length)).count();
        assert!(usual * 10 > whole.len() * 8, "{usual} of {} are as usual", whole.len());
        assert_eq!(lengths(&[0; 20 << 20]), [MAX_BYTES, MAX_BYTES, 4 << 20]);
        assert_eq!((first_chunk(b""), first_chunk(b"x"), first_chunk(&[1; MIN_BYTES])), (0, 1, MIN_BYTES));
    }

    /// Whoever cuts otherwise stores every large file once more.
    #[test]
    fn chunks_are_cut_where_they_always_were() {
        assert_eq!(lengths(&bytes(12 << 20, 1))[..6], [1_615_397, 2_026_647, 1_652_896, 1_622_114, 1_672_617, 1_580_417]);
    }

    #[test]
    fn chunks_are_those_of_the_crate_to_the_byte() {
        let (before, after) = masks();
        let by_crate = |bytes: &[u8]| cut(bytes, MIN_BYTES, USUAL_BYTES, MAX_BYTES, before, after, before << 1, after << 1).1;
        let mut bytes = bytes(96 << 20, 4);
        // Of few values, so that cuts are rare: chunks come to their greatest length.
        bytes[32 << 20..64 << 20].iter_mut().for_each(|byte| *byte &= 1);
        let mut at = 0;
        while at < bytes.len() {
            let length = first_chunk(&bytes[at..]);
            assert_eq!(length, by_crate(&bytes[at..]), "at {at}");
            for known in [length - 1, length + 1, length + 2, MIN_BYTES + 1, MIN_BYTES + 2, USUAL_BYTES - 1, USUAL_BYTES, USUAL_BYTES + 1] {
                let known = &bytes[at..bytes.len().min(at + known)];
                assert_eq!(first_chunk(known), if known.len() <= MIN_BYTES { known.len() } else { by_crate(known) });
            }
            at += length;
        }
    }

    #[test]
    fn a_chunk_does_not_depend_on_what_follows() {
        let bytes = bytes(64 << 20, 2);
        let mut at = 0;
        while bytes.len() - at > MAX_BYTES {
            let length = first_chunk(&bytes[at..]);
            for known in [length + 2, length + MIN_BYTES / 2, length + MIN_BYTES, length + 2 * MIN_BYTES, MAX_BYTES] {
                assert_eq!(first_chunk(&bytes[at..at + known.max(length + 2)]), length, "{known} bytes known");
            }
            for known in [1, MIN_BYTES, length / 2, length - 1] {
                assert_eq!(first_chunk(&bytes[at..at + known]), known, "what has no end yet goes to the end");
            }
            at += length;
        }
    }

    #[test]
    fn an_insertion_changes_the_chunks_around_it_alone() {
        let before = bytes(64 << 20, 3);
        let after = [&before[..20 << 20], b"inserted", &before[20 << 20..]].concat();
        let (one, two) = (lengths(&before), lengths(&after));
        let same_begin = one.iter().zip(&two).take_while(|(a, b)| a == b).count();
        let same_end = one.iter().rev().zip(two.iter().rev()).take_while(|(a, b)| a == b).count();
        assert!(one.len() - same_begin - same_end <= 4, "{} of {} are new", one.len() - same_begin - same_end, one.len());
    }
}

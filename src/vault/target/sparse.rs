//! Which parts of some bytes are worth writing: what is zero is left to be a hole.

use std::ops::Range;

/// What file systems keep or leave out as a whole.
const BLOCK: u64 = 4096;

/// The parts that have to be written of bytes that belong at `offset`, in their order. The rest is zeros, cut at multiples of the block
/// of the file.
pub(super) fn written_parts(offset: u64, bytes: &[u8]) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() && is_zero(&bytes[at..block_end(offset, at, bytes.len())]) {
            at = block_end(offset, at, bytes.len());
        }
        let start = at;
        while at < bytes.len() {
            let end = block_end(offset, at, bytes.len());
            if is_zero(&bytes[at..end]) {
                break;
            }
            at = end;
        }
        (start < at).then_some(start..at)
    })
}

fn block_end(offset: u64, at: usize, len: usize) -> usize {
    let into = usize::try_from((offset % BLOCK + at as u64) % BLOCK).expect("less than a block");
    (at + BLOCK as usize - into).min(len)
}

/// Whether all bytes are zero.
pub fn is_zero(bytes: &[u8]) -> bool {
    const ZEROS: [u8; BLOCK as usize] = [0; BLOCK as usize];
    bytes.chunks(ZEROS.len()).all(|part| part == &ZEROS[..part.len()])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_whole_blocks_of_the_file_become_holes() {
        let mut bytes = vec![0; 5 * 4096];
        assert_eq!(written_parts(0, &bytes).count(), 0);
        bytes[4096 * 2 + 7] = 1;
        assert!(written_parts(0, &bytes).eq(std::iter::once(8192..12288)));
        assert!(written_parts(96, &bytes).eq(std::iter::once(8096..12192)));
        assert!(written_parts(0, &[0, 0, 1]).eq(std::iter::once(0..3)));
        assert_eq!(written_parts(0, &[]).count(), 0);
    }

    proptest! {
        #[test]
        fn what_is_left_out_is_zero_and_nothing_else_is_lost(offset in 0_u64..10_000, marks in proptest::collection::vec(0_usize..60_000, 0..6), len in 0_usize..60_000) {
            let mut bytes = vec![0; len];
            marks.into_iter().filter(|mark| *mark < len).for_each(|mark| bytes[mark] = 1);
            let mut seen = vec![0; len];
            for part in written_parts(offset, &bytes) {
                seen[part.clone()].copy_from_slice(&bytes[part]);
            }
            prop_assert_eq!(seen, bytes);
        }
    }
}

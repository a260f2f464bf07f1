//! The SHA instructions of x86-64 (Intel, "SHA Extensions", 2013), on two messages in turns.
//!
//! The third and last file of unsafe code, one call: whoever calls what is made for a processor's feature vouches that the processor has
//! it, and that is asked right before.

#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_extract_epi32, _mm_set_epi32, _mm_set_epi64x, _mm_sha256msg1_epu32, _mm_sha256msg2_epu32,
    _mm_sha256rnds2_epu32, _mm_shuffle_epi8, _mm_shuffle_epi32,
};

use super::{Block, State};

/// Whether the processor has the instructions.
pub(super) fn is_able() -> bool {
    is_x86_feature_detected!("sha") && is_x86_feature_detected!("sse4.1")
}

/// Takes as many blocks as both have into their states; how many that were. None where the processor has no such instructions.
pub(super) fn compress_both(states: &mut [State; 2], blocks: [&[Block]; 2]) -> usize {
    if !is_able() {
        return 0;
    }
    // SAFETY: the processor has what the function asks for, see above; it has no other conditions.
    unsafe { compress_in_turns(states, blocks) }
}

#[target_feature(enable = "sha,sse4.1")]
fn compress_in_turns(states: &mut [State; 2], blocks: [&[Block]; 2]) -> usize {
    let [mut one, mut other] = states.each_ref().map(|state| Registers::of(state));
    for (block_of_one, block_of_other) in blocks[0].iter().zip(blocks[1]) {
        let before = [one, other];
        let (mut words, mut words_of_other) = (words_of(block_of_one), words_of(block_of_other));
        for four in 0..4 {
            one.rounds(four, words[four]);
            other.rounds(four, words_of_other[four]);
        }
        for sixteen in 1..4 {
            for four in 0..4 {
                one.rounds(4 * sixteen + four, schedule(&mut words, four));
                other.rounds(4 * sixteen + four, schedule(&mut words_of_other, four));
            }
        }
        (one, other) = (one.plus(before[0]), other.plus(before[1]));
    }
    *states = [one, other].map(|registers| registers.state());
    blocks[0].len().min(blocks[1].len())
}

/// A state as the instructions want it: a, b, e, f and c, d, g, h, the first in the highest place.
#[derive(Clone, Copy)]
struct Registers {
    abef: __m128i,
    cdgh: __m128i,
}

impl Registers {
    #[target_feature(enable = "sha,sse4.1")]
    fn of(state: &State) -> Self {
        let [a, b, c, d, e, f, g, h] = state.map(u32::cast_signed);
        Self { abef: _mm_set_epi32(a, b, e, f), cdgh: _mm_set_epi32(c, d, g, h) }
    }

    #[target_feature(enable = "sha,sse4.1")]
    fn state(self) -> State {
        let Self { abef, cdgh } = self;
        [
            _mm_extract_epi32::<3>(abef),
            _mm_extract_epi32::<2>(abef),
            _mm_extract_epi32::<3>(cdgh),
            _mm_extract_epi32::<2>(cdgh),
            _mm_extract_epi32::<1>(abef),
            _mm_extract_epi32::<0>(abef),
            _mm_extract_epi32::<1>(cdgh),
            _mm_extract_epi32::<0>(cdgh),
        ]
        .map(i32::cast_unsigned)
    }

    /// Four rounds, the `number`th four of a block.
    #[inline]
    #[target_feature(enable = "sha,sse4.1")]
    fn rounds(&mut self, number: usize, words: __m128i) {
        let [k0, k1, k2, k3] = K[number].map(u32::cast_signed);
        let sums = _mm_add_epi32(words, _mm_set_epi32(k3, k2, k1, k0));
        self.cdgh = _mm_sha256rnds2_epu32(self.cdgh, self.abef, sums);
        self.abef = _mm_sha256rnds2_epu32(self.abef, self.cdgh, _mm_shuffle_epi32::<0b1110>(sums));
    }

    #[inline]
    #[target_feature(enable = "sha,sse4.1")]
    fn plus(self, other: Self) -> Self {
        Self { abef: _mm_add_epi32(self.abef, other.abef), cdgh: _mm_add_epi32(self.cdgh, other.cdgh) }
    }
}

/// The sixteen words of a block, four in each register.
#[inline]
#[target_feature(enable = "sha,sse4.1")]
fn words_of(block: &Block) -> [__m128i; 4] {
    let big_endian = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    let (eights, _) = block.as_chunks::<8>();
    let eight = |number: usize| i64::from_le_bytes(eights[number]);
    [0, 2, 4, 6].map(|number| _mm_shuffle_epi8(_mm_set_epi64x(eight(number + 1), eight(number)), big_endian))
}

/// The next four words, in the place of those sixteen words before.
#[inline]
#[target_feature(enable = "sha,sse4.1")]
fn schedule(words: &mut [__m128i; 4], four: usize) -> __m128i {
    let [first, second, third, last] = [0, 1, 2, 3].map(|number| words[(four + number) % 4]);
    let sums = _mm_add_epi32(_mm_sha256msg1_epu32(first, second), _mm_alignr_epi8::<4>(last, third));
    words[four] = _mm_sha256msg2_epu32(sums, last);
    words[four]
}

/// FIPS 180-4, 4.2.2.
const K: [[u32; 4]; 16] = [
    [0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5],
    [0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5],
    [0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3],
    [0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174],
    [0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc],
    [0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da],
    [0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7],
    [0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967],
    [0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13],
    [0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85],
    [0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3],
    [0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070],
    [0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5],
    [0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3],
    [0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208],
    [0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2],
];

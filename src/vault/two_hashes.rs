//! SHA-256 (FIPS 180-4) of two messages at once.
//!
//! The processor's own instructions for it wait for each other: each needs what the one before gives. A second message fills the waiting,
//! and both together take about three quarters of the time that they take one after the other. Whatever only one of them has, and all of
//! it where the processor has no such instructions, is left to `sha2`.

use sha2::block_api::compress256;

#[cfg(target_arch = "x86_64")]
mod x86;
#[cfg(target_arch = "x86_64")]
use x86::{compress_both, is_able};
/// Whether two messages at once are of use here.
#[cfg(not(target_arch = "x86_64"))]
const fn is_able() -> bool {
    false
}
/// Takes as many blocks as both have into their states; how many that were. Other processors' instructions are left to `sha2`.
#[cfg(not(target_arch = "x86_64"))]
const fn compress_both(_: &mut [State; 2], _: [&[Block]; 2]) -> usize {
    0
}

type State = [u32; 8];
type Block = [u8; BLOCK_BYTES];

const BLOCK_BYTES: usize = 64;
/// Where the length of a message, in bits, begins in its last block.
const LENGTH_AT: usize = 56;

/// FIPS 180-4, 5.3.3.
const BEGIN: State = [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The SHA-256 of each of them.
pub fn sha256_of_two(messages: [&[u8]; 2]) -> [[u8; 32]; 2] {
    let mut states = [BEGIN; 2];
    let blocks = messages.map(|message| message.as_chunks().0);
    let done = compress_both(&mut states, blocks) * BLOCK_BYTES;
    [finish(states[0], messages[0], done), finish(states[1], messages[1], done)]
}

/// Whether the processor hashes two messages in less time than one after the other.
pub fn is_faster() -> bool {
    is_able()
}

/// A SHA-256 of which a part is done. Each call gets the same message.
pub struct Begun {
    state: State,
    /// Bytes of the message, whole blocks.
    done: usize,
}

impl Begun {
    pub const fn new() -> Self {
        Self { state: BEGIN, done: 0 }
    }

    /// The SHA-256 of another message, and beside it as much of this one as goes in the same time.
    pub fn advance_beside(&mut self, message: &[u8], other: &[u8]) -> [u8; 32] {
        let mut states = [BEGIN, self.state];
        let done = compress_both(&mut states, [other.as_chunks().0, message[self.done..].as_chunks().0]) * BLOCK_BYTES;
        self.state = states[1];
        self.done += done;
        finish(states[0], other, done)
    }

    /// Whether no whole block is left.
    pub const fn is_nearly_done(&self, message: &[u8]) -> bool {
        message.len() - self.done < BLOCK_BYTES
    }

    /// The SHA-256, with whatever is left.
    pub fn finish(self, message: &[u8]) -> [u8; 32] {
        finish(self.state, message, self.done)
    }
}

/// What `state` becomes with what comes after the first `done` bytes of a message, whole blocks.
fn finish(mut state: State, message: &[u8], done: usize) -> [u8; 32] {
    let (blocks, rest) = message[done..].as_chunks();
    compress256(&mut state, blocks);
    // FIPS 180-4, 5.1.1: a one, zeros, and the length; in a block more where the rest leaves no room.
    let mut ending = [0; 2 * BLOCK_BYTES];
    ending[..rest.len()].copy_from_slice(rest);
    ending[rest.len()] = 0x80;
    let last = if rest.len() < LENGTH_AT { 0 } else { BLOCK_BYTES };
    ending[last + LENGTH_AT..last + BLOCK_BYTES].copy_from_slice(&(8 * message.len() as u64).to_be_bytes());
    compress256(&mut state, ending[..last + BLOCK_BYTES].as_chunks().0);
    let mut digest = [0; 32];
    for (bytes, word) in digest.as_chunks_mut().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    digest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::{Digest as _, Sha256};

    use super::*;

    fn alone(message: &[u8]) -> [u8; 32] {
        Sha256::digest(message).into()
    }

    #[test]
    fn known_messages_have_the_digests_of_the_standard() {
        // NIST, "SHA256" of "Cryptographic Standards and Guidelines: Examples with Intermediate Values".
        let digests = sha256_of_two([b"abc", b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"]);
        assert_eq!(
            digests.map(|digest| data_encoding::HEXLOWER.encode(&digest)),
            [
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
            ]
        );
    }

    #[test]
    fn every_ending_is_right_whatever_the_other_one_is() {
        let bytes: Vec<u8> = (0..300_u32).map(|number| (number * 7_919 % 251) as u8).collect();
        for length in 0..=bytes.len() {
            for other in [0, 55, 64, 200] {
                let messages = [&bytes[..length], &bytes[bytes.len() - other..]];
                assert_eq!(sha256_of_two(messages), messages.map(alone), "{length} and {other}");
            }
        }
    }

    #[test]
    fn both_are_hashed_at_once_as_far_as_both_go_where_the_processor_can() {
        let blocks = [[1; BLOCK_BYTES], [2; BLOCK_BYTES], [3; BLOCK_BYTES]];
        let mut states = [BEGIN, [7; 8]];
        let done = compress_both(&mut states, [&blocks, &blocks[1..]]);
        if done == 0 {
            eprintln!("NOT TESTED: this processor has no instructions for SHA-256");
            return;
        }
        let mut expected = [BEGIN, [7; 8]];
        compress256(&mut expected[0], &blocks[..2]);
        compress256(&mut expected[1], &blocks[1..]);
        assert_eq!((done, states), (2, expected));
    }

    #[test]
    fn one_that_goes_on_beside_others_has_the_digest_that_it_has_alone() {
        let bytes: Vec<u8> = (0..5_000_u32).map(|number| (number * 7_919 % 251) as u8).collect();
        for length in [0, 1, 63, 64, 65, 700, 4_999] {
            let (message, mut begun) = (&bytes[..length], Begun::new());
            for other in [0, 63, 64, 500, 1_000, 5_000] {
                let other = &bytes[bytes.len() - other..];
                assert_eq!(begun.advance_beside(message, other), alone(other));
            }
            assert_eq!(begun.is_nearly_done(message), is_faster() || length < BLOCK_BYTES);
            assert_eq!(begun.finish(message), alone(message), "{length}");
        }
    }

    proptest! {
        #[test]
        fn any_two_messages_have_the_digests_that_they_have_alone(
            one in prop::collection::vec(any::<u8>(), 0..5_000),
            other in prop::collection::vec(any::<u8>(), 0..5_000),
        ) {
            let messages = [&one[..], &other[..]];
            prop_assert_eq!(sha256_of_two(messages), messages.map(alone));
        }
    }
}

//! From the plain bytes of a blob to what lies in a pack.

use super::compression::{Compression, DEFAULT_LEVEL, compress_into};
use super::crypto::{NONCE_BYTES, Sealer};
use super::pack::BlobKind;

/// A chunk that does not get 3 % shorter is stored plain: whoever reads it is spared the work.
const WORTH: (usize, usize) = (97, 100);
/// So many parts of a long chunk, from its beginning to its end, tell whether it is worth compressing: files have compressible and other
/// parts, so one place would not do.
const PROBES: usize = 16;
const PROBE_BYTES: usize = 4 << 10;
/// From this length on it is asked.
const LONG_BYTES: usize = 2 * PROBES * PROBE_BYTES;

/// Seals a blob into `out`, which is emptied before. How long it is when it is opened, where it was compressed.
pub fn seal_blob(kind: BlobKind, plain: &[u8], compression: Option<Compression>, sealer: &Sealer, out: &mut Vec<u8>) -> Option<u32> {
    out.clear();
    out.resize(NONCE_BYTES, 0);
    let level = match kind {
        // Whatever is asked for: restic packs a plain one again.
        BlobKind::Tree => compression.map(|_| DEFAULT_LEVEL),
        BlobKind::Data => compression.and_then(Compression::level).filter(|level| looks_worth_it(plain, *level, out)),
    };
    let is_compressed = level.is_some_and(|level| {
        compress_into(plain, level, out);
        kind == BlobKind::Tree || is_worth_it(out.len() - NONCE_BYTES, plain.len())
    });
    if !is_compressed {
        out.truncate(NONCE_BYTES);
        out.extend_from_slice(plain);
    }
    sealer.seal_in_place(out, 0);
    is_compressed.then(|| u32::try_from(plain.len()).expect("a blob is shorter than 4 GiB"))
}

/// Whether any part of it gets shorter; `scratch` is as it was afterwards.
fn looks_worth_it(plain: &[u8], level: i32, scratch: &mut Vec<u8>) -> bool {
    if plain.len() < LONG_BYTES {
        return !plain.is_empty();
    }
    let start = scratch.len();
    let step = (plain.len() - PROBE_BYTES) / (PROBES - 1);
    (0..PROBES).any(|number| {
        compress_into(&plain[number * step..][..PROBE_BYTES], level, scratch);
        let compressed = scratch.len() - start;
        scratch.truncate(start);
        is_worth_it(compressed, PROBE_BYTES)
    })
}

const fn is_worth_it(compressed: usize, plain: usize) -> bool {
    compressed * WORTH.1 <= plain * WORTH.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::compression::decompress;
    use crate::vault::crypto::{KeyBytes, OVERHEAD_BYTES, random};

    fn sealed(kind: BlobKind, plain: &[u8], compression: Option<Compression>) -> (usize, Option<u32>) {
        let sealer = Sealer::new(&KeyBytes::random());
        let mut out = b"of before".to_vec();
        let raw_length = seal_blob(kind, plain, compression, &sealer, &mut out);
        let bytes = out.len();
        let opened = sealer.open_in_place(&mut out).unwrap();
        match raw_length {
            Some(length) => {
                let mut all = Vec::new();
                decompress(opened, length as usize, &mut all).unwrap();
                assert_eq!(all, plain);
            }
            None => assert_eq!(opened, plain),
        }
        (bytes, raw_length)
    }

    #[test]
    fn what_gets_shorter_is_compressed_and_the_rest_is_plain() {
        let mut noise = vec![0; 1 << 20];
        random(&mut noise);
        let text = b"a backup is worth what its restore is worth. ".repeat(20_000);
        assert!(matches!(sealed(BlobKind::Data, &text, Some(Compression::Auto)), (..10_000, Some(900_000))));
        assert_eq!(sealed(BlobKind::Data, &noise, Some(Compression::Auto)), (noise.len() + OVERHEAD_BYTES, None));
        assert_eq!(sealed(BlobKind::Data, &noise[..1_000], Some(Compression::Auto)), (1_000 + OVERHEAD_BYTES, None));
        assert_eq!(sealed(BlobKind::Data, &text, Some(Compression::Off)), (text.len() + OVERHEAD_BYTES, None));
        assert_eq!(sealed(BlobKind::Data, &text, None), (text.len() + OVERHEAD_BYTES, None));
        assert_eq!(sealed(BlobKind::Data, b"", Some(Compression::Auto)), (OVERHEAD_BYTES, None));
    }

    #[test]
    fn a_chunk_of_which_a_twelfth_is_text_is_compressed_wherever_that_lies() {
        const PART: usize = 128 << 10;
        for part in 0..12 {
            let mut chunk = vec![0; 12 * PART];
            random(&mut chunk);
            chunk[part * PART..][..PART].fill(b'x');
            let (bytes, raw_length) = sealed(BlobKind::Data, &chunk, Some(Compression::Auto));
            assert!(raw_length.is_some() && bytes < chunk.len(), "{part}");
        }
    }

    #[test]
    fn a_chunk_that_does_not_get_3_percent_shorter_is_plain() {
        let percent_of_text = |length: usize, percent: usize| {
            let mut chunk = vec![0; length];
            random(&mut chunk);
            chunk[length / 2..][..length * percent / 100].fill(b'x');
            sealed(BlobKind::Data, &chunk, Some(Compression::Auto)).1.is_some()
        };
        // A short one is not asked before; of a long one, text in the middle is seen.
        for length in [100_000, 4 << 20] {
            assert_eq!([2, 4, 10].map(|percent| percent_of_text(length, percent)), [false, true, true], "{length}");
        }
    }

    #[test]
    fn noise_is_found_out_before_it_is_compressed() {
        let mut noise = vec![0; 1 << 20];
        random(&mut noise);
        assert!(!looks_worth_it(&noise, DEFAULT_LEVEL, &mut Vec::new()));
        noise[..PROBE_BYTES].fill(b'x');
        assert!(looks_worth_it(&noise, DEFAULT_LEVEL, &mut Vec::new()));
    }

    #[test]
    fn trees_are_compressed_whatever_it_brings() {
        for compression in [Compression::Auto, Compression::Off, Compression::Max] {
            assert_eq!(sealed(BlobKind::Tree, b"{\"nodes\":[]}\n", Some(compression)).1, Some(13));
        }
        assert_eq!(sealed(BlobKind::Tree, b"{\"nodes\":[]}\n", None).1, None, "format version 1 has no compression");
    }
}

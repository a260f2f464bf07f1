//! Compression as format version 2 has it: zstd frames (RFC 8878) that carry no size of their own where somebody else writes them. The
//! compressors are kept, because making one costs more than compressing a small blob.

use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::zstd_sys::ZSTD_EndDirective;
use zstd::zstd_safe::{CParameter, InBuffer, OutBuffer, ResetDirective, compress_bound};

/// The level for what is no file's content, and for that where nobody asks for another: zstd's own default.
pub const DEFAULT_LEVEL: i32 = 3;
/// What is other than the level has it. It takes matches of four bytes in short inputs, which are seldom worth their place, and of five in
/// long ones; and it has half of this table, in which the beginning of a chunk is forgotten before its end.
const DEFAULT_PARAMETERS: [CParameter; 2] = [CParameter::MinMatch(5), CParameter::HashLog(18)];

/// How hard file contents are compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Compression {
    /// zstd level 3.
    #[default]
    Auto,
    /// Not at all.
    Off,
    /// zstd level 19: many times the work for a few per cent.
    Max,
}

impl Compression {
    /// `None` where nothing is to be compressed.
    pub const fn level(self) -> Option<i32> {
        match self {
            Self::Auto => Some(DEFAULT_LEVEL),
            Self::Off => None,
            Self::Max => Some(19),
        }
    }
}

thread_local! {
    static COMPRESSOR: RefCell<Option<(i32, Compressor<'static>)>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Appends the compressed bytes to `out`.
pub fn compress_into(plain: &[u8], level: i32, out: &mut Vec<u8>) {
    COMPRESSOR.with_borrow_mut(|kept| {
        if kept.as_ref().is_none_or(|(of, _)| *of != level) {
            *kept = Some((level, compressor(level)));
        }
        let (_, compressor) = kept.as_mut().expect("made above");
        let start = out.len();
        out.reserve(compress_bound(plain.len()));
        // Only what a frame fills is written: the room is not cleared before.
        let mut room = OutBuffer::around_pos(out, start);
        let mut input = InBuffer::around(plain);
        let context = compressor.context_mut();
        context.reset(ResetDirective::SessionOnly).expect("a session may always be reset");
        context.set_pledged_src_size(Some(plain.len() as u64)).expect("the session has just begun");
        let left = context.compress_stream2(&mut room, &mut input, ZSTD_EndDirective::ZSTD_e_end);
        assert_eq!(left, Ok(0), "there is room for the worst case");
    });
}

fn compressor(level: i32) -> Compressor<'static> {
    let mut compressor = Compressor::new(level).expect("the level exists");
    for parameter in DEFAULT_PARAMETERS.into_iter().filter(|_| level == DEFAULT_LEVEL) {
        compressor.set_parameter(parameter).expect("it lies in its bounds");
    }
    compressor
}

/// Compressed bytes of what is no file's content.
pub fn compress(plain: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    compress_into(plain, DEFAULT_LEVEL, &mut out);
    out
}

/// Puts what one frame holds, at most `most` bytes, in the place of what `out` holds. An error where it is no frame, or holds more.
pub fn decompress(frame: &[u8], most: usize, out: &mut Vec<u8>) -> Result<(), &'static str> {
    const BAD: &str = "its compressed bytes cannot be read";
    out.clear();
    out.reserve(most);
    DECOMPRESSOR.with_borrow_mut(|kept| {
        if kept.is_none() {
            *kept = Some(Decompressor::new().expect("a decompressor needs memory only"));
        }
        let decompressor = kept.as_mut().expect("made above");
        let length = decompressor.decompress_to_buffer(frame, out).map_err(|_| BAD)?;
        if length > most { Err(BAD) } else { Ok(()) }
    })
}

/// The same where nobody said how much it holds, up to `most` bytes.
pub fn decompress_unsized(frame: &[u8], most: u64) -> Result<Vec<u8>, &'static str> {
    use std::io::Read as _;
    const BAD: &str = "its compressed bytes cannot be read";
    let mut out = Vec::new();
    let decoder = zstd::Decoder::with_buffer(frame).map_err(|_| BAD)?;
    let read = decoder.take(most + 1).read_to_end(&mut out).map_err(|_| BAD)?;
    if read as u64 > most { Err("it is larger than any such file may be") } else { Ok(out) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(frame: &[u8], most: usize) -> Result<Vec<u8>, &'static str> {
        let mut out = b"of before".repeat(1_000);
        decompress(frame, most, &mut out).map(|()| out)
    }

    #[test]
    fn bytes_come_back_and_never_more_than_was_allowed() {
        let again = b"again and again and again and again".repeat(100);
        let frame = compress(&again);
        assert!(frame.len() < again.len() / 10);
        assert_eq!(plain(&frame, again.len()), Ok(again.clone()));
        assert_eq!(decompress_unsized(&frame, again.len() as u64), Ok(again.clone()));
        assert!(plain(&frame, again.len() - 1).is_err());
        assert!(decompress_unsized(&frame, again.len() as u64 - 1).is_err());
        assert!(plain(&frame[..frame.len() - 1], again.len()).is_err());
        assert!(decompress_unsized(b"no frame", 100).is_err());
    }

    #[test]
    fn levels_differ_and_are_appended() {
        let numbers: Vec<u8> = (0..200_000_u64).flat_map(|n| (n * n % 1_009).to_le_bytes()).collect();
        let sizes = [Compression::Auto, Compression::Max].map(|compression| {
            let mut out = vec![1, 2, 3];
            compress_into(&numbers, compression.level().unwrap(), &mut out);
            assert_eq!((&out[..3], plain(&out[3..], numbers.len())), (&[1, 2, 3][..], Ok(numbers.clone())));
            out.len()
        });
        assert!(sizes[1] < sizes[0], "{sizes:?}");
        assert_eq!(Compression::Off.level(), None);
    }

    #[test]
    fn nobody_who_has_the_default_level_makes_text_shorter() {
        let words: Vec<String> = (0..3_000_u64).map(|word| (word * word * 7_919 % 1_000_003).to_string()).collect();
        let mut seed = 1_u64;
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(seed >> 33).unwrap()
        };
        // Few words are frequent, and the others follow each other in phrases.
        let phrases: Vec<String> =
            (0..4_000).map(|_| [(); 4].map(|()| words[next() % (1 + next() % words.len())].as_str()).join(" ")).collect();
        for length in [6 << 10, 48 << 10, 1536 << 10] {
            let mut text = String::new();
            while text.len() < length {
                text += &phrases[next() % phrases.len()];
                text += ". ";
            }
            let (ours, plain_level) = (compress(text.as_bytes()), zstd::bulk::compress(text.as_bytes(), DEFAULT_LEVEL).unwrap());
            assert!(ours.len() < plain_level.len(), "{length} bytes: {}, and {} by the level alone", ours.len(), plain_level.len());
        }
    }
}

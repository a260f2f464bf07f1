//! The header of a pack: 37 bytes for each blob, 41 where it is compressed; sealed, and followed by its length.

use super::{BlobKind, PackedBlob};
use crate::vault::crypto::{NONCE_BYTES, OVERHEAD_BYTES, Sealer};
use crate::vault::id::Id;

const PLAIN_ENTRY_BYTES: usize = 1 + 4 + 32;
const COMPRESSED_ENTRY_BYTES: usize = PLAIN_ENTRY_BYTES + 4;
/// restic refuses headers from here on.
const MAX_HEADER_BYTES: usize = 16 << 20;
/// The bytes after the header.
const LENGTH_BYTES: usize = 4;

/// Header and length of these blobs, as they end a pack.
pub fn header_bytes(blobs: &[PackedBlob], sealer: &Sealer) -> Vec<u8> {
    let mut header = Vec::with_capacity(NONCE_BYTES + blobs.len() * COMPRESSED_ENTRY_BYTES + OVERHEAD_BYTES);
    header.resize(NONCE_BYTES, 0);
    for blob in blobs {
        let kind = match blob.kind {
            BlobKind::Data => 0,
            BlobKind::Tree => 1,
        };
        header.push(kind | if blob.raw_length.is_some() { 2 } else { 0 });
        header.extend_from_slice(&blob.length.to_le_bytes());
        if let Some(raw) = blob.raw_length {
            header.extend_from_slice(&raw.to_le_bytes());
        }
        header.extend_from_slice(&blob.id.0);
    }
    sealer.seal_in_place(&mut header, 0);
    let length = u32::try_from(header.len()).expect("a pack has no more than MAX_BLOBS blobs");
    header.extend_from_slice(&length.to_le_bytes());
    header
}

/// How many bytes at a pack's end are header and length, from its last four bytes. The reason where they cannot be.
pub fn header_length(last: [u8; LENGTH_BYTES], pack_bytes: u64) -> Result<usize, &'static str> {
    let length = u32::from_le_bytes(last) as usize;
    match length {
        0..=OVERHEAD_BYTES => Err("its header is too short"),
        MAX_HEADER_BYTES.. => Err("its header is too long"),
        length if (length + LENGTH_BYTES) as u64 > pack_bytes => Err("its header is longer than the pack"),
        length => Ok(length + LENGTH_BYTES),
    }
}

/// The blobs of a pack, in their order, from its end: at least header and length, and however much before them. The reason where
/// it is no such header, or the blobs are not exactly what lies before it.
pub fn parse_header(end: &[u8], pack_bytes: u64, sealer: &Sealer) -> Result<Vec<PackedBlob>, &'static str> {
    let last = end.last_chunk().ok_or("it is too short")?;
    let length = header_length(*last, pack_bytes)?;
    let header = end.len().checked_sub(length).map(|start| &end[start..end.len() - LENGTH_BYTES]).ok_or("its header is cut off")?;
    let mut header = header.to_vec();
    let mut rest: &[u8] = sealer.open_in_place(&mut header).map_err(|_| "its header has a wrong MAC")?;
    let mut blobs = Vec::new();
    let mut offset = 0_u32;
    while let Some((blob, after)) = parse_entry(rest, offset)? {
        offset = offset.checked_add(blob.length).ok_or("its blobs are longer than a pack")?;
        blobs.push(blob);
        rest = after;
    }
    if u64::from(offset) + length as u64 != pack_bytes {
        return Err("its blobs do not fill it");
    }
    Ok(blobs)
}

/// The first entry and what follows it.
fn parse_entry(bytes: &[u8], offset: u32) -> Result<Option<(PackedBlob, &[u8])>, &'static str> {
    const CUT: &str = "its header is cut off";
    let Some((kind, rest)) = bytes.split_first() else { return Ok(None) };
    let (length, rest) = rest.split_first_chunk().ok_or(CUT)?;
    let (raw_length, rest) = match kind {
        0 | 1 => (None, rest),
        2 | 3 => rest.split_first_chunk().map(|(raw, rest)| (Some(u32::from_le_bytes(*raw)), rest)).ok_or(CUT)?,
        _ => return Err("it holds a blob of a kind that this version does not know"),
    };
    let (id, rest) = rest.split_first_chunk().ok_or(CUT)?;
    let kind = if kind & 1 == 0 { BlobKind::Data } else { BlobKind::Tree };
    if raw_length == Some(0) {
        return Err("it holds a compressed blob of no bytes");
    }
    Ok(Some((PackedBlob { kind, id: Id(*id), offset, length: u32::from_le_bytes(*length), raw_length }, rest)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::vault::crypto::KeyBytes;

    fn blobs() -> impl Strategy<Value = Vec<PackedBlob>> {
        let blob = (any::<bool>(), any::<[u8; 32]>(), 0_u32..9_000_000, proptest::option::of(1_u32..9_000_000));
        proptest::collection::vec(blob, 0..9).prop_map(|blobs| {
            let mut offset = 0;
            let place = |(is_tree, id, length, raw_length)| {
                let kind = if is_tree { BlobKind::Tree } else { BlobKind::Data };
                offset += length;
                PackedBlob { kind, id: Id(id), offset: offset - length, length, raw_length }
            };
            blobs.into_iter().map(place).collect()
        })
    }

    fn bytes_before(blobs: &[PackedBlob]) -> u64 {
        blobs.iter().map(|blob| u64::from(blob.length)).sum()
    }

    proptest! {
        #[test]
        fn a_header_comes_back(blobs in blobs()) {
            let sealer = Sealer::new(&KeyBytes::random());
            let end = header_bytes(&blobs, &sealer);
            let pack_bytes = bytes_before(&blobs) + end.len() as u64;
            let found = parse_header(&end, pack_bytes, &sealer);
            if blobs.is_empty() {
                prop_assert_eq!(found, Err("its header is too short"));
            } else {
                prop_assert_eq!(found, Ok(blobs));
                prop_assert!(parse_header(&end, pack_bytes + 1, &sealer).is_err());
                prop_assert!(parse_header(&end[1..], pack_bytes, &sealer).is_err());
            }
        }
    }

    #[test]
    fn an_entry_is_as_the_design_says() {
        let sealer = Sealer::new(&KeyBytes::random());
        let id = Id([9; 32]);
        for (kind, raw_length, begins) in [
            (BlobKind::Data, None, &[0, 33, 1, 0, 0, 9][..]),
            (BlobKind::Tree, None, &[1, 33, 1, 0, 0, 9]),
            (BlobKind::Data, Some(0x0102), &[2, 33, 1, 0, 0, 2, 1, 0, 0, 9]),
            (BlobKind::Tree, Some(0x0102), &[3, 33, 1, 0, 0, 2, 1, 0, 0, 9]),
        ] {
            let mut end = header_bytes(&[PackedBlob { kind, id, offset: 0, length: 289, raw_length }], &sealer);
            assert_eq!(end[end.len() - 4..], (end.len() as u32 - 4).to_le_bytes());
            let length = end.len() - 4;
            assert!(sealer.open_in_place(&mut end[..length]).unwrap().starts_with(begins));
        }
    }

    #[test]
    fn a_sealed_header_that_says_nonsense_is_refused() {
        let sealer = Sealer::new(&KeyBytes::random());
        let id = [7; 32];
        let entry = |kind: u8, numbers: &[u32]| {
            let numbers: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            [&[kind][..], &numbers, &id].concat()
        };
        for (header, pack_bytes) in [
            (entry(4, &[1]), 1),
            (entry(255, &[1]), 1),
            (entry(2, &[1, 0]), 1),
            (entry(0, &[1])[..20].to_vec(), 1),
            (entry(2, &[1, 1])[..8].to_vec(), 1),
            (entry(0, &[2]), 1),
            ([entry(0, &[u32::MAX]), entry(0, &[2])].concat(), 1),
        ] {
            let mut end = sealer.seal(&header);
            end.extend_from_slice(&u32::try_from(end.len()).unwrap().to_le_bytes());
            assert!(parse_header(&end, pack_bytes + end.len() as u64, &sealer).is_err(), "{header:?}");
        }
        for end in [&[][..], &[1, 0], &[0, 0, 0, 0], &[255; 40], &[40, 0, 0, 0]] {
            assert!(parse_header(end, end.len() as u64, &sealer).is_err(), "{end:?}");
        }
    }
}

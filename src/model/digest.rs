//! What identifies bytes: SHA-256 of a whole file, XXH3-64 of each block of it.

use std::fmt;
use std::str::FromStr;

/// A SHA-256 (FIPS 180-4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha256Digest(pub [u8; 32]);

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a SHA-256 is 64 hexadecimal digits")]
pub struct DigestError;

impl Sha256Digest {
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// 64 lower-case hexadecimal digits.
    pub fn hex(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.0)
    }

    /// The `Repr-Digest` spelling of RFC 9530: `sha-256=:BASE64:`.
    pub fn structured(&self) -> String {
        format!("sha-256=:{}:", data_encoding::BASE64.encode(&self.0))
    }

    pub fn from_slice(bytes: &[u8]) -> Result<Self, DigestError> {
        bytes.try_into().map(Self).map_err(|_| DigestError)
    }
}

impl FromStr for Sha256Digest {
    type Err = DigestError;

    /// 64 hexadecimal digits of either case.
    fn from_str(text: &str) -> Result<Self, DigestError> {
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| DigestError)?;
        Self::from_slice(&bytes)
    }
}

impl fmt::Debug for Sha256Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.hex())
    }
}

/// Bytes that one block sum covers: 1 MiB.
pub const BLOCK_BYTES: u64 = 1 << 20;

/// One XXH3-64 (seed 0) for each MiB of a file, the last block may be shorter; empty for an empty file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BlockSums(Vec<u64>);

impl BlockSums {
    /// The number in the catalog that says how `to_bytes` is to be read.
    pub const FORMAT: i64 = 1;

    pub const fn new(sums: Vec<u64>) -> Self {
        Self(sums)
    }

    pub fn sum(block: &[u8]) -> u64 {
        xxhash_rust::xxh3::xxh3_64(block)
    }

    pub fn block(&self, index: usize) -> Option<u64> {
        self.0.get(index).copied()
    }

    /// Eight little-endian bytes a block.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|sum| sum.to_le_bytes()).collect()
    }

    /// The inverse of `to_bytes`; `None` when the number of blocks does not fit `size_bytes`.
    pub fn from_bytes(bytes: &[u8], size_bytes: u64) -> Option<Self> {
        let (sums, rest) = bytes.as_chunks::<8>();
        let fits = rest.is_empty() && sums.len() as u64 == size_bytes.div_ceil(BLOCK_BYTES);
        fits.then(|| Self(sums.iter().map(|sum| u64::from_le_bytes(*sum)).collect()))
    }
}

/// The sum of a block that comes in parts.
#[derive(Default)]
pub struct BlockSum(xxhash_rust::xxh3::Xxh3Default);

impl BlockSum {
    pub fn update(&mut self, part: &[u8]) {
        self.0.update(part);
    }

    pub fn finish(&self) -> u64 {
        self.0.digest()
    }
}

/// Computes SHA-256 and block sums of a stream in one pass.
#[derive(Default)]
pub struct Hasher {
    sha256: sha2::Sha256,
    block: xxhash_rust::xxh3::Xxh3Default,
    block_bytes: u64,
    sums: Vec<u64>,
    size_bytes: u64,
}

impl Hasher {
    pub fn update(&mut self, bytes: &[u8]) {
        use sha2::Digest as _;
        self.sha256.update(bytes);
        self.size_bytes += bytes.len() as u64;
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = usize::try_from(BLOCK_BYTES - self.block_bytes).unwrap_or(usize::MAX);
            let (part, later) = rest.split_at(room.min(rest.len()));
            self.block.update(part);
            self.block_bytes += part.len() as u64;
            if self.block_bytes == BLOCK_BYTES {
                self.close_block();
            }
            rest = later;
        }
    }

    pub const fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    pub fn finish(mut self) -> (Sha256Digest, BlockSums) {
        use sha2::Digest as _;
        if self.block_bytes > 0 {
            self.close_block();
        }
        (Sha256Digest(self.sha256.finalize().into()), BlockSums(self.sums))
    }

    fn close_block(&mut self) {
        self.sums.push(self.block.digest());
        self.block.reset();
        self.block_bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "an interpreter hashes megabytes for hours")]
    fn streamed_sums_equal_those_of_whole_blocks() {
        let bytes: Vec<u8> = (0..2_500_000u32).map(|n| (n % 251) as u8).collect();
        let mut hasher = Hasher::default();
        for part in bytes.chunks(70_001) {
            hasher.update(part);
        }
        let (sha256, sums) = hasher.finish();
        assert_eq!(sha256, Sha256Digest::of(&bytes));
        let whole: Vec<u64> = bytes.chunks(BLOCK_BYTES as usize).map(BlockSums::sum).collect();
        assert_eq!(sums, BlockSums::new(whole.clone()));
        let mut in_parts = BlockSum::default();
        bytes[..BLOCK_BYTES as usize].chunks(70_001).for_each(|part| in_parts.update(part));
        assert_eq!(in_parts.finish(), whole[0]);
        assert_eq!(BlockSums::from_bytes(&sums.to_bytes(), bytes.len() as u64), Some(sums.clone()));
        assert_eq!(BlockSums::from_bytes(&sums.to_bytes(), 1), None);
    }

    #[test]
    #[cfg_attr(miri, ignore = "an interpreter hashes megabytes for hours")]
    fn an_exact_block_has_one_sum_and_an_empty_file_none() {
        let mut hasher = Hasher::default();
        hasher.update(&vec![7; BLOCK_BYTES as usize]);
        assert_eq!(hasher.finish().1.to_bytes().len(), 8);
        assert_eq!(Hasher::default().finish().1, BlockSums::default());
    }
}

//! The names in a folder: all of them at once, close together, because their order is needed.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;

use rustix::fs::RawDir;

/// Names in the order of their bytes, none twice, given out one after another.
#[derive(Default)]
pub(super) struct Listing {
    bytes: Vec<u8>,
    /// Where a name begins in `bytes`, shifted by [`LENGTH_BITS`], and its length. The next one is the last.
    names: Vec<u64>,
}

/// No file system has longer names.
const LENGTH_BITS: u32 = 16;

impl Listing {
    /// What could be read, and why it is not all where it is not. `.` and `..` are left out.
    pub fn read(folder: BorrowedFd<'_>, buffer: &mut Vec<u8>) -> (Self, Option<io::Error>) {
        let mut listing = Self::default();
        let mut entries = RawDir::new(folder, space_of(buffer));
        let failed = loop {
            match entries.next() {
                None => break None,
                Some(Ok(entry)) => listing.push(entry.file_name().to_bytes()),
                Some(Err(error)) => break Some(error.into()),
            }
        };
        listing.sort();
        (listing, failed)
    }

    fn push(&mut self, name: &[u8]) {
        if !matches!(name, b"." | b"..") {
            self.names.push((self.bytes.len() as u64) << LENGTH_BITS | name.len() as u64);
            self.bytes.extend_from_slice(name);
        }
    }

    /// From the last to the first.
    fn sort(&mut self) {
        let Self { bytes, names } = self;
        names.sort_unstable_by(|one, other| name_at(bytes, *other).cmp(name_at(bytes, *one)));
        names.dedup_by(|one, other| name_at(bytes, *one) == name_at(bytes, *other));
    }

    pub fn retain(&mut self, takes: impl Fn(&[u8]) -> bool) {
        let Self { bytes, names } = self;
        names.retain(|at| takes(name_at(bytes, *at)));
    }
}

impl Iterator for Listing {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let at = self.names.pop()?;
        Some(name_at(&self.bytes, at).to_vec())
    }
}

fn name_at(bytes: &[u8], at: u64) -> &[u8] {
    let start = usize::try_from(at >> LENGTH_BITS).expect("it is in memory");
    &bytes[start..][..usize::from(at as u16)]
}

/// As much as a system call fills at once.
fn space_of(buffer: &mut Vec<u8>) -> &mut [MaybeUninit<u8>] {
    buffer.clear();
    buffer.reserve(64 * 1024);
    buffer.spare_capacity_mut()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_in_the_order_of_their_bytes_and_once() {
        let mut listing = Listing::default();
        for name in [&b"b"[..], b".", b"a", b"..", b"\xff", b"B", b"a", b"a-", b"aa"] {
            listing.push(name);
        }
        listing.sort();
        listing.retain(|name| name != b"aa");
        assert_eq!(listing.collect::<Vec<_>>(), [&b"B"[..], b"a", b"a-", b"b", b"\xff"]);
    }
}

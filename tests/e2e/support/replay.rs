//! What a power cut leaves of a recorded disk.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::recorder::Record;
use super::tree::random;

const PAGE: usize = 4096;
/// The unit in which written parts of the disk are copied.
const CHUNK: usize = 64 << 10;

/// A recorded disk at one flush after the other.
pub struct Replay<'a> {
    disk: usize,
    records: &'a [Record],
    /// All writes before `done`, which follows a flush.
    bytes: Vec<u8>,
    is_written: Vec<bool>,
    done: usize,
}

impl<'a> Replay<'a> {
    /// The disk of this number and `size`.
    pub fn new(disk: usize, size: u64, records: &'a [Record]) -> Self {
        let size = usize::try_from(size).expect("a disk in memory");
        Self { disk, records, bytes: vec![0; size], is_written: vec![false; size.div_ceil(CHUNK)], done: 0 }
    }

    /// Makes `image` the disk after a cut behind the first `at` records: all that was written up to the last flush, and of the writes
    /// since then every second one, some of them torn between two pages. Cuts must come in their order.
    pub fn cut(&mut self, at: usize, seed: &mut u64, image: &Path) {
        let own = self.disk;
        let is_flush = |record: &Record| matches!(record, Record::Flush { disk } if *disk == own);
        let flushed = self.records[..at].iter().rposition(is_flush).map_or(0, |last| last + 1);
        assert!(flushed >= self.done, "cuts come in their order");
        for record in &self.records[self.done..flushed] {
            if let Record::Write { disk, offset, bytes } = record
                && *disk == own
            {
                self.write(*offset, bytes);
            }
        }
        self.done = flushed;
        let file = File::create(image).expect("the image is made");
        file.set_len(self.bytes.len() as u64).expect("the image is as large as the disk");
        for (number, _) in self.is_written.iter().enumerate().filter(|(_, written)| **written) {
            let at = number * CHUNK;
            let chunk = &self.bytes[at..self.bytes.len().min(at + CHUNK)];
            file.write_all_at(chunk, at as u64).expect("the image is written");
        }
        for record in &self.records[flushed..at] {
            if let Record::Write { disk, offset, bytes } = record
                && *disk == own
            {
                keep_some(&file, *offset, bytes, seed);
            }
        }
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) {
        let at = usize::try_from(offset).expect("the disk is in memory");
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        if !bytes.is_empty() {
            self.is_written[at / CHUNK..=(at + bytes.len() - 1) / CHUNK].fill(true);
        }
    }
}

/// A write that no flush followed: nothing of it, or all, or every second page.
fn keep_some(file: &File, offset: u64, bytes: &[u8], seed: &mut u64) {
    match random(seed, 8) {
        0..=3 => {}
        4 => {
            for (number, page) in bytes.chunks(PAGE).enumerate().filter(|_| random(seed, 2) == 0).collect::<Vec<_>>() {
                file.write_all_at(page, offset + (number * PAGE) as u64).expect("the image is written");
            }
        }
        _ => file.write_all_at(bytes, offset).expect("the image is written"),
    }
}

#[test]
fn a_cut_keeps_what_was_flushed_and_nothing_that_was_not_written() {
    let write = |at: u64, byte: u8| Record::Write { disk: 0, offset: at * 4096, bytes: vec![byte; PAGE] };
    let other = [Record::Write { disk: 1, offset: 0, bytes: vec![5; 4 * PAGE] }, Record::Flush { disk: 1 }];
    let own = [write(0, 1), write(1, 2), Record::Flush { disk: 0 }, write(0, 3), write(2, 4)];
    let records: Vec<Record> = own.into_iter().chain(other).collect();
    let image = tempfile::NamedTempFile::new().expect("a temporary file");
    let mut seen = std::collections::BTreeSet::new();
    for seed in 1..200 {
        let mut replay = Replay::new(0, 4 * 4096, &records);
        replay.cut(records.len(), &mut (seed * 0x9E37_79B9), image.path());
        let bytes = std::fs::read(image.path()).expect("the image is read");
        assert_eq!((bytes.len(), bytes[PAGE], bytes[3 * PAGE]), (4 * PAGE, 2, 0));
        seen.insert((bytes[0], bytes[2 * PAGE]));
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [(1, 0), (1, 4), (3, 0), (3, 4)], "each write alone");
}

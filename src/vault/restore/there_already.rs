//! Bytes that the target has already: a file that stands at its place is compared chunk by chunk, and what is the same is not fetched.

use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicBool, Ordering};

use super::blobs::{Blobs, Place};
use super::files::State;
use super::filling::Filling;
use crate::vault::cancel::Cancel;
use crate::vault::id::Id;
use crate::vault::target::is_zero;

/// What one file has.
pub(super) struct Comparing<'a> {
    pub filling: &'a Filling<'a>,
    pub blobs: &'a Blobs,
    pub places: &'a [Place],
    /// For each of `places` whether it has what it needs.
    pub has: &'a [AtomicBool],
    pub cancel: &'a Cancel,
}

impl Comparing<'_> {
    /// Compares one file. Where all is there, it gets its metadata and stays; else what is the same goes into the new file.
    pub(super) fn compare(&self, file: u32, range: std::ops::Range<usize>) {
        let records = &self.filling.files.records;
        let Ok(folder) = self.filling.folder(file) else { return };
        let Ok((old, existing)) = folder.read(records.name(file)) else { return };
        let attributes = records.attributes(file);
        let right_size = existing.size_bytes == self.filling.files.size_bytes(file);
        let looks_same = right_size && existing.modified == attributes.modified;
        let mut buffer = Vec::new();
        let same: Vec<usize> = range.clone().filter(|at| looks_same || self.read_same(&old, *at, &mut buffer)).collect();
        if self.cancel.is_raised() {
            return;
        }
        if right_size && same.len() == range.len() {
            self.has[range].iter().for_each(|has| has.store(true, Ordering::Relaxed));
            self.filling.files.set_state(file, State::Kept);
            let mut troubles = Vec::new();
            folder.set_metadata(records.name(file), &attributes, self.filling.target.owner(), &mut troubles);
            self.filling.tell(file, troubles);
            self.filling.tally.skipped.add(1);
            self.filling.tally.bytes_skipped.add(existing.size_bytes);
            self.filling.progress.did(1, existing.size_bytes);
            return;
        }
        for at in same {
            // Read and compared once more: it may have changed, and only what was compared is written.
            if !self.cancel.is_raised() && self.read_same(&old, at, &mut buffer) {
                self.has[at].store(true, Ordering::Relaxed);
                self.filling.put(file, self.places[at].offset, &buffer, is_zero(&buffer));
            }
        }
    }

    fn read_same(&self, old: &std::fs::File, at: usize, buffer: &mut Vec<u8>) -> bool {
        let place = self.places[at];
        let length = usize::try_from(self.blobs.plain_length(place.blob)).expect("a blob is in memory");
        if self.cancel.is_raised() || length > super::LARGEST_BLOB as usize {
            return false;
        }
        buffer.resize(length, 0);
        old.read_exact_at(buffer, place.offset).is_ok() && Id::of(buffer) == self.blobs.blobs[place.blob as usize].id
    }
}

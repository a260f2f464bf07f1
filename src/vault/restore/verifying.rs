//! Reading again what was written, and comparing it with the ids of its chunks.

use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

use super::blobs::{Order, Place};
use super::files::State;
use super::filling::Filling;
use crate::vault::cancel::Cancel;
use crate::vault::failure::Failure;
use crate::vault::id::Id;

/// The places of each file, in the order of files.
pub(super) fn by_file(order: &mut Order) -> Vec<Range<usize>> {
    order.places.sort_unstable_by_key(|place| (place.file, place.offset));
    let mut start = 0;
    let runs = order.places.chunk_by(|one, next| one.file == next.file);
    runs.map(|run| {
        start += run.len();
        start - run.len()..start
    })
    .collect()
}

/// Compares one file; a difference is told.
pub(super) fn verify(filling: &Filling<'_>, order: &Order, places: &[Place], cancel: &Cancel) {
    let Some(file) = places.first().map(|place| place.file) else { return };
    if filling.files.state(file) != State::Done || cancel.is_raised() {
        return;
    }
    match compare(filling, order, file, places, cancel) {
        Ok(true) => filling.tally.verified.add(1),
        Ok(false) => filling.tally.fail(Failure::of(filling.path_of(file), "verify", "it does not have the bytes that were restored")),
        Err(error) => filling.tally.fail(Failure::of_io(filling.path_of(file), "verify", &error)),
    }
}

fn compare(filling: &Filling<'_>, order: &Order, file: u32, places: &[Place], cancel: &Cancel) -> io::Result<bool> {
    let (open, existing) = filling.folder(file)?.read(filling.files.records.name(file))?;
    if existing.size_bytes != filling.files.size_bytes(file) {
        return Ok(false);
    }
    let mut buffer = Vec::new();
    for place in places {
        if cancel.is_raised() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let blob = order.place(place.blob).blob;
        buffer.resize(blob.plain_length() as usize, 0);
        open.read_exact_at(&mut buffer, place.offset)?;
        if Id::of(&buffer) != blob.id {
            return Ok(false);
        }
    }
    Ok(true)
}

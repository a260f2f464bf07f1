//! What is done with bytes that were read: each blob is opened, compared with its id, and written wherever it goes. One that is damaged
//! is looked for in other packs; one that is nowhere whole costs the files that need it.

use std::borrow::Cow;

use super::Source;
use super::blobs::{self, Order};
use super::files::State;
use super::filling::Filling;
use super::reading::{Batch, Reading};
use crate::vault::error::Error;
use crate::vault::failure::Failure;
use crate::vault::index::Place;
use crate::vault::pack::BlobKind;
use crate::vault::parallel::OnPanic;
use crate::vault::target::is_zero;

/// What a worker's memory for a blob shrinks to after a longer one.
const KEPT_BYTES: usize = 8 << 20;

pub(super) struct Working<'a> {
    pub source: &'a Source<'a>,
    pub order: &'a Order,
    pub reading: &'a Reading<'a>,
    pub filling: &'a Filling<'a>,
}

impl Working<'_> {
    /// Works until nothing more is read.
    pub(super) fn work(&self) {
        let _end = OnPanic(|| self.reading.give_up());
        let mut room = Vec::new();
        while let Some(mut batch) = self.reading.take() {
            for blob in batch.blobs.clone() {
                if self.reading.has_ended() {
                    break;
                }
                self.blob(blob, &mut batch, &mut room);
            }
            room.clear();
            room.shrink_to(KEPT_BYTES);
            let size = batch.size();
            drop(batch);
            self.reading.used(size);
        }
    }

    fn blob(&self, blob: u32, batch: &mut Batch, room: &mut Vec<u8>) {
        let places = self.order.places_of(blob);
        if places.iter().all(|place| self.filling.files.state(place.file) == State::Failed) {
            return;
        }
        let place = self.order.place(blob);
        let error = match self.open(&place, batch, room) {
            Ok(plain) => return self.put(places, &plain),
            Err(error) => error,
        };
        match self.open_elsewhere(&place, error) {
            Ok(plain) => self.put(places, &plain),
            // What is not finished then, is removed at the end.
            Err(_) if self.reading.has_ended() => {}
            Err(error) => {
                for place in places {
                    self.filling.fail(place.file, |path| Failure::of(path, "read chunk", &error));
                }
            }
        }
    }

    fn put(&self, places: &[blobs::Place], plain: &[u8]) {
        let is_zero = is_zero(plain);
        for place in places {
            // A blob may go to a million places.
            if self.reading.has_ended() {
                return;
            }
            self.filling.put(place.file, place.offset, plain, is_zero);
        }
    }

    fn open<'b>(&self, place: &Place, batch: &'b mut Batch, room: &'b mut Vec<u8>) -> Result<Cow<'b, [u8]>, Error> {
        let bytes = match &mut batch.bytes {
            Ok(bytes) => bytes,
            Err(Error::NotFound(what)) => return Err(Error::NotFound(what.clone())),
            // What lies elsewhere in the pack may be good.
            Err(_) => return self.read_alone(place, place).map(Cow::Owned),
        };
        let start = usize::try_from(u64::from(place.blob.offset) - batch.start).expect("a batch is in memory");
        let sealed = &mut bytes[start..start + place.blob.length as usize];
        // Opening changes the bytes, which another blob has no part in, unless the index is wrong; then it is found damaged.
        self.source.open_blob(sealed, place, place, room).map(Cow::Borrowed)
    }

    fn open_elsewhere(&self, place: &Place, error: Error) -> Result<Vec<u8>, Error> {
        let others = self.source.index.places(BlobKind::Data, place.blob.id).filter(|other| other != place);
        others.into_iter().find_map(|other| self.read_alone(&other, place).ok()).ok_or(error)
    }

    fn read_alone(&self, at: &Place, wanted: &Place) -> Result<Vec<u8>, Error> {
        if self.reading.has_ended() {
            return Err(Error::Cancelled);
        }
        let start = u64::from(at.blob.offset);
        let range = start..start + u64::from(at.blob.length);
        let read = self.source.read_pack(at.pack, range);
        let mut sealed = self.reading.note(read)?.to_vec();
        self.source.open_blob(&mut sealed, at, wanted, &mut Vec::new()).map(<[u8]>::to_vec)
    }
}

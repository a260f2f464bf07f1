//! What is done with bytes that were read: each blob is opened, compared with its id, and written wherever it goes. One that is damaged
//! is looked for in other packs; one that is nowhere whole costs the files that need it.

use std::borrow::Cow;
use std::ops::Range;

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

/// Two blobs that are no longer than this together are opened at once; and what a worker's memory for them shrinks to after longer ones.
const TOGETHER_BYTES: u32 = 8 << 20;

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
        let mut rooms = [Vec::new(), Vec::new()];
        while let Some(mut batch) = self.reading.take() {
            let mut blobs = batch.blobs.clone().filter(|blob| self.is_needed(*blob)).peekable();
            while let Some(blob) = blobs.next() {
                if self.reading.has_ended() {
                    break;
                }
                match blobs.next_if(|next| self.go_together(&batch, [blob, *next])) {
                    Some(next) => self.two_blobs([blob, next], &mut batch, &mut rooms),
                    None => self.blob(blob, &mut batch, &mut rooms[0]),
                }
            }
            for room in &mut rooms {
                room.clear();
                room.shrink_to(TOGETHER_BYTES as usize / 2);
            }
            let size = batch.size();
            drop(batch);
            self.reading.used(size);
        }
    }

    fn is_needed(&self, blob: u32) -> bool {
        self.order.places_of(blob).iter().any(|place| self.filling.files.state(place.file) != State::Failed)
    }

    /// Whether two blobs can be opened at once. They share no bytes, unless the index is wrong; then each is looked at alone.
    fn go_together(&self, batch: &Batch, blobs: [u32; 2]) -> bool {
        let [one, next] = blobs.map(|blob| self.order.place(blob).blob);
        batch.bytes.is_ok()
            && u64::from(one.offset) + u64::from(one.length) <= next.offset.into()
            && one.plain_length().checked_add(next.plain_length()).is_some_and(|bytes| bytes <= TOGETHER_BYTES)
    }

    fn two_blobs(&self, blobs: [u32; 2], batch: &mut Batch, rooms: &mut [Vec<u8>; 2]) {
        let places = blobs.map(|blob| self.order.place(blob));
        let Ok(bytes) = &mut batch.bytes else { return };
        let [one, next] = places.each_ref().map(|place| range_of(place, batch.start));
        let (up_to_next, from_next) = bytes.split_at_mut(next.start);
        let sealed = [&mut up_to_next[one], &mut from_next[..next.len()]];
        let opened = self.source.open_two_blobs(sealed, places.each_ref(), rooms);
        for ((blob, place), opened) in blobs.into_iter().zip(&places).zip(opened) {
            self.use_blob(blob, place, opened.map(Cow::Borrowed));
        }
    }

    fn blob(&self, blob: u32, batch: &mut Batch, room: &mut Vec<u8>) {
        let place = self.order.place(blob);
        self.use_blob(blob, &place, self.open(&place, batch, room));
    }

    fn use_blob(&self, blob: u32, place: &Place, opened: Result<Cow<'_, [u8]>, Error>) {
        let places = self.order.places_of(blob);
        let error = match opened {
            Ok(plain) => return self.put(places, &plain),
            Err(error) => error,
        };
        match self.open_elsewhere(place, error) {
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
        let sealed = &mut bytes[range_of(place, batch.start)];
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

/// Where a blob lies in bytes of its pack from `start` on.
fn range_of(place: &Place, start: u64) -> Range<usize> {
    let begin = usize::try_from(u64::from(place.blob.offset) - start).expect("a batch is in memory");
    begin..begin + place.blob.length as usize
}

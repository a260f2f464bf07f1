//! Blobs, opened and compared with their ids before anybody sees them.

use super::Repository;
use crate::vault::backend::{Kind, Name};
use crate::vault::compression::decompress;
use crate::vault::error::Error;
use crate::vault::id::Id;
use crate::vault::index::{Index, Place};
use crate::vault::pack::BlobKind;
use crate::vault::tree::Tree;

impl Repository {
    /// The plain bytes of a blob, checked, from wherever it lies whole. [`Error::NotFound`] where no index names it, else the error of the
    /// first place.
    pub fn read_blob(&self, index: &Index, kind: BlobKind, id: Id) -> Result<Vec<u8>, Error> {
        let mut first = None;
        for place in index.places(kind, id) {
            match self.read_place(&place) {
                Ok(plain) => return Ok(plain),
                Err(error @ (Error::Damaged { .. } | Error::NotFound(_))) => first.get_or_insert(error),
                Err(error) => return Err(error),
            };
        }
        Err(first.unwrap_or_else(|| Error::NotFound(format!("{} {id}", name_of(kind)))))
    }

    fn read_place(&self, place: &Place) -> Result<Vec<u8>, Error> {
        let (start, length) = (u64::from(place.blob.offset), u64::from(place.blob.length));
        let sealed = self.backend.read(Name::Of(Kind::Data, place.pack), Some(start..start + length))?;
        Ok(self.open_blob(&mut sealed.to_vec(), place, &mut Vec::new())?.to_vec())
    }

    /// The plain bytes of a sealed blob, compared with its id: in the sealed ones' place, or in `room`, whatever that holds, where they
    /// were compressed. [`Error::Damaged`] names pack and blob.
    pub fn open_blob<'a>(&self, sealed: &'a mut [u8], place: &Place, room: &'a mut Vec<u8>) -> Result<&'a [u8], Error> {
        let plain = self.unseal_blob(sealed, place, room)?;
        compared(plain, Id::of(plain), place)
    }

    /// [`Self::open_blob`] of two, in less time than one after the other.
    pub fn open_two_blobs<'a>(
        &self,
        sealed: [&'a mut [u8]; 2],
        places: [&Place; 2],
        rooms: &'a mut [Vec<u8>; 2],
    ) -> [Result<&'a [u8], Error>; 2] {
        let ([sealed, sealed_other], [room, room_of_other]) = (sealed, rooms);
        match [self.unseal_blob(sealed, places[0], room), self.unseal_blob(sealed_other, places[1], room_of_other)] {
            [Ok(one), Ok(other)] => {
                let ids = Id::of_two([one, other]);
                [compared(one, ids[0], places[0]), compared(other, ids[1], places[1])]
            }
            [one, other] => {
                [(one, places[0]), (other, places[1])].map(|(plain, place)| plain.and_then(|plain| compared(plain, Id::of(plain), place)))
            }
        }
    }

    /// The plain bytes of a blob, as whoever has the key sealed them.
    fn unseal_blob<'a>(&self, sealed: &'a mut [u8], place: &Place, room: &'a mut Vec<u8>) -> Result<&'a [u8], Error> {
        let opened = self.sealer.open_in_place(sealed).map_err(|error| damaged(place, &error.to_string()))?;
        match place.blob.raw_length {
            Some(length) => decompress(opened, length as usize, room).map(|()| &room[..]).map_err(|why| damaged(place, why)),
            None => Ok(opened),
        }
    }

    pub fn read_tree(&self, index: &Index, id: Id) -> Result<Tree, Error> {
        Tree::parse(&self.read_blob(index, BlobKind::Tree, id)?, &id)
    }
}

/// Plain bytes, where their id is that of the blob.
fn compared<'a>(plain: &'a [u8], id: Id, place: &Place) -> Result<&'a [u8], Error> {
    if id == place.blob.id { Ok(plain) } else { Err(damaged(place, "its SHA-256 is not its id")) }
}

fn damaged(place: &Place, why: &str) -> Error {
    let (kind, id, pack) = (name_of(place.blob.kind), place.blob.id.short(), place.pack.short());
    Error::damaged(format!("{kind} {id} in pack {pack}"), why)
}

/// A blob's kind in a message.
const fn name_of(kind: BlobKind) -> &'static str {
    match kind {
        BlobKind::Data => "chunk",
        BlobKind::Tree => "tree",
    }
}

//! A place whose calls can be cancelled, all but the two that must still work then: saving an index file of what is stored already, and
//! removing the lock of the work that was cancelled.

use std::ops::Range;

use bytes::Bytes;

use super::content::Content;
use super::{Backend, Kind, Listed, Name};
use crate::vault::error::Error;

/// One place, reached in three ways.
pub(super) struct Parting {
    pub work: Box<dyn Backend>,
    /// What a cancel ends a while later.
    pub index: Box<dyn Backend>,
    /// What no [`crate::vault::cancel::Cancel`] ends.
    pub lock: Box<dyn Backend>,
}

impl Backend for Parting {
    fn location(&self) -> String {
        self.work.location()
    }

    fn create(&self) -> Result<(), Error> {
        self.work.create()
    }

    fn list(&self, kind: Kind) -> Result<Vec<Listed>, Error> {
        self.work.list(kind)
    }

    fn size_bytes(&self, name: Name) -> Result<u64, Error> {
        self.work.size_bytes(name)
    }

    fn read(&self, name: Name, range: Option<Range<u64>>) -> Result<Content, Error> {
        self.work.read(name, range)
    }

    fn save(&self, name: Name, bytes: Bytes) -> Result<(), Error> {
        match self.work.save(name, bytes.clone()) {
            Err(Error::Cancelled) if matches!(name, Name::Of(Kind::Index, _)) => self.index.save(name, bytes),
            saved => saved,
        }
    }

    fn remove(&self, name: Name) -> Result<(), Error> {
        match name {
            Name::Of(Kind::Lock, _) => self.lock.remove(name),
            _ => self.work.remove(name),
        }
    }

    fn lists_at_once(&self) -> bool {
        self.work.lists_at_once()
    }
}

#[cfg(test)]
mod tests {
    use super::super::open_for_work;
    use super::super::options::Options;
    use super::*;
    use crate::vault::cancel::Cancel;
    use crate::vault::id::Id;
    use crate::vault::testing::{Place, Served};

    const KINDS: [Kind; 5] = [Kind::Data, Kind::Key, Kind::Lock, Kind::Snapshot, Kind::Index];

    #[test]
    fn after_a_cancel_an_index_file_can_be_saved_and_a_lock_removed_and_nothing_else() {
        let place = Place::default();
        let served = Served::start(Box::new(place.clone()));
        let cancel = Cancel::default();
        let work = open_for_work(&served.location(), &Options { cancel: cancel.clone(), ..Options::default() }).unwrap();
        let name = |kind| Name::Of(kind, Id::of(b"bytes"));
        for kind in KINDS {
            work.save(name(kind), Bytes::from_static(b"bytes")).unwrap();
        }
        cancel.raise();
        for kind in KINDS {
            let again = work.save(name(kind), Bytes::from_static(b"bytes"));
            assert_eq!(again.is_ok(), kind == Kind::Index, "{kind:?}");
            assert!(again.is_ok() || matches!(again, Err(Error::Cancelled)), "{again:?}");
            let removed = work.remove(name(kind));
            assert_eq!((removed.is_ok(), place.ids(kind).is_empty()), (kind == Kind::Lock, kind == Kind::Lock), "{kind:?}");
            assert!(matches!(work.read(name(kind), None), Err(Error::Cancelled)));
        }
    }
}

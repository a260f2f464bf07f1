//! A place whose calls can be cancelled, all but the one that must still work then: removing the lock of the work that was cancelled.

use std::ops::Range;

use bytes::Bytes;

use super::{Backend, Kind, Listed, Name};
use crate::vault::error::Error;

/// One place, reached in two ways.
pub(super) struct Parting {
    pub work: Box<dyn Backend>,
    /// What no [`crate::vault::cancel::Cancel`] ends.
    pub parting: Box<dyn Backend>,
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

    fn read(&self, name: Name, range: Option<Range<u64>>) -> Result<Bytes, Error> {
        self.work.read(name, range)
    }

    fn save(&self, name: Name, bytes: Bytes) -> Result<(), Error> {
        self.work.save(name, bytes)
    }

    fn remove(&self, name: Name) -> Result<(), Error> {
        match name {
            Name::Of(Kind::Lock, _) => self.parting.remove(name),
            _ => self.work.remove(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::location::Location;
    use super::super::open;
    use super::super::options::Options;
    use super::*;
    use crate::vault::id::Id;

    #[test]
    fn only_locks_are_removed_by_the_other_way() {
        let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let place = |at: &tempfile::TempDir| open(&Location::parse(at.path()).unwrap(), &Options::default()).unwrap();
        let [lock, snapshot] = [Kind::Lock, Kind::Snapshot].map(|kind| Name::Of(kind, Id::of(b"x")));
        for folder in &folders {
            place(folder).create().unwrap();
            for name in [lock, snapshot] {
                place(folder).save(name, Bytes::from_static(b"x")).unwrap();
            }
        }
        let both = Parting { work: place(&folders[0]), parting: place(&folders[1]) };
        both.remove(lock).unwrap();
        both.remove(snapshot).unwrap();
        let left = |at: usize, name| place(&folders[at]).size_bytes(name).is_ok();
        assert_eq!([left(0, lock), left(0, snapshot), left(1, lock), left(1, snapshot)], [true, false, false, true]);
    }
}

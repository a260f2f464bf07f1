//! A place where a test comes in between of the calls.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use crate::vault::backend::content::Content;
use crate::vault::backend::{Backend, Kind, Listed, Name};
use crate::vault::error::Error;

/// What the place is asked to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::vault) enum Call {
    Create,
    List(Kind),
    SizeBytes(Name),
    Read(Name),
    Save(Name),
    Remove(Name),
}

/// A place where something happens before each call; where that is an error, it is the call's, and nothing is done.
pub(in crate::vault) struct Before {
    place: Box<dyn Backend>,
    happens: Mutex<Happens>,
}

type Happens = Box<dyn FnMut(Call) -> Result<(), Error> + Send>;

impl Before {
    pub(in crate::vault) fn new(place: Box<dyn Backend>, happens: impl FnMut(Call) -> Result<(), Error> + Send + 'static) -> Self {
        Self { place, happens: Mutex::new(Box::new(happens)) }
    }

    fn call(&self, call: Call) -> Result<&dyn Backend, Error> {
        // What happens may be a panic.
        let mut happens = self.happens.lock().unwrap_or_else(PoisonError::into_inner);
        happens(call).map(|()| &*self.place)
    }
}

impl Backend for Before {
    fn location(&self) -> String {
        self.place.location()
    }

    fn create(&self) -> Result<(), Error> {
        self.call(Call::Create)?.create()
    }

    fn list(&self, kind: Kind) -> Result<Vec<Listed>, Error> {
        self.call(Call::List(kind))?.list(kind)
    }

    fn size_bytes(&self, name: Name) -> Result<u64, Error> {
        self.call(Call::SizeBytes(name))?.size_bytes(name)
    }

    fn read(&self, name: Name, range: Option<Range<u64>>) -> Result<Content, Error> {
        self.call(Call::Read(name))?.read(name, range)
    }

    fn save(&self, name: Name, bytes: Bytes) -> Result<(), Error> {
        self.call(Call::Save(name))?.save(name, bytes)
    }

    fn remove(&self, name: Name) -> Result<(), Error> {
        self.call(Call::Remove(name))?.remove(name)
    }

    fn lists_at_once(&self) -> bool {
        self.place.lists_at_once()
    }
}

//! A place that notes the locks which are stored in it.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::agent::state::State;
use crate::vault::backend::{Backend, Kind, Listed, Name};
use crate::vault::error::Error;

/// Locks are noted before they are stored, and forgotten after they are removed: what is noted may be there, what is there is noted.
pub(super) struct Noting {
    pub inner: Box<dyn Backend>,
    pub generation: i64,
    pub state: Arc<State>,
}

impl Backend for Noting {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn create(&self) -> Result<(), Error> {
        self.inner.create()
    }

    fn list(&self, kind: Kind) -> Result<Vec<Listed>, Error> {
        self.inner.list(kind)
    }

    fn size_bytes(&self, name: Name) -> Result<u64, Error> {
        self.inner.size_bytes(name)
    }

    fn read(&self, name: Name, range: Option<Range<u64>>) -> Result<Bytes, Error> {
        self.inner.read(name, range)
    }

    fn save(&self, name: Name, bytes: Bytes) -> Result<(), Error> {
        if let Name::Of(Kind::Lock, id) = name {
            self.state.journal().keep_lock(self.generation, id);
        }
        self.inner.save(name, bytes)
    }

    fn remove(&self, name: Name) -> Result<(), Error> {
        self.inner.remove(name)?;
        if let Name::Of(Kind::Lock, id) = name {
            self.state.journal().forget_lock(self.generation, id);
        }
        Ok(())
    }
}

//! A place whose calls are counted.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::tally::Tally;
use crate::vault::backend::content::Content;
use crate::vault::backend::{Backend, Kind, Listed, Name};
use crate::vault::error::Error;

pub(super) struct Watched {
    pub inner: Box<dyn Backend>,
    pub tally: Arc<Tally>,
}

impl Backend for Watched {
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

    fn read(&self, name: Name, range: Option<Range<u64>>) -> Result<Content, Error> {
        self.inner.read(name, range).inspect(|bytes| self.tally.moved(bytes.len() as u64))
    }

    fn save(&self, name: Name, bytes: Bytes) -> Result<(), Error> {
        let count = bytes.len() as u64;
        self.inner.save(name, bytes)?;
        self.tally.moved(count);
        Ok(())
    }

    fn remove(&self, name: Name) -> Result<(), Error> {
        self.inner.remove(name)?;
        if !matches!(name, Name::Of(Kind::Lock, _)) {
            self.tally.removed();
        }
        Ok(())
    }

    fn lists_at_once(&self) -> bool {
        self.inner.lists_at_once()
    }
}

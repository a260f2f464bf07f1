//! A place that notes the locks which are stored in it.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::agent::state::State;
use crate::vault::backend::content::Content;
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

    fn read(&self, name: Name, range: Option<Range<u64>>) -> Result<Content, Error> {
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

    fn lists_at_once(&self) -> bool {
        self.inner.lists_at_once()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::instant::Instant;
    use crate::vault::backend::location::Location;
    use crate::vault::backend::open;
    use crate::vault::backend::options::Options;
    use crate::vault::id::Id;

    #[test]
    fn a_lock_is_noted_from_before_it_is_stored_until_after_it_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let state = Arc::new(State::begin(&folder.path().join("state"), Instant::from_seconds(0)).unwrap().state);
        let place = |name: &str| {
            let inner = open(&Location::parse(folder.path().join(name)).unwrap(), &Options::default()).unwrap();
            Noting { inner, generation: 2, state: Arc::clone(&state) }
        };
        let [lock, other] = [Id::of(b"lock"), Id::of(b"other")];
        // Whether it got there is not known of a lock whose answer is lost.
        std::fs::write(folder.path().join("no folder"), "").unwrap();
        assert!(place("no folder").save(Name::Of(Kind::Lock, lock), Bytes::from_static(b"lock")).is_err());
        assert_eq!(state.journal().locks(), [(2, lock)]);
        let place = place("vault");
        assert_eq!(place.lists_at_once(), place.inner.lists_at_once());
        place.create().unwrap();
        place.save(Name::Of(Kind::Snapshot, other), Bytes::from_static(b"other")).unwrap();
        assert_eq!(state.journal().locks(), [(2, lock)], "only locks are noted");
        place.remove(Name::Of(Kind::Lock, lock)).unwrap();
        assert_eq!(state.journal().locks(), []);
    }
}

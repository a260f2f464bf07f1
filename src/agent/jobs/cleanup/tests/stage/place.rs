//! A place before another one: it counts the changes, tells what happened, and makes trouble. Locks are never troubled.

use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use crate::agent::leash::{Leash, Why};
use crate::vault::backend::content::Content;
use crate::vault::backend::{Backend, Kind, Listed, Name};
use crate::vault::error::Error;
use crate::vault::id::Id;
use crate::vault::lock::Clock;
use crate::wire::channel::CLEANUP_IS_HALTED;

/// What a place does to whoever works there.
#[derive(Clone, Default)]
pub enum Trouble {
    #[default]
    None,
    /// So many changes succeed, and then nothing does any more: the caller is as good as killed.
    DiesAfter(usize),
    /// With the change of this number, counted from 1, somebody pulls the leash.
    PullsAt(usize, Leash, Why),
    /// So many removals are allowed, and then the server says that half is hidden.
    HaltsAfter(usize),
    /// The server keeps this snapshot.
    Keeps(Id),
    /// With the change of this number the lock is taken away, and it is old.
    TakesLockAt(usize),
}

/// What happened in the sight of the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// The run was said to be in progress.
    Begun,
    /// Something of this generation was removed.
    Removed(i64),
}

#[derive(Default)]
pub struct State {
    pub clock: Arc<TestClock>,
    work: Mutex<Work>,
}

#[derive(Default)]
struct Work {
    trouble: Trouble,
    changes: usize,
    removals: usize,
    events: Vec<Event>,
}

impl State {
    pub fn begin(&self, trouble: Trouble) {
        *self.work.lock().unwrap() = Work { trouble, ..Work::default() };
    }

    pub fn happened(&self, event: Event) {
        let events = &mut self.work.lock().unwrap().events;
        if events.last() != Some(&event) {
            events.push(event);
        }
    }

    pub fn events(&self) -> Vec<Event> {
        std::mem::take(&mut self.work.lock().unwrap().events)
    }
}

/// Stands still but for waits, which take no time.
pub struct TestClock(Mutex<(Timestamp, Duration)>);

impl Default for TestClock {
    fn default() -> Self {
        Self(Mutex::new((Timestamp::now(), Duration::ZERO)))
    }
}

impl TestClock {
    pub fn waited(&self) -> Duration {
        self.0.lock().unwrap().1
    }

    fn pass(&self, time: SignedDuration) {
        self.0.lock().unwrap().0 += time;
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.0.lock().unwrap().0
    }

    fn wait(&self, time: Duration) {
        self.0.lock().unwrap().1 += time;
    }
}

pub struct Place {
    pub inner: Arc<dyn Backend>,
    pub number: i64,
    pub state: Arc<State>,
}

impl Place {
    /// What comes of a change before it is made.
    fn change(&self, name: Name, removes: bool) -> Result<(), Error> {
        let mut work = self.state.work.lock().unwrap();
        let refused = |said: &str| Err(Error::Refused(format!("deleting {name} from https://HOST/: 403 Forbidden: {said}")));
        match &work.trouble {
            Trouble::DiesAfter(left) if work.changes >= *left => {
                return Err(Error::Unavailable { doing: "a call".to_owned(), source: "killed".into() });
            }
            Trouble::HaltsAfter(left) if removes && work.removals >= *left => return refused(CLEANUP_IS_HALTED),
            Trouble::Keeps(id) if removes && name == Name::Of(Kind::Snapshot, *id) => return refused("This is never deleted."),
            Trouble::PullsAt(at, leash, why) if work.changes + 1 == *at => leash.pull(*why),
            Trouble::TakesLockAt(at) if work.changes + 1 == *at => {
                for lock in self.inner.list(Kind::Lock)? {
                    self.inner.remove(Name::Of(Kind::Lock, lock.id))?;
                }
                self.state.clock.pass(SignedDuration::from_mins(6));
            }
            _ => {}
        }
        work.changes += 1;
        work.removals += usize::from(removes);
        Ok(())
    }
}

impl Backend for Place {
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
        if !matches!(name, Name::Of(Kind::Lock, _)) {
            self.change(name, false)?;
        }
        self.inner.save(name, bytes)
    }

    fn remove(&self, name: Name) -> Result<(), Error> {
        if !matches!(name, Name::Of(Kind::Lock, _)) {
            self.change(name, true)?;
            self.state.happened(Event::Removed(self.number));
        }
        self.inner.remove(name)
    }

    fn lists_at_once(&self) -> bool {
        self.inner.lists_at_once()
    }
}

//! Keeping a lock that was taken: writing it anew before it is stale, and knowing when it is lost.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use jiff::SignedDuration;

use super::guard::{Options, Terms};
use super::{Clock, LockFile};
use crate::vault::backend::{Kind, Name};
use crate::vault::cancel::Cancel;
use crate::vault::error::Error;
use crate::vault::id::Id;
use crate::vault::repository::Repository;

/// One held lock, shared by its guard and the threads that keep it.
pub(super) struct Keeper {
    repository: Arc<Repository>,
    terms: Terms,
    clock: Arc<dyn Clock>,
    cancel: Cancel,
    /// Held while it is written anew, so that two threads do not do it at once.
    turn: Mutex<()>,
    own: Mutex<Own>,
}

struct Own {
    id: Id,
    file: LockFile,
    /// Of the machine, without the time that it slept: the lock's own time is for that.
    written: Instant,
    /// Older files of this lock that could not be removed yet.
    left_over: Vec<Id>,
    has_ended: bool,
    lost_because: Option<String>,
}

impl Keeper {
    pub(super) fn new(repository: Arc<Repository>, (id, file): (Id, LockFile), options: &Options, cancel: Cancel) -> Self {
        let own = Own { id, file, written: Instant::now(), left_over: Vec::new(), has_ended: false, lost_because: None };
        let (terms, clock) = (options.terms, Arc::clone(&options.clock));
        Self { repository, terms, clock, cancel, turn: Mutex::new(()), own: Mutex::new(own) }
    }

    pub(super) fn id(&self) -> Id {
        self.own().id
    }

    pub(super) fn is_exclusive(&self) -> bool {
        self.own().file.exclusive
    }

    pub(super) fn lost_because(&self) -> Option<String> {
        self.own().lost_because.clone()
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        if self.own().lost_because.is_some() { Err(Error::Cancelled) } else { self.cancel.check() }
    }

    /// Writes the lock anew where its time has come. Where that fails it is tried again the next time; once it is so old that others will
    /// soon take it for stale, it is lost.
    pub(super) fn refresh_when_due(&self) {
        let _turn = self.turn.lock().expect("nothing panics while it refreshes");
        let age = self.age();
        if age.abs() < self.terms.refresh_after || self.own().lost_because.is_some() {
            return;
        }
        match self.refresh(age.abs() >= self.terms.lost_after) {
            Ok(true) => {}
            Ok(false) => self.lose("somebody removed it".to_owned()),
            Err(error) if self.age() >= self.terms.lost_after => self.lose(format!("it could not be written anew: {error}")),
            Err(_) => {}
        }
    }

    /// Loses the lock where writing it anew has taken too long.
    pub(super) fn give_up_when_overdue(&self) {
        let waited = SignedDuration::try_from(self.own().written.elapsed()).unwrap_or(SignedDuration::MAX);
        if waited >= self.terms.lost_after {
            self.lose("it could not be written anew in time".to_owned());
        }
    }

    /// Removes the lock. Whoever is just writing it anew removes what it wrote.
    pub(super) fn end(&self) -> Result<(), Error> {
        let mut own = self.own();
        if std::mem::replace(&mut own.has_ended, true) {
            return Ok(());
        }
        let mut files = std::mem::take(&mut own.left_over);
        files.push(own.id);
        drop(own);
        files.into_iter().map(|id| self.remove(id)).fold(Ok(()), Result::and)
    }

    /// Whether it was still there, and is anew now. Where it is `late` somebody may be removing it as stale at this moment: so it is
    /// looked for again after the new one was written.
    fn refresh(&self, late: bool) -> Result<bool, Error> {
        let (old, mut file) = {
            let own = self.own();
            (own.id, own.file.clone())
        };
        if !self.is_there(old)? {
            return Ok(false);
        }
        file.time = self.clock.now();
        let new = self.repository.save_file(Kind::Lock, &file.to_bytes())?;
        if late {
            self.clock.wait(self.terms.settle);
            if !self.is_there(old).inspect_err(|_| self.forget_later(new))? {
                self.remove(new)?;
                return Ok(false);
            }
        }
        self.adopt(new, file)?;
        Ok(true)
    }

    fn adopt(&self, new: Id, file: LockFile) -> Result<(), Error> {
        let mut own = self.own();
        if own.has_ended {
            drop(own);
            return self.remove(new);
        }
        let old = std::mem::replace(&mut own.id, new);
        own.file = file;
        own.written = Instant::now();
        own.left_over.push(old);
        let left_over = own.left_over.clone();
        drop(own);
        for id in left_over {
            // What stays is tried again the next time, and at the end.
            if self.remove(id).is_ok() {
                self.own().left_over.retain(|other| *other != id);
            }
        }
        Ok(())
    }

    fn forget_later(&self, id: Id) {
        self.own().left_over.push(id);
    }

    fn lose(&self, why: String) {
        let mut own = self.own();
        if !own.has_ended {
            own.lost_because.get_or_insert(why);
            self.cancel.raise();
        }
    }

    fn age(&self) -> SignedDuration {
        self.clock.now().duration_since(self.own().file.time)
    }

    fn is_there(&self, id: Id) -> Result<bool, Error> {
        Ok(self.repository.backend().list(Kind::Lock)?.iter().any(|listed| listed.id == id))
    }

    fn remove(&self, id: Id) -> Result<(), Error> {
        self.repository.backend().remove(Name::Of(Kind::Lock, id))
    }

    fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().expect("nothing panics while it holds the lock's state")
    }
}

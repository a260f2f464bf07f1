//! Taking a lock, and having it.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use jiff::SignedDuration;

use super::keeper::Keeper;
use super::{Clock, LockFile, Mode, SystemClock, read};
use crate::vault::backend::{Kind, Name};
use crate::vault::cancel::Cancel;
use crate::vault::error::Error;
use crate::vault::id::Id;
use crate::vault::jitter::{part_of, random};
use crate::vault::keys::Maker;
use crate::vault::repository::Repository;

/// The longest wait between two tries, and without looking at [`Cancel`].
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
const LONGEST_NAP: Duration = Duration::from_millis(200);

/// How long the parts of locking take.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Between writing a lock and looking whether somebody else did, where that must be waited for.
    pub settle: Duration,
    /// How old a lock gets before it is written anew.
    pub refresh_after: SignedDuration,
    /// How old it may get where that fails: well before others take it for stale.
    pub lost_after: SignedDuration,
    /// How often its age is looked at.
    pub look_every: Duration,
    /// The longest that the first pause between two tries may be; this doubles from try to try.
    pub first_pause: Duration,
}

/// How a lock is taken.
#[derive(Clone)]
pub struct Options {
    /// Who takes it. Its host is this machine's name: by it a lock of a process that is gone is known.
    pub holder: Maker,
    /// How long to try where somebody else's lock is in the way.
    pub retry_for: Duration,
    pub terms: Terms,
    pub clock: Arc<dyn Clock>,
}

/// A lock that is held. Dropping it removes it; where that fails others find it stale in time.
pub struct Guard {
    keeper: Arc<Keeper>,
    /// Its end is the sign for the threads to end.
    _ends: [Sender<()>; 2],
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            settle: Duration::from_millis(200),
            refresh_after: SignedDuration::from_mins(5),
            lost_after: SignedDuration::from_secs(22 * 60 + 30),
            look_every: Duration::from_secs(5),
            first_pause: Duration::from_secs(5),
        }
    }
}

impl Options {
    pub fn new(holder: Maker) -> Self {
        Self { holder, retry_for: Duration::ZERO, terms: Terms::default(), clock: Arc::new(SystemClock) }
    }
}

impl Guard {
    /// Takes a lock, and keeps it fresh. [`Error::Locked`] says who is in the way; [`Error::Refused`] where the place takes no files below
    /// `locks/`: who only reads may go on without. Where the lock is lost, `cancel` is raised.
    pub fn take(repository: &Arc<Repository>, mode: Mode, options: &Options, cancel: &Cancel) -> Result<Self, Error> {
        let mut pause = options.terms.first_pause;
        let mut left = options.retry_for;
        loop {
            cancel.check()?;
            match try_once(repository, mode, options) {
                Err(Error::Locked(_)) if !left.is_zero() => {
                    // Two who came at once gave way to each other, and after equal pauses would do so again.
                    let now = part_of(pause, random()).min(left);
                    wait(now, &*options.clock, cancel)?;
                    // A pause of nothing would be tried for ever.
                    left = left.saturating_sub(now.max(Duration::from_millis(1)));
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(error) => return Err(error),
                Ok((id, file)) => {
                    let keeper = Keeper::new(Arc::clone(repository), (id, file), options, cancel.clone());
                    return Ok(Self::keep(Arc::new(keeper), options.terms.look_every));
                }
            }
        }
    }

    /// Starts the two threads: one writes the lock anew, and may hang in that; the other one sees when it has for too long.
    fn keep(keeper: Arc<Keeper>, look_every: Duration) -> Self {
        let repeat = |step: fn(&Keeper)| {
            let (end, ended) = channel::<()>();
            let keeper = Arc::clone(&keeper);
            std::thread::spawn(move || {
                while ended.recv_timeout(look_every) == Err(RecvTimeoutError::Timeout) {
                    step(&keeper);
                }
            });
            end
        };
        let ends = [repeat(Keeper::refresh_when_due), repeat(Keeper::give_up_when_overdue)];
        Self { keeper, _ends: ends }
    }

    /// Insists that the lock is still ours, in time: to be called before what must not be done without it, such as storing a snapshot or
    /// removing packs. A machine may have slept since the line before. Costs nothing while the lock is young; else it is written anew
    /// first. [`Error::Cancelled`] where it is lost.
    pub fn confirm(&self) -> Result<(), Error> {
        self.keeper.refresh_when_due();
        self.keeper.check()
    }

    /// Whether it is still ours, whatever was cancelled meanwhile: to be asked before what ends cancelled work. As [`Self::confirm`] it
    /// is written anew first where that is due.
    pub fn is_held(&self) -> bool {
        self.keeper.refresh_when_due();
        self.keeper.lost_because().is_none()
    }

    pub fn is_exclusive(&self) -> bool {
        self.keeper.is_exclusive()
    }

    /// Why `cancel` was raised, where it was the lock that was lost.
    pub fn lost_because(&self) -> Option<String> {
        self.keeper.lost_because()
    }

    /// The file that stands for it now.
    pub fn id(&self) -> Id {
        self.keeper.id()
    }

    /// Removes it; says whether that was done.
    pub fn release(self) -> Result<(), Error> {
        self.keeper.end()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Nothing is lost: nobody refreshes it any more, so it becomes stale.
        let _: Result<(), Error> = self.keeper.end();
    }
}

fn try_once(repository: &Repository, mode: Mode, options: &Options) -> Result<(Id, LockFile), Error> {
    let mut passed = HashSet::new();
    look_for_others(repository, mode, options, &mut passed)?;
    let file = LockFile::new(mode, &options.holder, options.clock.now());
    let id = repository.save_file(Kind::Lock, &file.to_bytes())?;
    passed.insert(id);
    // Who shares need not wait where a list tells of everything: of two that come at once the one that writes later sees the other.
    if mode == Mode::Exclusive || !repository.backend().lists_at_once() {
        options.clock.wait(options.terms.settle);
    }
    match look_for_others(repository, mode, options, &mut passed) {
        Ok(()) => Ok((id, file)),
        Err(error) => {
            // The error that is in the way already is the one to tell.
            let _: Result<(), Error> = repository.backend().remove(Name::Of(Kind::Lock, id));
            Err(error)
        }
    }
}

/// [`Error::Locked`] where another lock is in the way. Stale ones that would be are removed. `passed` are files that need not be read
/// again: what is in them never changes.
fn look_for_others(repository: &Repository, mode: Mode, options: &Options, passed: &mut HashSet<Id>) -> Result<(), Error> {
    for listed in repository.backend().list(Kind::Lock)? {
        if passed.contains(&listed.id) {
            continue;
        }
        match read(repository, listed) {
            Ok(other) if !other.is_against(mode) => {}
            Ok(other) if other.is_stale(options.clock.now(), &options.holder.hostname) => {
                repository.backend().remove(Name::Of(Kind::Lock, listed.id))?;
            }
            Ok(other) => return Err(Error::Locked(other.to_string())),
            Err(Error::NotFound(_) | Error::Damaged { .. }) => {}
            Err(error) => return Err(error),
        }
        passed.insert(listed.id);
    }
    Ok(())
}

/// Waits in naps, so that [`Cancel`] is heeded soon.
fn wait(time: Duration, clock: &dyn Clock, cancel: &Cancel) -> Result<(), Error> {
    let mut left = time;
    while !left.is_zero() {
        cancel.check()?;
        let nap = left.min(LONGEST_NAP);
        clock.wait(nap);
        left -= nap;
    }
    cancel.check()
}

//! Guarded time at work: fed by the clocks, kept in the catalog, shared with the processes beside this one.

use std::sync::Mutex;

use super::catalog::{CatalogError, Connection, Fault};
use super::guarded_time::GuardedTime;
use super::{Result, Store};
use crate::clock::Clock;
use crate::model::instant::{Instant, SECOND_MICROS};

/// No clock that runs right says an earlier time than this release: 2026-11-24.
pub(super) const RELEASED_AT: Instant = Instant::from_seconds(1_795_478_400);

/// The running guarded time of this process.
pub(super) struct StoreTime {
    clock: Clock,
    state: Mutex<State>,
}

struct State {
    guarded: GuardedTime,
    /// The engine's wall clock minus this machine's, where the engine has one of its own.
    engine_offset: i64,
    was_paused: bool,
}

/// What `clock accept` did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClockAccepted {
    pub before: Instant,
    pub after: Instant,
}

impl StoreTime {
    /// Reads the stored time, or begins one at `start` (the newest instant the store knows). Without either a new store follows the
    /// wall clock at once, and one that has files begins at the newest of them.
    pub(super) fn load(clock: Clock, connection: &mut dyn Connection, start: Option<Instant>) -> Result<Self, CatalogError> {
        let engine_offset = engine_offset(&clock, connection)?;
        let ((wall, boot), boot_id) = (clock.both(), clock.boot_id());
        let wall = wall.plus_micros(engine_offset);
        let mut guarded = match stored(connection)? {
            Some(guarded) => guarded,
            None => {
                let begin = start.map_or_else(|| newest_file(connection), |start| Ok(Some(start)))?.unwrap_or(wall);
                GuardedTime::starting(begin.max(RELEASED_AT), wall, boot, &boot_id)
            }
        };
        guarded.look(wall, boot, &boot_id);
        Ok(Self { clock, state: Mutex::new(State { guarded, engine_offset, was_paused: false }) })
    }

    pub(super) fn now(&self) -> Instant {
        self.state.lock().expect("nobody panics while holding the time").guarded.at(self.clock.boot_micros())
    }

    /// From when a life that begins now is counted: the later of guarded and wall time, in whole seconds.
    pub(super) fn kept_from(&self) -> Instant {
        Instant::from_seconds(self.now().max(self.wall()).seconds())
    }

    pub(super) fn wall(&self) -> Instant {
        let offset = self.state.lock().expect("nobody panics while holding the time").engine_offset;
        self.clock.wall().plus_micros(offset)
    }

    /// Of this machine's clock that knows no jumps.
    pub(super) fn boot_micros(&self) -> i64 {
        self.clock.boot_micros()
    }

    /// Whether this is the machine's clock and no test's.
    pub(super) fn is_system(&self) -> bool {
        self.clock.is_system()
    }

    /// Why expiry is paused, where it is.
    pub(super) fn paused(&self) -> Option<String> {
        let ahead = self.state.lock().expect("nobody panics while holding the time").guarded.paused_by()?;
        let hours = ahead / crate::model::instant::HOUR_MICROS;
        Some(format!(
            "the wall clock is {hours} h ahead of what can be believed; nothing expires until it is set right or `strongroom clock accept`"
        ))
    }

    /// Follows the clocks; the caller stores what it is given.
    fn tick(&self, stored: Option<&GuardedTime>, engine_offset: i64) -> GuardedTime {
        self.take_in(stored, engine_offset, |guarded, wall, boot, boot_id| {
            guarded.tick(wall, boot, boot_id);
            guarded.clone()
        })
    }

    /// Looks at the clocks; returns how far the wall clock could be followed.
    fn look(&self, stored: Option<&GuardedTime>, engine_offset: i64) -> i64 {
        self.take_in(stored, engine_offset, GuardedTime::look)
    }

    fn take_in<T>(
        &self,
        stored: Option<&GuardedTime>,
        engine_offset: i64,
        look: impl FnOnce(&mut GuardedTime, Instant, i64, &str) -> T,
    ) -> T {
        let mut state = self.state.lock().expect("nobody panics while holding the time");
        let ((wall, boot), boot_id) = (self.clock.both(), self.clock.boot_id());
        if let Some(stored) = stored {
            state.guarded.merge(stored, boot);
        }
        state.engine_offset = engine_offset;
        let wall = wall.plus_micros(engine_offset);
        let seen = look(&mut state.guarded, wall, boot, &boot_id);
        let paused = state.guarded.paused_by().is_some();
        if paused && !state.was_paused {
            tracing::error!(
                wall = %wall.rfc3339(),
                guarded = %state.guarded.at(boot).rfc3339(),
                "the wall clock jumped ahead: expiry is paused until `strongroom clock accept`"
            );
        } else if !paused && state.was_paused {
            tracing::info!("expiry goes on: the wall clock was confirmed");
        }
        state.was_paused = paused;
        seen
    }
}

impl Store {
    /// Looks at the clocks and at what other processes stored. A wall clock that went ahead is followed at once, and that is stored.
    pub(super) async fn tick_time(&self) -> Result<()> {
        let store = self.clone();
        let lead = self
            .read(move |connection| {
                let offset = engine_offset(&store.inner.time.clock, connection)?;
                Ok(store.inner.time.look(stored(connection)?.as_ref(), offset))
            })
            .await?;
        if lead > SECOND_MICROS && self.check_writes().is_ok() { self.keep_time().await } else { Ok(()) }
    }

    /// Stores guarded time, so that a restart goes on from here.
    pub(super) async fn keep_time(&self) -> Result<()> {
        let store = self.clone();
        self.write(move |connection| {
            lock(connection)?;
            let offset = engine_offset(&store.inner.time.clock, connection)?;
            let guarded = store.inner.time.tick(stored(connection)?.as_ref(), offset);
            keep(connection, &guarded)
        })
        .await
    }

    /// Takes the wall clock for right: expiry goes on by it, in every process on this store.
    pub async fn accept_clock(&self) -> Result<ClockAccepted> {
        let store = self.clone();
        self.write(move |connection| {
            lock(connection)?;
            let time = &store.inner.time;
            let offset = engine_offset(&time.clock, connection)?;
            let mut guarded = time.tick(stored(connection)?.as_ref(), offset);
            let boot = time.clock.boot_micros();
            let before = guarded.at(boot);
            guarded.accept(time.clock.wall().plus_micros(offset), boot);
            keep(connection, &guarded)?;
            let after = guarded.at(boot);
            time.state.lock().expect("nobody panics while holding the time").guarded = guarded;
            Ok(ClockAccepted { before, after })
        })
        .await
    }
}

fn engine_offset(clock: &Clock, connection: &mut dyn Connection) -> Result<i64, CatalogError> {
    if !clock.is_system() {
        return Ok(0);
    }
    Ok(connection.wall_micros()?.map_or(0, |wall| wall.saturating_sub(clock.wall().micros())))
}

fn stored(connection: &mut dyn Connection) -> Result<Option<GuardedTime>, CatalogError> {
    let rows = connection.query("SELECT value FROM store WHERE key = 'guarded_time'", &[])?;
    let Some(row) = rows.first() else { return Ok(None) };
    let text = row.text(0)?;
    let unknown = || CatalogError::new(Fault::Failed, "the guarded time in the catalog was written by a later version");
    GuardedTime::from_text(text).map(Some).ok_or_else(unknown)
}

/// Reads every row: asked only of a catalog that has no guarded time.
fn newest_file(connection: &mut dyn Connection) -> Result<Option<Instant>, CatalogError> {
    let rows = connection.query("SELECT MAX(created_at) FROM files", &[])?;
    Ok(rows.first().map(|row| row.optional_int(0)).transpose()?.flatten().map(Instant::from_micros))
}

/// Makes a read that follows see what other processes have stored by now, and keeps them from storing until the transaction ends.
fn lock(connection: &mut dyn Connection) -> Result<(), CatalogError> {
    connection.execute("UPDATE store SET value = value WHERE key = 'guarded_time'", &[]).map(drop)
}

/// Begins guarded time in a catalog that has none.
pub(super) fn begin(connection: &mut dyn Connection, clock: &Clock, start: Instant) -> Result<(), CatalogError> {
    let wall = clock.wall().plus_micros(engine_offset(clock, connection)?);
    keep(connection, &GuardedTime::starting(start, wall, clock.boot_micros(), &clock.boot_id()))
}

fn keep(connection: &mut dyn Connection, guarded: &GuardedTime) -> Result<(), CatalogError> {
    super::rows::set(connection, "guarded_time", &guarded.to_text())
}

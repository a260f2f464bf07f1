//! What time alone does: due instants become runs, missed ones are told and made good, silent runs are given up, cleanups come round.
//!
//! Several servers tick on one catalog. Whoever moves the fleet's clock does the tick; the others see that it was moved. Waiting is
//! counted on the `served` clock, which runs only while a server does: nobody misses a backup because the server was down.

use super::agent_rows::agents_where;
use super::agents::known;
use super::configuration_rows::configurations_where;
use super::configurations::next_at;
use super::due::make_due;
use super::ending::{ended, finish};
use super::registration::cleanup_offset;
use super::run_rows::{insert, new, runs_where};
use super::{Rows, Times, cleanups, hold_all, next_id, restorable, served, wants};
use crate::model::agent::ONLINE_MICROS;
use crate::model::configuration::{BackupConfiguration, MissedAction};
use crate::model::instant::{DAY_MICROS, HOUR_MICROS, Instant, SECOND_MICROS};
use crate::model::run::{RunKind, RunState};
use crate::model::run_record::Run;
use crate::store::catalog::Connection;
use crate::store::{Result, Store};

/// How long a due run may wait for its agent; less where the schedule is dense.
const GRACE_MICROS: i64 = 15 * MINUTE_MICROS;
/// Without a sign of life of its agent a taken run is given up.
const LOST_MICROS: i64 = 30 * MINUTE_MICROS;
/// Whose counters stand still for so long is given up, too.
const STALLED_MICROS: i64 = 6 * HOUR_MICROS;
/// How long a stop waits for its answer.
const STOP_MICROS: i64 = 10 * MINUTE_MICROS;
/// How long what a user started waits for its agent.
const WAIT_MICROS: i64 = 24 * HOUR_MICROS;
/// How long a restore may be in the making.
const CREATING_MICROS: i64 = 90 * DAY_MICROS;
const MINUTE_MICROS: i64 = 60 * SECOND_MICROS;
const WEEK_MICROS: i64 = 7 * DAY_MICROS;
/// No tick counts for more: a machine that slept served nobody.
const MOST_MICROS: i64 = MINUTE_MICROS;
/// Rows of one tick; the rest follow with the next.
pub(super) const BATCH: usize = 500;

/// What one tick did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ticked {
    pub due: usize,
    pub missed: usize,
    pub given_up: usize,
    pub catch_ups: usize,
    pub cleanups: usize,
}

impl Store {
    /// Does what is due, unless another server did so a moment ago. `ran_micros` is how long this server has run since its last tick.
    pub async fn tick_fleet(&self, ran_micros: i64) -> Result<Option<Ticked>> {
        let (times, expiry) = (self.times(), self.expiry_time());
        let most = if self.inner.time.is_system() { MOST_MICROS } else { i64::MAX };
        self.write(move |connection| {
            // First of all, as every other call does: so none waits for what the other holds.
            hold_all(connection)?;
            let Some(went_back) = advance(connection, times.wall, ran_micros.min(most))? else { return Ok(None) };
            if went_back {
                replan(connection, times.wall)?;
            }
            Ok(Some(Ticked {
                due: make_due(connection, times)?,
                missed: miss(connection, times)?,
                given_up: give_up(connection, times)?,
                catch_ups: catch_up(connection, times)?,
                cleanups: make_cleanups(connection, times, expiry)?,
            }))
        })
        .await
    }

    /// The clock by which `ran_micros` is told.
    pub fn boot_micros(&self) -> i64 {
        self.inner.time.boot_micros()
    }

    /// Plans everything anew: at a start the rules of the zones may be newer ones.
    pub async fn replan_fleet(&self) -> Result<()> {
        let wall = self.times().wall;
        self.write(move |connection| replan(connection, wall)).await
    }
}

/// Moves the clock on; `None` where another server is faster, else whether the wall clock went back.
fn advance(connection: &mut dyn Connection, wall: Instant, ran_micros: i64) -> Rows<Option<bool>> {
    let rows = connection.query("SELECT ticked_at FROM fleet_clock WHERE id = 1", &[])?;
    let Some(ticked_at) = rows.first().map(|row| row.int(0)).transpose()? else { return Ok(None) };
    let since = wall.micros() - ticked_at;
    let counted = if ticked_at == 0 { 0 } else { since.max(0).min(ran_micros.max(0)) };
    // A wall clock that went back says nothing of how long it was.
    let counted = if since < 0 { ran_micros.clamp(0, MOST_MICROS) } else { counted };
    let statement = "UPDATE fleet_clock SET ticked_at = $1, served = served + $2 WHERE id = 1 AND ticked_at = $3";
    let moved = connection.execute(statement, &[wall.micros().into(), counted.into(), ticked_at.into()])?;
    Ok((moved > 0).then_some(since < 0))
}

fn replan(connection: &mut dyn Connection, wall: Instant) -> Rows<()> {
    for configuration in configurations_where(connection, "next_at IS NOT NULL", &[])? {
        let agent = known(connection, configuration.agent)?;
        let Some(next) = next_at(&configuration, &agent, wall) else { continue };
        // An instant that has passed is due, not to be forgotten.
        if configuration.next_at.is_some_and(|planned| planned > next) {
            let values = [configuration.id.into(), next.micros().into()];
            connection.execute("UPDATE configurations SET next_at = $2 WHERE id = $1", &values)?;
        }
    }
    Ok(())
}

/// Due runs that nobody took in time, and what users started and nobody took within a day.
fn miss(connection: &mut dyn Connection, times: Times) -> Rows<usize> {
    let served = served(connection)?;
    let mut missed = 0;
    let waiting = "live = 1 AND state = $1 ORDER BY id";
    for mut run in runs_where(connection, waiting, &[RunState::StartScheduled.as_str().into()])? {
        let Some(configuration) = configurations_where(connection, "id = $1", &[run.configuration.unwrap_or(0).into()])?.pop() else {
            continue;
        };
        let interval = configuration.settings.schedule.interval_micros().unwrap_or(i64::MAX);
        if waited(connection, &run, served)? < GRACE_MICROS.min(interval / 2) {
            continue;
        }
        owe(connection, &configuration, &run, times)?;
        let report = ended("Missed", &missed_text(&run));
        finish(connection, &mut run, RunState::Missed, &report, times)?;
        missed += 1;
    }
    for mut run in runs_where(connection, waiting, &[RunState::StartRequested.as_str().into()])? {
        if waited(connection, &run, served)? < WAIT_MICROS {
            continue;
        }
        let (state, reason) = match run.kind {
            RunKind::Backup => (RunState::Missed, "Missed"),
            RunKind::Restore | RunKind::Cleanup => (RunState::Failed, "AgentOffline"),
        };
        finish(connection, &mut run, state, &ended(reason, "The agent did not take it within 24 hours."), times)?;
        missed += 1;
    }
    Ok(missed)
}

fn missed_text(run: &Run) -> String {
    let text = "The agent did not take the backup in time: it was not running, or could not reach the server.";
    if run.occurrences > 1 { format!("{text} It stands for {} occurrences.", run.occurrences) } else { text.to_owned() }
}

/// The occurrence is to be made good as soon as the agent is back, where the configuration says so.
fn owe(connection: &mut dyn Connection, configuration: &BackupConfiguration, run: &Run, times: Times) -> Rows<()> {
    if configuration.settings.missed_action != MissedAction::CatchUp || configuration.deleted_at.is_some() {
        return Ok(());
    }
    // There is one catch-up for each instant: one that was missed itself is owed anew from now.
    let owed = run.due_at.filter(|_| !run.is_catch_up).unwrap_or(times.wall);
    let statement = "UPDATE configurations SET catch_up_at = $2 WHERE id = $1";
    connection.execute(statement, &[configuration.id.into(), owed.micros().into()]).map(drop)
}

fn waited(connection: &mut dyn Connection, run: &Run, served: i64) -> Rows<i64> {
    let rows = connection.query("SELECT changed_served FROM runs WHERE id = $1", &[run.id.into()])?;
    Ok(served - rows.first().map_or(Ok(served), |row| row.int(0))?)
}

/// Runs whose agent is silent, stands still, or does not answer a stop; restores that were never started.
fn give_up(connection: &mut dyn Connection, times: Times) -> Rows<usize> {
    let served = served(connection)?;
    excuse(connection, served)?;
    let taken = "live = 1 AND state IN ('Queued', 'Preparing', 'InProgress', 'StopRequested') AND (changed_served <= $2 \
                 AND state = 'StopRequested' OR progress_served <= $3 AND state IN ('Preparing', 'InProgress') \
                 OR state <> 'StopRequested' AND changed_served <= $1 \
                 AND EXISTS (SELECT 1 FROM agents WHERE agents.id = runs.agent AND agents.seen_served <= $1)) ORDER BY id";
    let values = [(served - LOST_MICROS).into(), (served - STOP_MICROS).into(), (served - STALLED_MICROS).into()];
    let silent = runs_where(connection, taken, &values)?;
    for mut run in silent.iter().cloned() {
        if run.state == RunState::StopRequested {
            finish(connection, &mut run, RunState::Stopped, &ended("Stopped", "The agent did not answer the stop."), times)?;
            continue;
        }
        let seen = connection.query("SELECT seen_served FROM agents WHERE id = $1", &[run.agent.into()])?;
        let is_lost = seen.first().map_or(Ok(true), |row| row.int(0).map(|seen| seen <= served - LOST_MICROS))?;
        let (reason, text) = match is_lost {
            true => ("AgentLost", "Nothing was heard of the agent for 30 minutes."),
            false => ("Stalled", "The run made no progress for 6 hours."),
        };
        if run.kind == RunKind::Backup
            && is_lost
            && let Some(configuration) = configurations_where(connection, "id = $1", &[run.configuration.unwrap_or(0).into()])?.pop()
        {
            owe(connection, &configuration, &run, times)?;
        }
        finish(connection, &mut run, RunState::Failed, &ended(reason, text), times)?;
    }
    let old = "UPDATE runs SET deleted_at = $1 WHERE kind = 'Restore' AND state = 'Creating' AND deleted_at IS NULL AND changed_at < $2";
    connection.execute(old, &[times.now.micros().into(), times.now.plus_micros(-CREATING_MICROS).micros().into()])?;
    Ok(silent.len())
}

/// A cleanup that waits for a backup of its agent, or for somebody's word, does not stand still by itself.
fn excuse(connection: &mut dyn Connection, served: i64) -> Rows<()> {
    let waits = "UPDATE runs SET progress_served = $1 WHERE kind = 'Cleanup' AND live = 1 AND (hidden_bytes > hidden_most \
                 OR EXISTS (SELECT 1 FROM runs AS other WHERE other.agent = runs.agent AND other.live = 1 AND other.kind = 'Backup'))";
    connection.execute(waits, &[served.into()]).map(drop)
}

/// One run for all that a configuration missed, once its agent is there and nothing of it is under way.
fn catch_up(connection: &mut dyn Connection, times: Times) -> Rows<usize> {
    let online = times.now.plus_micros(-ONLINE_MICROS).micros();
    let owed = "catch_up_at IS NOT NULL AND active = 1 AND deleted_at IS NULL AND EXISTS (SELECT 1 FROM agents \
                WHERE agents.id = configurations.agent AND agents.seen_at > $1 AND agents.disabled = 0 AND agents.deleted_at IS NULL) ORDER BY id";
    let owed = configurations_where(connection, owed, &[online.into()])?;
    let mut made = 0;
    for configuration in owed {
        connection.execute("UPDATE configurations SET catch_up_at = NULL WHERE id = $1", &[configuration.id.into()])?;
        let live = "SELECT id FROM runs WHERE configuration = $1 AND kind = 'Backup' AND live = 1 LIMIT 1";
        if !connection.query(live, &[configuration.id.into()])?.is_empty() {
            continue;
        }
        let id = next_id(connection)?;
        let mut run = new(id, RunKind::Backup, &configuration.tenant, configuration.agent, RunState::StartScheduled, times.now);
        (run.configuration, run.due_at, run.is_catch_up) = (Some(configuration.id), configuration.catch_up_at, true);
        if insert(connection, &run, None, None)? {
            wants(connection, configuration.agent)?;
            made += 1;
        }
    }
    Ok(made)
}

fn make_cleanups(connection: &mut dyn Connection, times: Times, expiry: restorable::ExpiryTime) -> Rows<usize> {
    let due = format!("cleanup_due_at <= $1 AND deleted_at IS NULL ORDER BY cleanup_due_at LIMIT {BATCH}");
    let due = agents_where(connection, &due, &[times.now.micros().into()])?;
    for agent in &due {
        // The next one is a whole week on, at the agent's own minute.
        let week = times.now.micros().div_euclid(WEEK_MICROS) * WEEK_MICROS + cleanup_offset(agent.id);
        let next = if week > times.now.micros() { week } else { week + WEEK_MICROS };
        connection.execute("UPDATE agents SET cleanup_due_at = $2 WHERE id = $1", &[agent.id.into(), next.into()])?;
        if !agent.is_disabled {
            cleanups::make(connection, agent, times.now, expiry)?;
        }
    }
    Ok(due.len())
}

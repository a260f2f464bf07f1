//! Instants that have come become runs.
//!
//! Schedules go by the wall clock, as their users do, and a wall clock may be set to anything at any time. What is promised of it: each
//! instant becomes one run, so an hour that a clock repeats backs up once; but a clock that starts over at one false date again and again,
//! as that of a machine with a flat battery does at each boot, does not use its instants up: one that comes long after it came, by the
//! time that servers have run, is due again. And nothing is due within a minute of the run before it.

use super::agents::known;
use super::backups::is_waiting;
use super::configuration_rows::configurations_where;
use super::configurations::{anchor_before, next_at};
use super::ending::{ended, finish};
use super::run_rows::{insert, new};
use super::tick::BATCH;
use super::{Rows, Times, next_id, served, wants};
use crate::model::configuration::BackupConfiguration;
use crate::model::instant::{HOUR_MICROS, Instant, SECOND_MICROS};
use crate::model::run::{RunKind, RunState};
use crate::store::catalog::Connection;

/// At least so much time, of that which servers have run, lies between a run of a configuration and the next that is due.
const BETWEEN_MICROS: i64 = 60 * SECOND_MICROS;
/// An instant that ended longer ago than this, in the same time, was another one, whatever the wall clock says. Clocks that are wrong by
/// the offset of their zone at each boot are set right within minutes.
const LONG_AGO_MICROS: i64 = 2 * HOUR_MICROS;

/// Instants that have come become runs. All that one configuration let pass count as one, the newest.
pub(super) fn make_due(connection: &mut dyn Connection, times: Times) -> Rows<usize> {
    let served = served(connection)?;
    let last = "SELECT changed_served FROM runs WHERE configuration = configurations.id AND kind = 'Backup' ORDER BY id DESC LIMIT 1";
    let due = format!("next_at <= $1 AND COALESCE(({last}) <= $2, TRUE) ORDER BY next_at, id LIMIT {BATCH}");
    let due = configurations_where(connection, &due, &[times.wall.micros().into(), (served - BETWEEN_MICROS).into()])?;
    for configuration in &due {
        make_one_due(connection, configuration, served, times)?;
    }
    Ok(due.len())
}

fn make_one_due(connection: &mut dyn Connection, configuration: &BackupConfiguration, served: i64, times: Times) -> Rows<()> {
    let Some(planned) = configuration.next_at else { return Ok(()) };
    let agent = known(connection, configuration.agent)?;
    let next = next_at(configuration, &agent, times.wall);
    let move_on = "UPDATE configurations SET next_at = $2 WHERE id = $1 AND next_at = $3 AND active = 1 AND deleted_at IS NULL";
    let values = [configuration.id.into(), next.map(Instant::micros).into(), planned.micros().into()];
    if connection.execute(move_on, &values)? == 0 || agent.is_disabled {
        return Ok(());
    }
    let schedule = &configuration.settings.schedule;
    let before = planned.plus_micros(-1);
    let passed = schedule.occurrences(anchor_before(configuration, before), before, times.wall);
    let Some(due) = unused(connection, configuration, passed.newest.unwrap_or(planned), served)? else { return Ok(()) };
    let mut run = new(next_id(connection)?, RunKind::Backup, &configuration.tenant, agent.id, RunState::StartScheduled, times.now);
    run.configuration = Some(configuration.id);
    run.due_at = Some(due);
    run.occurrences = i64::try_from(passed.count.max(1)).unwrap_or(i64::MAX);
    let is_waiting = is_waiting(connection, configuration.id)?;
    if !insert(connection, &run, None, None)? {
        return Ok(());
    }
    if is_waiting {
        return finish(connection, &mut run, RunState::Skipped, &ended("Skipped", ANOTHER_WAITS), times);
    }
    wants(connection, agent.id)
}

const ANOTHER_WAITS: &str = "The backup before was still waiting for its agent.";

/// The instant itself. Where the wall clock has shown it before, `None`; but once it is [`LONG_AGO_MICROS`] or half of the schedule's
/// period, the next microsecond of which there is no run.
fn unused(connection: &mut dyn Connection, configuration: &BackupConfiguration, due: Instant, served: i64) -> Rows<Option<Instant>> {
    let before =
        "SELECT MAX(due_at), MAX(changed_served) FROM runs WHERE configuration = $1 AND catch_up = 0 AND due_at >= $2 AND due_at < $3";
    let values = [configuration.id.into(), due.micros().into(), due.plus_micros(SECOND_MICROS).micros().into()];
    let rows = connection.query(before, &values)?;
    let Some(row) = rows.first() else { return Ok(Some(due)) };
    let (Some(newest), Some(ended)) = (row.optional_int(0)?, row.optional_int(1)?) else { return Ok(Some(due)) };
    let long_ago = configuration.settings.schedule.interval_micros().map_or(LONG_AGO_MICROS, |period| LONG_AGO_MICROS.min(period / 2));
    Ok((served - ended >= long_ago).then(|| Instant::from_micros(newest + 1)))
}

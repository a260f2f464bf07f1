//! Instants that have come become runs.

use super::agents::known;
use super::backups::is_waiting;
use super::configuration_rows::configurations_where;
use super::configurations::{anchor_before, next_at};
use super::ending::{ended, finish};
use super::run_rows::{insert, new};
use super::tick::BATCH;
use super::{Rows, Times, next_id, wants};
use crate::model::configuration::BackupConfiguration;
use crate::model::instant::Instant;
use crate::model::run::{RunKind, RunState};
use crate::store::catalog::Connection;

/// Instants that have come become runs. All that one configuration let pass count as one, the newest.
pub(super) fn make_due(connection: &mut dyn Connection, times: Times) -> Rows<usize> {
    let due = format!("next_at <= $1 ORDER BY next_at, id LIMIT {BATCH}");
    let due = configurations_where(connection, &due, &[times.wall.micros().into()])?;
    for configuration in &due {
        make_one_due(connection, configuration, times)?;
    }
    Ok(due.len())
}

fn make_one_due(connection: &mut dyn Connection, configuration: &BackupConfiguration, times: Times) -> Rows<()> {
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
    let mut run = new(next_id(connection)?, RunKind::Backup, &configuration.tenant, agent.id, RunState::StartScheduled, times.now);
    run.configuration = Some(configuration.id);
    run.due_at = Some(passed.newest.unwrap_or(planned));
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

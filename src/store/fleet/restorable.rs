//! Which backups can be restored: complete, not expired, their configuration there, and their snapshot live and whole in its vault.

use std::collections::HashSet;

use super::run_rows::{COLUMNS, run, runs_where};
use super::{Rows, configuration_rows::configurations_where};
use crate::model::configuration::VersionRetention;
use crate::model::instant::Instant;
use crate::model::run_record::Run;
use crate::store::catalog::Connection;

/// SQL for backups whose snapshot is there, before any age is looked at. A deleted agent has none, also while its last run goes on.
pub(super) const THERE: &str = "runs.kind = 'Backup' AND runs.snapshot IS NOT NULL AND runs.forgotten_at IS NULL \
     AND EXISTS (SELECT 1 FROM agents JOIN files ON files.account = agents.account WHERE agents.id = runs.source \
     AND agents.deleted_at IS NULL AND files.name = runs.snapshot AND files.state = 'live' AND files.damaged_at IS NULL)";

/// Guarded time as expiry sees it; `None` while expiry is paused, when nothing grows too old.
pub type ExpiryTime = Option<Instant>;

impl crate::store::Store {
    pub(super) fn expiry_time(&self) -> ExpiryTime {
        if self.inner.time.paused().is_some() { None } else { Some(self.now()) }
    }
}

/// The newest backup of a configuration that is there, with the time of its completion. The newest never expires.
pub(super) fn newest(connection: &mut dyn Connection, configuration: i64) -> Rows<Option<(i64, Instant)>> {
    let statement =
        format!("SELECT id, completed_at FROM runs WHERE configuration = $1 AND {THERE} ORDER BY completed_at DESC, id DESC LIMIT 1");
    let rows = connection.query(&statement, &[configuration.into()])?;
    rows.first().map(|row| Ok((row.int(0)?, Instant::from_micros(row.int(1)?)))).transpose()
}

/// All of a configuration that can be restored, newest first; whether the configuration was deleted is the caller's to ask.
pub(super) fn of_configuration(
    connection: &mut dyn Connection,
    configuration: i64,
    retention: VersionRetention,
    now: ExpiryTime,
) -> Rows<Vec<Run>> {
    let statement = format!("SELECT {COLUMNS} FROM runs WHERE configuration = $1 AND {THERE} ORDER BY completed_at DESC, id DESC");
    let there: Vec<Run> = connection.query(&statement, &[configuration.into()])?.iter().map(run).collect::<Rows<_>>()?;
    let is_over = |run: &Run| run.completed_at.zip(now).is_some_and(|(completed, now)| retention.is_over(completed, now));
    Ok(there.into_iter().enumerate().filter(|(place, run)| *place == 0 || !is_over(run)).map(|(_, run)| run).collect())
}

/// Whether this backup can be restored now.
pub(super) fn is_restorable(connection: &mut dyn Connection, backup: &Run, now: ExpiryTime) -> Rows<bool> {
    if backup.snapshot.is_none() || backup.forgotten_at.is_some() {
        return Ok(false);
    }
    let Some(configuration) = backup.configuration else { return Ok(false) };
    let Some(configuration) = configurations_where(connection, "id = $1", &[configuration.into()])?.pop() else { return Ok(false) };
    if configuration.deleted_at.is_some() && !configuration.keeps_backups {
        return Ok(false);
    }
    if runs_where(connection, &format!("id = $1 AND {THERE}"), &[backup.id.into()])?.is_empty() {
        return Ok(false);
    }
    let is_over = backup.completed_at.zip(now).is_some_and(|(completed, now)| configuration.settings.retention.is_over(completed, now));
    Ok(!is_over || newest(connection, configuration.id)?.is_some_and(|(id, _)| id == backup.id))
}

/// Backups whose snapshot is live in the agent's vault and needed no more: superseded and too old, of a configuration that was deleted,
/// or listed before. A snapshot that another backup needs, too, stays.
pub(super) fn forgettable(connection: &mut dyn Connection, source: i64, now: ExpiryTime) -> Rows<Vec<Run>> {
    let Some(now) = now else { return Ok(Vec::new()) };
    let live = "runs.source = $1 AND runs.kind = 'Backup' AND runs.snapshot IS NOT NULL AND EXISTS (SELECT 1 FROM agents \
                JOIN files ON files.account = agents.account WHERE agents.id = runs.source AND files.name = runs.snapshot \
                AND files.state = 'live') ORDER BY runs.configuration, runs.id";
    let live = runs_where(connection, live, &[source.into()])?;
    let mut forgettable = Vec::new();
    for ours in live.chunk_by(|one, other| one.configuration == other.configuration) {
        let known = match ours[0].configuration {
            Some(id) => configurations_where(connection, "id = $1", &[id.into()])?.pop(),
            None => None,
        };
        // A backup whose configuration no row names is kept: nobody said that it may go.
        let Some(known) = known else { continue };
        let is_deleted = known.deleted_at.is_some() && !known.keeps_backups;
        let newest = newest(connection, known.id)?;
        for run in ours {
            if is_deleted || run.forgotten_at.is_some() || is_expired(run, known.settings.retention, newest, now) {
                forgettable.push(run.clone());
            }
        }
    }
    let gone: HashSet<i64> = forgettable.iter().map(|run| run.id).collect();
    let needed: HashSet<String> = live.iter().filter(|run| !gone.contains(&run.id)).filter_map(|run| run.snapshot.clone()).collect();
    forgettable.retain(|run| run.snapshot.as_ref().is_some_and(|name| !needed.contains(name)));
    Ok(forgettable)
}

/// Old enough, and a newer one can be restored: one that is damaged has no heir of its own age and stays until it has.
fn is_expired(run: &Run, retention: VersionRetention, newest: Option<(i64, Instant)>, now: Instant) -> bool {
    let Some(completed_at) = run.completed_at else { return false };
    retention.is_over(completed_at, now) && newest.is_some_and(|(id, at)| id != run.id && (at, id) > (completed_at, run.id))
}

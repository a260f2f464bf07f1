//! How runs end: by a user's stop, by their agent's report, by the watchdog. One place writes a final state, its report and its mail.

use super::run_rows::{move_to, runs_where};
use super::{Rows, Times, agents, copies_are_stale, json, mail, wants};
use crate::model::instant::Instant;
use crate::model::run::{RunKind, RunState};
use crate::model::run_record::{Run, RunReport};
use crate::store::catalog::{Connection, Value};
use crate::store::hide::hide_where;
use crate::store::sessions;

/// Ends a run. `started_at` and `completed_at` are the server's time; of a run that never began both are its instant.
pub(super) fn finish(connection: &mut dyn Connection, run: &mut Run, state: RunState, report: &RunReport, times: Times) -> Rows<()> {
    let was_taken = run.state.is_taken();
    move_to(connection, run, state, times.now)?;
    let planned = run.due_at.filter(|_| !was_taken).unwrap_or(times.now);
    let completed_at = if was_taken { times.now } else { planned };
    let started_at = run.started_at.unwrap_or(completed_at);
    (run.started_at, run.completed_at) = (Some(started_at), Some(completed_at));
    let statement = "UPDATE runs SET started_at = $2, completed_at = $3, report = $4, files_searched = $5, bytes_searched = $6, \
                     errors = $7, snapshot = $8, snapshot_number = $9, generation = $10, ciphertext = NULL WHERE id = $1";
    let values = [
        run.id.into(),
        started_at.micros().into(),
        completed_at.micros().into(),
        json::report(report).to_string().into(),
        run.counters.files_searched.into(),
        run.counters.bytes_searched.into(),
        run.counters.errors.into(),
        run.snapshot.as_ref().map(|name| name.as_bytes()).into(),
        run.snapshot_number.into(),
        run.generation.into(),
    ];
    connection.execute(statement, &values)?;
    if run.kind == RunKind::Backup && state.is_success() {
        succeeded(connection, run, completed_at)?;
    }
    if run.kind != RunKind::Restore {
        let account = agents::known(connection, run.source)?.account;
        let bytes = agents::live_bytes(connection, &account)?;
        connection.execute("UPDATE agents SET vault_bytes = $2 WHERE id = $1", &[run.source.into(), bytes.into()])?;
    }
    mail::tell_of_run(connection, run, report, times)?;
    wants(connection, run.agent)?;
    copies_are_stale(connection)?;
    close_if_over(connection, run.agent, times)
}

/// What a good backup makes up for.
fn succeeded(connection: &mut dyn Connection, run: &Run, at: Instant) -> Rows<()> {
    connection.execute("UPDATE agents SET last_success_at = $2 WHERE id = $1", &[run.agent.into(), at.micros().into()])?;
    let Some(configuration) = run.configuration else { return Ok(()) };
    let statement = "UPDATE configurations SET catch_up_at = NULL, missed_mailed_at = NULL WHERE id = $1";
    connection.execute(statement, &[configuration.into()]).map(drop)
}

/// Asks the live runs that fit `condition` to stop; those that nobody has taken are stopped at once.
pub(super) fn stop_runs(connection: &mut dyn Connection, condition: &str, values: &[Value], times: Times, why: &str) -> Rows<()> {
    for mut run in runs_where(connection, condition, values)? {
        stop(connection, &mut run, times, why)?;
    }
    Ok(())
}

pub(super) fn stop(connection: &mut dyn Connection, run: &mut Run, times: Times, why: &str) -> Rows<()> {
    match run.state {
        RunState::StopRequested => Ok(()),
        state if state.is_taken() => {
            move_to(connection, run, RunState::StopRequested, times.now)?;
            wants(connection, run.agent)
        }
        _ => finish(connection, run, RunState::Stopped, &ended("Stopped", why), times),
    }
}

/// The report of a run that its agent did not report.
pub(super) fn ended(reason: &str, diagnostics: &str) -> RunReport {
    RunReport { reason: reason.to_owned(), diagnostics: diagnostics.to_owned(), ..RunReport::default() }
}

/// Hides the vault of an agent that was deleted, once none of its runs is live.
pub(super) fn close_if_over(connection: &mut dyn Connection, agent: i64, times: Times) -> Rows<()> {
    let agent = agents::known(connection, agent)?;
    if agent.deleted_at.is_none() {
        return Ok(());
    }
    if !connection.query("SELECT id FROM runs WHERE agent = $1 AND live = 1 LIMIT 1", &[agent.id.into()])?.is_empty() {
        return Ok(());
    }
    hide_where(connection, &agent.account, "", &[], times.now)?;
    // The instant of the hiding, which a revival looks before: it may be later than the clock, where that stands.
    let statement = "UPDATE accounts SET removed_at = CASE WHEN changed_at > $2 THEN changed_at ELSE $2 END \
                     WHERE id = $1 AND removed_at IS NULL";
    connection.execute(statement, &[agent.account.as_str().into(), times.now.micros().into()])?;
    sessions::end_all(connection, &agent.account, times.now)
}

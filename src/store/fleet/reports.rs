//! What agents say of their runs: idempotent, in order, and a final state is final for its attempt.

use super::agent_rows::any_agent;
use super::configuration_rows::configurations_where;
use super::ending::{finish, stop_runs};
use super::run_rows::{insert, move_to, new, report_of, runs_where, settings_of};
use super::{Outcome, Refusal, Rows, Times, hold_all, json, next_id, requests, restorable, restores, served, work};
use crate::model::agent::Agent;
use crate::model::run::{Reported, RunKind, RunState};
use crate::model::run_record::{Run, RunReport};
use crate::model::work::{RunUpdate, WantedRun};
use crate::store::catalog::Connection;
use crate::store::{Result, Store};

/// The sentence of a backup that found far less than the one before.
pub(super) const FAR_LESS: &str = "This backup found less than half of the files of the one before";

impl Store {
    /// Takes a report over. The answer is the run as it is now, with what it is to do where it is live; `None` where it has ended.
    pub async fn report_run(&self, agent: i64, id: i64, update: RunUpdate) -> Result<Outcome<Option<WantedRun>>> {
        let times = self.times();
        self.write(move |connection| {
            // An agent knows what it said itself: its poll is held on.
            hold_all(connection)?;
            let Some(mut run) = runs_where(connection, "id = $1 AND agent = $2", &[id.into(), agent.into()])?.pop() else {
                return Ok(Err(Refusal::NotFound(format!("Run {id} is none of agent {agent}."))));
            };
            let agent = any_agent(connection, agent)?.ok_or_else(|| json::broken("an agent"))?;
            if update.attempt != run.attempt {
                return Ok(Ok(None));
            }
            match run.state.reported(run.kind, update.state) {
                Reported::Refused => {
                    let text = format!("{} does not follow {}.", update.state.as_str(), run.state.as_str());
                    return Ok(Err(Refusal::Conflict(text)));
                }
                Reported::Known => {}
                Reported::Counts => count(connection, &mut run, &update)?,
                Reported::Moves => step(connection, &agent, &mut run, &update, times)?,
                Reported::Late => record_late(connection, &agent, &run, &update, times)?,
            }
            if !run.state.is_live() {
                return Ok(Ok(None));
            }
            work::wanted_run(connection, &run).map(|run| Ok(Some(run)))
        })
        .await
    }
}

fn step(connection: &mut dyn Connection, agent: &Agent, run: &mut Run, update: &RunUpdate, times: Times) -> Rows<()> {
    if update.state.is_final() {
        return end(connection, agent, run, update, times);
    }
    if update.state == RunState::Queued {
        freeze(connection, agent, run)?;
    } else if run.started_at.is_none() {
        run.started_at = Some(times.now);
        connection.execute("UPDATE runs SET started_at = $2 WHERE id = $1", &[run.id.into(), times.now.micros().into()])?;
    }
    move_to(connection, run, update.state, times.now)?;
    count(connection, run, update)
}

/// Copies into the run what it is to do: edits reach it no more. A restore's passphrase is with its agent now.
fn freeze(connection: &mut dyn Connection, agent: &Agent, run: &Run) -> Rows<()> {
    if run.kind == RunKind::Restore {
        connection.execute("UPDATE runs SET ciphertext = NULL WHERE id = $1", &[run.id.into()])?;
    }
    if run.kind != RunKind::Backup || settings_of(connection, run.id)?.is_some() {
        return Ok(());
    }
    let known = configurations_where(connection, "id = $1", &[run.configuration.unwrap_or(0).into()])?.pop();
    let known = known.ok_or_else(|| json::broken("the configuration of a run"))?;
    let settings = json::backup_settings(&known, &agent.facts.machine_name).to_string();
    connection.execute("UPDATE runs SET settings = $2 WHERE id = $1", &[run.id.into(), settings.into()]).map(drop)
}

/// Takes the counters over; the watchdog sees that they move.
fn count(connection: &mut dyn Connection, run: &mut Run, update: &RunUpdate) -> Rows<()> {
    let before = report_of(connection, run.id)?;
    if update.counters == run.counters && (update.files_done, update.bytes_done) == (before.files_done, before.bytes_done) {
        return Ok(());
    }
    run.counters = update.counters;
    let served = served(connection)?;
    let report = RunReport { files_done: update.files_done, bytes_done: update.bytes_done, ..RunReport::default() };
    let statement =
        "UPDATE runs SET files_searched = $2, bytes_searched = $3, errors = $4, progress_served = $5, report = $6 WHERE id = $1";
    let values = [
        run.id.into(),
        run.counters.files_searched.into(),
        run.counters.bytes_searched.into(),
        run.counters.errors.into(),
        served.into(),
        json::report(&report).to_string().into(),
    ];
    connection.execute(statement, &values).map(drop)
}

fn end(connection: &mut dyn Connection, agent: &Agent, run: &mut Run, update: &RunUpdate, times: Times) -> Rows<()> {
    run.counters = update.counters;
    let (state, report) = judged(connection, agent, run, update)?;
    let is_wrong = report.reason == "InvalidPassword";
    if run.kind == RunKind::Restore && (state.is_success() || is_wrong) && restores::settings(connection, run.id)?.carries_password {
        let reference = format!("run {} {}", run.id, run.attempt);
        requests::note_password(connection, agent.id, &reference, is_wrong, times.now)?;
    }
    finish(connection, run, state, &report, times)
}

/// The state that is recorded, and the report. A backup that names no snapshot which is there has failed, whatever it says.
fn judged(connection: &mut dyn Connection, agent: &Agent, run: &mut Run, update: &RunUpdate) -> Rows<(RunState, RunReport)> {
    let mut report = RunReport {
        files_done: update.files_done,
        bytes_done: update.bytes_done,
        reason: String::new(),
        diagnostics: String::new(),
        errors: update.errors.clone(),
    };
    let mut state = update.state;
    if run.kind == RunKind::Backup && state.is_success() {
        match &update.snapshot {
            Some(name) if is_there(connection, agent, name)? => take_snapshot(connection, run, name)?,
            _ => state = RunState::Failed,
        }
    }
    let (reason, diagnostics) = match (run.kind, state) {
        (_, RunState::Failed) if update.state.is_success() => ("AgentError", "The snapshot that was reported is not in the vault."),
        (_, RunState::Failed) => (update.reason.as_deref().unwrap_or("AgentError"), "The run failed."),
        (_, RunState::Stopped) => ("Stopped", "A user stopped it."),
        (RunKind::Restore, RunState::CompletedWithErrors) => ("UnableToProcessSomeFiles", "Some files may not have been restored"),
        (_, RunState::CompletedWithErrors) => ("Success", "Completed With Errors"),
        _ => ("Success", "No errors"),
    };
    reason.clone_into(&mut report.reason);
    diagnostics.clone_into(&mut report.diagnostics);
    if let Some(note) = &update.note {
        report.diagnostics = if state == RunState::Failed { note.clone() } else { format!("{diagnostics}. {note}") };
    }
    if run.occurrences > 1 {
        report.diagnostics = format!("{}. It stands for {} occurrences.", report.diagnostics.trim_end_matches('.'), run.occurrences);
    }
    if let Some(before) = far_less(connection, run, state)? {
        let found = run.counters.files_searched;
        report.diagnostics = format!("{}. {FAR_LESS}: {found} of {before}.", report.diagnostics.trim_end_matches('.'));
    }
    Ok((state, report))
}

fn is_there(connection: &mut dyn Connection, agent: &Agent, name: &str) -> Rows<bool> {
    let statement = "SELECT 1 FROM files WHERE account = $1 AND name = $2 AND state = 'live' AND damaged_at IS NULL";
    let values = [agent.account.as_str().into(), name.as_bytes().into()];
    Ok(generation_of(name).is_some() && !connection.query(statement, &values)?.is_empty())
}

/// The generation in `/gN/snapshots/ID`.
pub(super) fn generation_of(snapshot: &str) -> Option<i64> {
    let (prefix, id) = snapshot.split_once("/snapshots/")?;
    let number = prefix.strip_prefix("/g")?.parse().ok().filter(|number| *number > 0)?;
    (id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(number)
}

pub(super) fn take_snapshot(connection: &mut dyn Connection, run: &mut Run, name: &str) -> Rows<()> {
    let statement = "SELECT CAST(COALESCE(MAX(snapshot_number), 0) AS BIGINT) FROM runs WHERE source = $1 AND snapshot IS NOT NULL";
    let last = connection.query(statement, &[run.source.into()])?.first().map_or(Ok(0), |row| row.int(0))?;
    run.snapshot = Some(name.to_owned());
    run.snapshot_number = Some(last + 1);
    run.generation = generation_of(name);
    Ok(())
}

/// How many files the backup before found, where this one found less than half.
fn far_less(connection: &mut dyn Connection, run: &Run, state: RunState) -> Rows<Option<i64>> {
    let (true, Some(configuration)) = (run.kind == RunKind::Backup && state.is_success(), run.configuration) else { return Ok(None) };
    let Some((before, _)) = restorable::newest(connection, configuration)? else { return Ok(None) };
    let before = runs_where(connection, "id = $1", &[before.into()])?.pop().map_or(0, |before| before.counters.files_searched);
    Ok((run.counters.files_searched < before - run.counters.files_searched).then_some(before))
}

/// A backup that is there although its run was given up is worth keeping: a run of its own records it, once, and nothing is owed for
/// the one that was given up.
fn record_late(connection: &mut dyn Connection, agent: &Agent, given_up: &Run, update: &RunUpdate, times: Times) -> Rows<()> {
    let Some(snapshot) = update.snapshot.as_deref() else { return Ok(()) };
    if !connection.query("SELECT id FROM runs WHERE late_of = $1", &[given_up.id.into()])?.is_empty()
        || !is_there(connection, agent, snapshot)?
    {
        return Ok(());
    }
    let excused = "configuration = $1 AND kind = 'Backup' AND live = 1 AND catch_up = 1 AND state = 'StartScheduled'";
    stop_runs(connection, excused, &[given_up.configuration.into()], times, "The backup that was given up was complete after all.")?;
    let named = "source = $1 AND snapshot = $2 LIMIT 1";
    if !runs_where(connection, named, &[agent.id.into(), snapshot.as_bytes().into()])?.is_empty() {
        // Its row was made at the start of the agent, from the tags of the snapshot.
        let paid = "UPDATE configurations SET catch_up_at = NULL WHERE id = $1";
        return connection.execute(paid, &[given_up.configuration.into()]).map(drop);
    }
    let mut run = new(next_id(connection)?, RunKind::Backup, &given_up.tenant, given_up.agent, RunState::InProgress, times.now);
    run.configuration = given_up.configuration;
    run.started_at = given_up.started_at;
    let settings = settings_of(connection, given_up.id)?;
    insert(connection, &run, Some(given_up.id), settings)?;
    end(connection, agent, &mut run, update, times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_named_with_its_generation() {
        let id = "0a".repeat(32);
        assert_eq!(generation_of(&format!("/g1/snapshots/{id}")), Some(1));
        assert_eq!(generation_of(&format!("/g12/snapshots/{id}")), Some(12));
        for name in [format!("/snapshots/{id}"), format!("/g0/snapshots/{id}"), format!("/g1/keys/{id}"), "/g1/snapshots/x".to_owned()] {
            assert_eq!(generation_of(&name), None, "{name}");
        }
    }
}

//! Rows of `runs` as the model's type.

use super::{Outcome, Refusal, Rows, json, served, wants};
use crate::model::instant::Instant;
use crate::model::run::{RunKind, RunState};
use crate::model::run_record::{Counters, Run, RunReport};
use crate::store::catalog::{Connection, Row, Value};

pub(super) const COLUMNS: &str = "runs.id, runs.kind, runs.tenant, runs.agent, runs.source, runs.maker, runs.configuration, runs.backup, \
     runs.state, runs.attempt, runs.due_at, runs.catch_up, runs.occurrences, runs.changed_at, runs.started_at, runs.completed_at, \
     runs.files_searched, runs.bytes_searched, runs.errors, runs.snapshot, runs.snapshot_number, runs.generation, runs.forgotten_at, \
     runs.deleted_at";
/// How many they are.
pub(super) const COLUMN_COUNT: usize = 24;

pub(super) fn run(row: &Row) -> Rows<Run> {
    let instant = |column| row.optional_int(column).map(|micros| micros.map(Instant::from_micros));
    let snapshot = match row.0.get(19) {
        Some(Value::Null) => None,
        _ => Some(String::from_utf8(row.bytes(19)?.to_vec()).map_err(|_| json::broken("the name of a snapshot"))?),
    };
    Ok(Run {
        id: row.int(0)?,
        kind: row.text(1)?.parse().map_err(|_| json::broken("the kind of a run"))?,
        tenant: row.text(2)?.to_owned(),
        agent: row.int(3)?,
        source: row.int(4)?,
        maker: row.int(5)?,
        configuration: row.optional_int(6)?,
        backup: row.optional_int(7)?,
        state: row.text(8)?.parse().map_err(|_| json::broken("the state of a run"))?,
        attempt: row.int(9)?,
        due_at: instant(10)?,
        is_catch_up: row.int(11)? != 0,
        occurrences: row.int(12)?,
        changed_at: Instant::from_micros(row.int(13)?),
        started_at: instant(14)?,
        completed_at: instant(15)?,
        counters: Counters { files_searched: row.int(16)?, bytes_searched: row.int(17)?, errors: row.int(18)? },
        snapshot,
        snapshot_number: row.optional_int(20)?,
        generation: row.optional_int(21)?,
        forgotten_at: instant(22)?,
        deleted_at: instant(23)?,
    })
}

/// Runs that fit `condition`, which may end in an order.
pub(super) fn runs_where(connection: &mut dyn Connection, condition: &str, values: &[Value]) -> Rows<Vec<Run>> {
    connection.query(&format!("SELECT {COLUMNS} FROM runs WHERE {condition}"), values)?.iter().map(run).collect()
}

/// The tenant's run of this id and kind.
pub(super) fn run_of(connection: &mut dyn Connection, tenant: &str, kind: RunKind, id: i64) -> Rows<Outcome<Run>> {
    let values = [id.into(), tenant.into(), kind.as_str().into()];
    let found = runs_where(connection, "id = $1 AND tenant = $2 AND kind = $3 AND deleted_at IS NULL", &values)?.pop();
    Ok(found.ok_or_else(|| Refusal::NotFound(format!("{} {id} was not found.", kind.as_str()))))
}

/// The same for whoever changes it, as it stays until the commit: its agent's row is held first, so that two never wait for each other.
pub(super) fn run_to_change(connection: &mut dyn Connection, tenant: &str, kind: RunKind, id: i64) -> Rows<Outcome<Run>> {
    match run_of(connection, tenant, kind, id)? {
        Ok(run) => wants(connection, run.agent)?,
        Err(refusal) => return Ok(Err(refusal)),
    }
    run_of(connection, tenant, kind, id)
}

/// A new run, as it begins.
pub(super) fn new(id: i64, kind: RunKind, tenant: &str, agent: i64, state: RunState, now: Instant) -> Run {
    Run {
        id,
        kind,
        tenant: tenant.to_owned(),
        agent,
        source: agent,
        maker: agent,
        configuration: None,
        backup: None,
        state,
        attempt: 1,
        due_at: None,
        is_catch_up: false,
        occurrences: 1,
        changed_at: now,
        started_at: None,
        completed_at: None,
        counters: Counters::default(),
        snapshot: None,
        snapshot_number: None,
        generation: None,
        forgotten_at: None,
        deleted_at: None,
    }
}

/// False where a run of this configuration, instant and catch-up is there, or one that records the same late report.
pub(super) fn insert(connection: &mut dyn Connection, run: &Run, late_of: Option<i64>, settings: Option<String>) -> Rows<bool> {
    let names = COLUMNS.replace("runs.", "");
    let served = served(connection)?;
    let places: Vec<String> = (1..=COLUMN_COUNT + 7).map(|place| format!("${place}")).collect();
    let statement = format!(
        "INSERT INTO runs ({names}, live, changed_served, progress_served, late_of, settings, hidden_bytes, hidden_most) VALUES ({}) \
         ON CONFLICT DO NOTHING",
        places.join(", ")
    );
    let micros = |instant: Option<Instant>| Value::from(instant.map(Instant::micros));
    let values: Vec<Value> = vec![
        run.id.into(),
        run.kind.as_str().into(),
        run.tenant.as_str().into(),
        run.agent.into(),
        run.source.into(),
        run.maker.into(),
        run.configuration.into(),
        run.backup.into(),
        run.state.as_str().into(),
        run.attempt.into(),
        micros(run.due_at),
        i64::from(run.is_catch_up).into(),
        run.occurrences.into(),
        run.changed_at.micros().into(),
        micros(run.started_at),
        micros(run.completed_at),
        run.counters.files_searched.into(),
        run.counters.bytes_searched.into(),
        run.counters.errors.into(),
        run.snapshot.as_ref().map(|name| name.as_bytes()).into(),
        run.snapshot_number.into(),
        run.generation.into(),
        micros(run.forgotten_at),
        micros(run.deleted_at),
        i64::from(run.state.is_live()).into(),
        served.into(),
        served.into(),
        late_of.into(),
        settings.into(),
        0_i64.into(),
        0_i64.into(),
    ];
    Ok(connection.execute(&statement, &values)? > 0)
}

/// Moves a run to a state; its clocks begin anew.
pub(super) fn move_to(connection: &mut dyn Connection, run: &mut Run, state: RunState, now: Instant) -> Rows<()> {
    let served = served(connection)?;
    run.state = state;
    run.changed_at = now;
    let values = [run.id.into(), state.as_str().into(), i64::from(state.is_live()).into(), now.micros().into(), served.into()];
    let statement = "UPDATE runs SET state = $2, live = $3, changed_at = $4, changed_served = $5, progress_served = $5 WHERE id = $1";
    connection.execute(statement, &values).map(drop)
}

pub(super) fn report_of(connection: &mut dyn Connection, id: i64) -> Rows<RunReport> {
    let rows = connection.query("SELECT report FROM runs WHERE id = $1", &[id.into()])?;
    json::read_report(rows.first().map(|row| row.optional_text(0)).transpose()?.flatten())
}

pub(super) fn settings_of(connection: &mut dyn Connection, id: i64) -> Rows<Option<String>> {
    let rows = connection.query("SELECT settings FROM runs WHERE id = $1", &[id.into()])?;
    Ok(rows.first().map(|row| row.optional_text(0)).transpose()?.flatten().map(str::to_owned))
}

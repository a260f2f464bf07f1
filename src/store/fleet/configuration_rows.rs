//! Rows of `configurations` as the model's type.

use super::{Outcome, Refusal, Rows, json};
use crate::model::configuration::{BackupConfiguration, ConfigurationSettings, MissedAction, Notify, VersionRetention};
use crate::model::instant::Instant;
use crate::model::schedule::{Half, Schedule, TimeOfDay, Timing};
use crate::model::time_zone::ZoneId;
use crate::store::catalog::{Connection, Row, Value};

const COLUMNS: &str = "configurations.id, configurations.schedule, configurations.tenant, configurations.agent, configurations.name, \
     configurations.active, configurations.frequency, configurations.hour, configurations.minute, configurations.half, \
     configurations.day, configurations.every_hours, configurations.zone, configurations.anchor_at, configurations.next_at, \
     configurations.recipients, configurations.notify_success, configurations.notify_failure, configurations.retention_days, \
     configurations.missed_action, configurations.prescript, configurations.postscript, configurations.selection, \
     configurations.catch_up_at, configurations.missed_mailed_at, configurations.deleted_at, configurations.keeps_backups";

fn configuration(row: &Row) -> Rows<BackupConfiguration> {
    let text = |column| row.text(column).map(str::to_owned);
    let instant = |column| row.optional_int(column).map(|micros| micros.map(Instant::from_micros));
    Ok(BackupConfiguration {
        id: row.int(0)?,
        schedule_id: row.int(1)?,
        tenant: text(2)?,
        agent: row.int(3)?,
        settings: ConfigurationSettings {
            name: text(4)?,
            is_active: row.int(5)? != 0,
            schedule: schedule(row)?,
            notify: Notify { recipients: text(15)?, on_success: row.int(16)? != 0, on_failure: row.int(17)? != 0 },
            retention: VersionRetention::from_days(row.int(18)?).ok_or_else(|| json::broken("a retention"))?,
            missed_action: MissedAction::from_id(row.int(19)?).ok_or_else(|| json::broken("an action"))?,
            prescript: text(20)?,
            postscript: text(21)?,
            selection: json::read_selection(&json::parse(row.text(22)?)?)?,
        },
        anchor_at: Instant::from_micros(row.int(13)?),
        next_at: instant(14)?,
        catch_up_at: instant(23)?,
        missed_mailed_at: instant(24)?,
        deleted_at: instant(25)?,
        keeps_backups: row.int(26)? != 0,
    })
}

fn schedule(row: &Row) -> Rows<Schedule> {
    let broken = || json::broken("a schedule");
    let at = || {
        let half = Half::parse(row.text(9)?).map_err(|_| broken())?;
        TimeOfDay::new(row.int(7)?, row.int(8)?, half).map_err(|_| broken())
    };
    let timing = match row.text(6)? {
        "Manually" => Timing::Manually,
        "Hourly" => Timing::hourly(row.int(11)?).map_err(|_| broken())?,
        "Daily" => Timing::Daily { at: at()? },
        "Weekly" => Timing::weekly(at()?, row.int(10)?).map_err(|_| broken())?,
        _ => return Err(broken()),
    };
    Ok(Schedule { timing, zone: ZoneId::parse(row.text(12)?).map_err(|_| broken())? })
}

/// Configurations that fit `condition`, which may end in an order.
pub(super) fn configurations_where(connection: &mut dyn Connection, condition: &str, values: &[Value]) -> Rows<Vec<BackupConfiguration>> {
    connection.query(&format!("SELECT {COLUMNS} FROM configurations WHERE {condition}"), values)?.iter().map(configuration).collect()
}

/// The tenant's configuration of this id, deleted or not.
pub(super) fn configuration_of(connection: &mut dyn Connection, tenant: &str, id: i64) -> Rows<Outcome<BackupConfiguration>> {
    let found = configurations_where(connection, "id = $1 AND tenant = $2", &[id.into(), tenant.into()])?.pop();
    Ok(found.ok_or_else(|| Refusal::no_configuration(id)))
}

/// Writes what can be set and what follows from it. Makes the row where there is none.
pub(super) fn put(connection: &mut dyn Connection, configuration: &BackupConfiguration) -> Rows<()> {
    let settings = &configuration.settings;
    let selection = json::selection(&settings.selection).to_string();
    let size = document_size(settings, &selection);
    let (at, day, every) = match &settings.schedule.timing {
        Timing::Manually => (None, None, None),
        Timing::Hourly { every_hours } => (None, None, Some(i64::from(*every_hours))),
        Timing::Daily { at } => (Some(at), None, None),
        Timing::Weekly { at, day } => (Some(at), Some(i64::from(*day)), None),
    };
    let values: Vec<Value> = vec![
        configuration.id.into(),
        configuration.schedule_id.into(),
        configuration.tenant.as_str().into(),
        configuration.agent.into(),
        settings.name.as_str().into(),
        i64::from(settings.is_active).into(),
        settings.schedule.timing.frequency().as_str().into(),
        at.map(|at| at.hour()).into(),
        at.map(|at| at.minute()).into(),
        at.map(|at| at.half().as_str()).into(),
        day.into(),
        every.into(),
        settings.schedule.zone.as_str().into(),
        configuration.anchor_at.micros().into(),
        configuration.next_at.map(Instant::micros).into(),
        settings.notify.recipients.as_str().into(),
        i64::from(settings.notify.on_success).into(),
        i64::from(settings.notify.on_failure).into(),
        settings.retention.days().into(),
        (settings.missed_action as i64).into(),
        settings.prescript.as_str().into(),
        settings.postscript.as_str().into(),
        selection.into(),
        configuration.catch_up_at.map(Instant::micros).into(),
        configuration.missed_mailed_at.map(Instant::micros).into(),
        configuration.deleted_at.map(Instant::micros).into(),
        i64::from(configuration.keeps_backups).into(),
        size.into(),
    ];
    let names: Vec<&str> = COLUMNS.split(", ").map(|name| name.trim().trim_start_matches("configurations.")).chain(["size"]).collect();
    let places: Vec<String> = (1..=names.len()).map(|place| format!("${place}")).collect();
    let sets: Vec<String> = names.iter().skip(1).map(|name| format!("{name} = excluded.{name}")).collect();
    let statement = format!(
        "INSERT INTO configurations ({}) VALUES ({}) ON CONFLICT (id) DO UPDATE SET {}",
        names.join(", "),
        places.join(", "),
        sets.join(", ")
    );
    connection.execute(&statement, &values).map(drop)
}

/// What a configuration counts towards the document of its agent.
pub(super) fn document_size(settings: &ConfigurationSettings, selection: &str) -> i64 {
    let texts = [&settings.name, &settings.notify.recipients, &settings.prescript, &settings.postscript];
    let bytes = selection.len() + texts.iter().map(|text| text.len()).sum::<usize>();
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

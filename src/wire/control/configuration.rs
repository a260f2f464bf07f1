//! Backup configurations as clients send and read them.

use serde::Serialize;

use super::item::{self, ItemObject};
use super::{FLAVOR, Key};
use crate::model::agent::Agent;
use crate::model::configuration::{
    BackupConfiguration, ConfigurationSettings, MAX_NAME_CHARS, MAX_RECIPIENTS, MissedAction, Notify, VersionRetention,
};
use crate::model::instant::Instant;
use crate::model::schedule::{Frequency, Half, Schedule, ScheduleError, TimeOfDay, Timing};
use crate::model::selection::{Filter, Item, Selection};
use crate::model::time_zone::ZoneId;
use crate::wire::error::WireError;
use crate::wire::fields::Fields;
use crate::wire::json::Date;

/// What a configuration's object shows beside its row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shown<'a> {
    pub agent: &'a Agent,
    pub is_encrypted: bool,
    pub last_run: Option<(i64, Instant)>,
    /// In lists: how far the newest run is.
    pub state: Option<&'static str>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ConfigurationObject<'a> {
    backup_configuration_id: i64,
    backup_configuration_name: &'a str,
    backup_configuration_schedule_id: i64,
    backup_postscript: &'a str,
    backup_prescript: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    backup_state: Option<&'static str>,
    datacenter: &'a str,
    day_of_week_id: Option<i64>,
    encryption_key: Key<'a>,
    exclusions: Vec<ItemObject<'a>>,
    flavor: &'static str,
    frequency: &'static str,
    hour_interval: Option<i64>,
    inclusions: Vec<ItemObject<'a>>,
    is_active: bool,
    is_deleted: bool,
    is_encrypted: bool,
    last_run_backup_report_id: Option<i64>,
    last_run_time: Option<Date>,
    machine_agent_id: i64,
    machine_name: &'a str,
    missed_backup_action_id: i64,
    next_scheduled_run_time: Option<Date>,
    notify_failure: bool,
    notify_recipients: &'a str,
    notify_success: bool,
    start_time_am_pm: &'static str,
    start_time_hour: Option<i64>,
    start_time_minute: Option<i64>,
    time_zone_id: &'a str,
    version_retention: i64,
}

impl<'a> ConfigurationObject<'a> {
    pub fn of(configuration: &'a BackupConfiguration, shown: Shown<'a>) -> Self {
        let settings = &configuration.settings;
        let (at, day, every) = match settings.schedule.timing {
            Timing::Manually => (None, None, None),
            Timing::Hourly { every_hours } => (None, None, Some(i64::from(every_hours))),
            Timing::Daily { at } => (Some(at), None, None),
            Timing::Weekly { at, day } => (Some(at), Some(i64::from(day)), None),
        };
        let items = |list: &'a [Item], filter| item::objects(list, filter, configuration.id);
        Self {
            backup_configuration_id: configuration.id,
            backup_configuration_name: &settings.name,
            backup_configuration_schedule_id: configuration.schedule_id,
            backup_postscript: &settings.postscript,
            backup_prescript: &settings.prescript,
            backup_state: shown.state,
            datacenter: &shown.agent.datacenter,
            day_of_week_id: day,
            encryption_key: Key::of(&shown.agent.public_key),
            exclusions: items(&settings.selection.exclusions, Filter::Exclude),
            flavor: FLAVOR,
            frequency: settings.schedule.timing.frequency().as_str(),
            hour_interval: every,
            inclusions: items(&settings.selection.inclusions, Filter::Include),
            is_active: settings.is_active && configuration.deleted_at.is_none(),
            is_deleted: configuration.deleted_at.is_some(),
            is_encrypted: shown.is_encrypted,
            last_run_backup_report_id: shown.last_run.map(|(id, _)| id),
            last_run_time: shown.last_run.map(|(_, at)| Date(at)),
            machine_agent_id: configuration.agent,
            machine_name: &shown.agent.facts.machine_name,
            missed_backup_action_id: settings.missed_action as i64,
            next_scheduled_run_time: configuration.next_at.map(Date),
            notify_failure: settings.notify.on_failure,
            notify_recipients: &settings.notify.recipients,
            notify_success: settings.notify.on_success,
            start_time_am_pm: at.map_or("", |at| at.half().as_str()),
            start_time_hour: at.map(TimeOfDay::hour),
            start_time_minute: at.map(TimeOfDay::minute),
            time_zone_id: settings.schedule.zone.as_str(),
            version_retention: settings.retention.days(),
        }
    }
}

/// What the body makes of a configuration: a new one, or `known` with every member replaced that is there. The result is judged as a whole.
pub fn parse(fields: &Fields, known: Option<&ConfigurationSettings>) -> Result<ConfigurationSettings, WireError> {
    let text = |name: &str, kept: Option<&String>| Ok(fields.text(name)?.or_else(|| kept.cloned()).unwrap_or_default());
    let name = text("BackupConfigurationName", known.map(|known| &known.name))?.trim().to_owned();
    if name.is_empty() || name.chars().count() > MAX_NAME_CHARS {
        return Err(WireError::new("BackupConfigurationName has 1 to 255 characters."));
    }
    let settings = ConfigurationSettings {
        name,
        is_active: fields.bool("IsActive")?.or(known.map(|known| known.is_active)).unwrap_or(true),
        schedule: schedule(fields, known.map(|known| &known.schedule))?,
        notify: notify(fields, known.map(|known| &known.notify))?,
        retention: match (fields.int("VersionRetention")?, known) {
            (Some(days), _) => VersionRetention::from_days(days).ok_or_else(|| WireError::new("VersionRetention is 0, 30 or 60."))?,
            (None, Some(known)) => known.retention,
            (None, None) => return Err(WireError::new("VersionRetention is required.")),
        },
        missed_action: match (fields.int("MissedBackupActionId")?, known) {
            (Some(id), _) => MissedAction::from_id(id).ok_or_else(|| WireError::new("MissedBackupActionId is 1 or 2."))?,
            (None, known) => known.map_or(MissedAction::CatchUp, |known| known.missed_action),
        },
        prescript: text("BackupPrescript", known.map(|known| &known.prescript))?,
        postscript: text("BackupPostscript", known.map(|known| &known.postscript))?,
        selection: Selection {
            inclusions: items(fields, "Inclusions", known.map(|known| &known.selection.inclusions))?,
            exclusions: items(fields, "Exclusions", known.map(|known| &known.selection.exclusions))?,
        },
    };
    settings.selection.check().map_err(|error| WireError::new(format!("{error}.")))?;
    let texts = [&settings.name, &settings.notify.recipients, &settings.prescript, &settings.postscript];
    if texts.iter().any(|text| text.contains('\0')) {
        return Err(WireError::new("A text holds a NUL character."));
    }
    Ok(settings)
}

fn items(fields: &Fields, name: &str, kept: Option<&Vec<Item>>) -> Result<Vec<Item>, WireError> {
    match fields.list(name)? {
        Some(list) => list.iter().map(item::parse).collect(),
        None => Ok(kept.cloned().unwrap_or_default()),
    }
}

fn notify(fields: &Fields, known: Option<&Notify>) -> Result<Notify, WireError> {
    let recipients = fields.text("NotifyRecipients")?.or_else(|| known.map(|known| known.recipients.clone())).unwrap_or_default();
    let has_recipients = !recipients.trim().is_empty();
    let notify = Notify {
        recipients: recipients.trim().to_owned(),
        on_success: fields.bool("NotifySuccess")?.or(known.map(|known| known.on_success)).unwrap_or(false),
        on_failure: fields.bool("NotifyFailure")?.or(known.map(|known| known.on_failure)).unwrap_or(has_recipients),
    };
    if (notify.on_success || notify.on_failure) && notify.addresses().next().is_none() {
        return Err(WireError::new("NotifyRecipients is required where NotifySuccess or NotifyFailure is true."));
    }
    if notify.addresses().count() > MAX_RECIPIENTS {
        return Err(WireError::new(format!("NotifyRecipients holds at most {MAX_RECIPIENTS} addresses.")));
    }
    let is_address = |address: &str| {
        address.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'))
            && !address.contains(|letter: char| letter.is_whitespace() || letter.is_control())
    };
    if !notify.addresses().all(is_address) {
        return Err(WireError::new("NotifyRecipients holds something that is no e-mail address."));
    }
    Ok(notify)
}

/// Members of the schedule that are missing are the known schedule's; null means that one does not apply.
fn schedule(fields: &Fields, known: Option<&Schedule>) -> Result<Schedule, WireError> {
    let (at, day, every) = match known.map(|known| known.timing) {
        Some(Timing::Daily { at }) => (Some(at), None, None),
        Some(Timing::Weekly { at, day }) => (Some(at), Some(i64::from(day)), None),
        Some(Timing::Hourly { every_hours }) => (None, None, Some(i64::from(every_hours))),
        Some(Timing::Manually) | None => (None, None, None),
    };
    let refused = |error: ScheduleError| WireError::new(format!("{}: {error}.", member_of(error)));
    let int = |name: &str, kept: Option<i64>| if fields.is_present(name) { fields.int(name) } else { Ok(kept) };
    let frequency = match (fields.text("Frequency")?.filter(|text| !text.is_empty()), known) {
        (Some(text), _) => Frequency::parse(&text).map_err(refused)?,
        (None, Some(known)) => known.timing.frequency(),
        (None, None) => return Err(WireError::new("Frequency is required.")),
    };
    let time = || {
        let needed = |name: &str, kept| int(name, kept)?.ok_or_else(|| WireError::new(format!("{name} is required for this Frequency.")));
        let half = match fields.is_present("StartTimeAmPm") {
            true => fields.text("StartTimeAmPm")?.filter(|text| !text.is_empty()),
            false => at.map(|at| at.half().as_str().to_owned()),
        };
        let half = half.ok_or_else(|| WireError::new("StartTimeAmPm is required for this Frequency."))?;
        let (hour, minute) = (needed("StartTimeHour", at.map(TimeOfDay::hour))?, needed("StartTimeMinute", at.map(TimeOfDay::minute))?);
        TimeOfDay::new(hour, minute, Half::parse(&half).map_err(refused)?).map_err(refused)
    };
    let timing = match frequency {
        Frequency::Manually => Timing::Manually,
        Frequency::Hourly => {
            let every = int("HourInterval", every)?.ok_or_else(|| WireError::new("HourInterval is required for this Frequency."))?;
            Timing::hourly(every).map_err(refused)?
        }
        Frequency::Daily => Timing::Daily { at: time()? },
        Frequency::Weekly => {
            let day = int("DayOfWeekId", day)?.ok_or_else(|| WireError::new("DayOfWeekId is required for this Frequency."))?;
            Timing::weekly(time()?, day).map_err(refused)?
        }
    };
    let zone = match (fields.text("TimeZoneId")?.filter(|text| !text.is_empty()), known) {
        (Some(text), _) => ZoneId::parse(&text).map_err(|error| WireError::new(format!("TimeZoneId: {error}.")))?,
        (None, Some(known)) => known.zone.clone(),
        (None, None) => ZoneId::utc(),
    };
    Ok(Schedule { timing, zone })
}

/// What the value was sent as.
const fn member_of(error: ScheduleError) -> &'static str {
    match error {
        ScheduleError::Frequency => "Frequency",
        ScheduleError::Half => "StartTimeAmPm",
        ScheduleError::Hour => "StartTimeHour",
        ScheduleError::Minute => "StartTimeMinute",
        ScheduleError::Day => "DayOfWeekId",
        ScheduleError::Interval => "HourInterval",
    }
}

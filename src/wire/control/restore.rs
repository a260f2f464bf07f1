//! Restores as clients read them.

use serde::Serialize;

use super::item::{self, ItemObject};
use super::report::{ErrorObject, duration, restore_errors};
use super::{FLAVOR, Key};
use crate::model::agent::Agent;
use crate::model::run_record::{RestoreSettings, Run, RunReport};
use crate::model::selection::Filter;
use crate::wire::human;
use crate::wire::json::Date;

/// What a restore's objects show beside its run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shown<'a> {
    pub settings: &'a RestoreSettings,
    pub backup: &'a Run,
    pub configuration_name: &'a str,
    pub source: &'a Agent,
    pub source_name: &'a str,
    pub destination: &'a Agent,
    pub is_encrypted: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RestoreObject<'a> {
    restore_id: i64,
    backup_id: i64,
    destination_machine_id: i64,
    overwrite_files: bool,
    backup_configuration_id: i64,
    backup_configuration_name: &'a str,
    backup_restore_point: Option<Date>,
    backup_machine_id: i64,
    machine_agent_id: i64,
    backup_machine_name: &'a str,
    backup_flavor: &'static str,
    destination_machine_name: &'a str,
    destination_path: &'a str,
    backup_data_center: &'a str,
    is_encrypted: bool,
    encrypted_password: Option<()>,
    public_key: Key<'a>,
    restore_state_id: i64,
    inclusions: Vec<ItemObject<'a>>,
    exclusions: Vec<ItemObject<'a>>,
}

impl<'a> RestoreObject<'a> {
    pub fn of(run: &Run, shown: Shown<'a>) -> Self {
        let selection = &shown.settings.selection;
        Self {
            restore_id: run.id,
            backup_id: shown.backup.id,
            destination_machine_id: run.agent,
            overwrite_files: shown.settings.overwrites,
            backup_configuration_id: run.configuration.unwrap_or(0),
            backup_configuration_name: shown.configuration_name,
            backup_restore_point: shown.backup.completed_at.map(Date),
            backup_machine_id: run.source,
            machine_agent_id: run.source,
            backup_machine_name: shown.source_name,
            backup_flavor: FLAVOR,
            destination_machine_name: &shown.destination.facts.machine_name,
            destination_path: &shown.settings.destination_path,
            backup_data_center: &shown.source.datacenter,
            is_encrypted: shown.is_encrypted,
            encrypted_password: None,
            public_key: Key::of(&shown.destination.public_key),
            restore_state_id: run.state.restore_id().unwrap_or(0),
            inclusions: item::objects(&selection.inclusions, Filter::Include, run.id),
            exclusions: item::objects(&selection.exclusions, Filter::Exclude, run.id),
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RestoreReport<'a> {
    backup_configuration_id: i64,
    backup_configuration_name: &'a str,
    backup_report_id: i64,
    restore_point: Option<Date>,
    start_time: Date,
    completed_time: Date,
    duration: String,
    originating_computer_name: &'a str,
    state: &'static str,
    num_files_restored: String,
    num_bytes_restored: String,
    restore_destination: &'a str,
    restore_destination_machine_id: i64,
    num_errors: String,
    reason: &'a str,
    diagnostics: &'a str,
    error_list: Vec<ErrorObject<'a>>,
}

impl<'a> RestoreReport<'a> {
    /// Of a run that has ended.
    pub fn of(run: &Run, report: &'a RunReport, shown: Shown<'a>) -> Self {
        let unsigned = |number: i64| u64::try_from(number).unwrap_or(0);
        let completed = run.completed_at.unwrap_or(run.changed_at);
        let start = run.started_at.unwrap_or(completed);
        Self {
            backup_configuration_id: run.configuration.unwrap_or(0),
            backup_configuration_name: shown.configuration_name,
            backup_report_id: shown.backup.id,
            restore_point: shown.backup.completed_at.map(Date),
            start_time: Date(start),
            completed_time: Date(completed),
            duration: duration(start, completed),
            originating_computer_name: shown.source_name,
            state: run.state.as_str(),
            num_files_restored: human::count(unsigned(report.files_done)),
            num_bytes_restored: human::size(unsigned(report.bytes_done)),
            restore_destination: &shown.destination.facts.machine_name,
            restore_destination_machine_id: run.agent,
            num_errors: human::count(unsigned(run.counters.errors)),
            reason: &report.reason,
            diagnostics: &report.diagnostics,
            error_list: restore_errors(&report.errors, run.id),
        }
    }
}

//! Backups as clients read them.

use serde::Serialize;

use super::report::{ErrorObject, backup_errors, duration};
use super::{FLAVOR, Key, exponent_hex};
use crate::model::agent::Agent;
use crate::model::configuration::BackupConfiguration;
use crate::model::instant::Instant;
use crate::model::run_record::{Run, RunReport};
use crate::wire::human;
use crate::wire::json::Date;

/// What a backup's objects show beside its run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shown<'a> {
    pub agent: &'a Agent,
    pub configuration_name: &'a str,
    pub machine_name: &'a str,
    pub configuration_is_deleted: bool,
    pub is_encrypted: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct BackupObject<'a> {
    backup_id: i64,
    backup_configuration_id: i64,
    current_state: &'static str,
    backup_configuration_name: &'a str,
    machine_agent_id: i64,
    machine_name: &'a str,
    datacenter: &'a str,
    backup_datacenter: &'a str,
    state_change_time: Date,
    is_encrypted: bool,
    encryption_key: Key<'a>,
}

impl<'a> BackupObject<'a> {
    pub fn of(run: &Run, shown: Shown<'a>) -> Self {
        Self {
            backup_id: run.id,
            backup_configuration_id: run.configuration.unwrap_or(0),
            current_state: run.state.as_str(),
            backup_configuration_name: shown.configuration_name,
            machine_agent_id: run.agent,
            machine_name: shown.machine_name,
            datacenter: &shown.agent.datacenter,
            backup_datacenter: &shown.agent.backup_datacenter,
            state_change_time: Date(run.changed_at),
            is_encrypted: shown.is_encrypted,
            encryption_key: Key::of(&shown.agent.public_key),
        }
    }
}

/// A backup that can be restored.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CompletedBackup<'a> {
    backup_id: i64,
    backup_configuration_id: i64,
    backup_configuration_name: &'a str,
    machine_name: &'a str,
    machine_agent_id: i64,
    completed_time: Option<Date>,
    bytes_searched: i64,
    num_errors: i64,
}

impl<'a> CompletedBackup<'a> {
    pub fn of(run: &Run, shown: Shown<'a>) -> Self {
        Self {
            backup_id: run.id,
            backup_configuration_id: run.configuration.unwrap_or(0),
            backup_configuration_name: shown.configuration_name,
            machine_name: shown.machine_name,
            machine_agent_id: run.agent,
            completed_time: run.completed_at.map(Date),
            bytes_searched: run.counters.bytes_searched,
            num_errors: run.counters.errors,
        }
    }
}

/// The newest backup of a configuration that can be restored.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct RestorePointObject<'a> {
    backup_configuration_id: i64,
    backup_configuration_name: &'a str,
    machine_name: &'a str,
    machine_agent_id: i64,
    is_encrypted: bool,
    public_key_hex: i64,
    public_key_mod: &'a str,
    flavor: &'static str,
    last_successful_backup_time: Date,
}

impl<'a> RestorePointObject<'a> {
    pub fn of(configuration: &'a BackupConfiguration, agent: &'a Agent, is_encrypted: bool, at: Instant) -> Self {
        Self {
            backup_configuration_id: configuration.id,
            backup_configuration_name: &configuration.settings.name,
            machine_name: &agent.facts.machine_name,
            machine_agent_id: agent.id,
            is_encrypted,
            public_key_hex: exponent_hex(agent.public_key.exponent),
            public_key_mod: &agent.public_key.modulus_hex,
            flavor: FLAVOR,
            last_successful_backup_time: Date(at),
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct BackupReport<'a> {
    backup_id: i64,
    backup_configuration_id: i64,
    backup_configuration_name: &'a str,
    backup_configuration_is_deleted: bool,
    computer_name: &'a str,
    machine_agent_id: i64,
    state: &'static str,
    can_restore: bool,
    start_time: Date,
    completed_time: Date,
    duration: String,
    files_searched: String,
    bytes_searched: String,
    files_backed_up: String,
    bytes_backed_up: String,
    num_errors: i64,
    reason: &'a str,
    diagnostics: &'a str,
    datacenter: &'a str,
    backup_datacenter: &'a str,
    snapshot_id: Option<i64>,
    error_list: Vec<ErrorObject<'a>>,
}

impl<'a> BackupReport<'a> {
    /// Of a run that has ended.
    pub fn of(run: &Run, report: &'a RunReport, shown: Shown<'a>, can_restore: bool) -> Self {
        let unsigned = |number: i64| u64::try_from(number).unwrap_or(0);
        let completed = run.completed_at.unwrap_or(run.changed_at);
        let start = run.started_at.unwrap_or(completed);
        Self {
            backup_id: run.id,
            backup_configuration_id: run.configuration.unwrap_or(0),
            backup_configuration_name: shown.configuration_name,
            backup_configuration_is_deleted: shown.configuration_is_deleted,
            computer_name: shown.machine_name,
            machine_agent_id: run.agent,
            state: run.state.as_str(),
            can_restore,
            start_time: Date(start),
            completed_time: Date(completed),
            duration: duration(start, completed),
            files_searched: human::count(unsigned(run.counters.files_searched)),
            bytes_searched: human::size(unsigned(run.counters.bytes_searched)),
            files_backed_up: human::count(unsigned(report.files_done)),
            bytes_backed_up: human::size(unsigned(report.bytes_done)),
            num_errors: run.counters.errors,
            reason: &report.reason,
            diagnostics: &report.diagnostics,
            datacenter: &shown.agent.datacenter,
            backup_datacenter: &shown.agent.backup_datacenter,
            snapshot_id: run.snapshot_number,
            error_list: backup_errors(&report.errors, run.id),
        }
    }
}

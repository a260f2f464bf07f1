//! The history of runs as clients read it.

use serde::Serialize;

use crate::model::run::RunKind;
use crate::model::run_record::Run;
use crate::wire::json::Date;

/// What an entry shows beside its run; of a machine the name and the data centre.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shown<'a> {
    pub configuration_name: &'a str,
    pub configuration_is_deleted: bool,
    pub source: (&'a str, &'a str),
    pub destination: (&'a str, &'a str),
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ActivityObject<'a> {
    #[serde(rename = "ID")]
    id: i64,
    r#type: &'static str,
    parent_id: i64,
    display_name: &'a str,
    is_backup_configuration_deleted: bool,
    source_machine_agent_id: i64,
    source_machine_name: &'a str,
    source_datacenter: &'a str,
    destination_machine_agent_id: i64,
    destination_machine_name: &'a str,
    destination_datacenter: &'a str,
    current_state: &'static str,
    time_of_activity: Date,
    #[serde(skip_serializing_if = "Option::is_none")]
    backup_id: Option<i64>,
}

impl<'a> ActivityObject<'a> {
    pub fn of(run: &Run, shown: Shown<'a>) -> Self {
        let is_cleanup = run.kind == RunKind::Cleanup;
        let (destination, destination_id) = if run.kind == RunKind::Restore { (shown.destination, run.agent) } else { (("", ""), 0) };
        Self {
            id: run.id,
            r#type: run.kind.as_str(),
            parent_id: if is_cleanup { 0 } else { run.configuration.unwrap_or(0) },
            display_name: if is_cleanup { "Cleanup" } else { shown.configuration_name },
            is_backup_configuration_deleted: !is_cleanup && shown.configuration_is_deleted,
            source_machine_agent_id: run.source,
            source_machine_name: shown.source.0,
            source_datacenter: shown.source.1,
            destination_machine_agent_id: destination_id,
            destination_machine_name: destination.0,
            destination_datacenter: destination.1,
            current_state: run.state.as_str(),
            time_of_activity: Date(run.changed_at),
            backup_id: match run.kind {
                RunKind::Backup => Some(run.id),
                RunKind::Restore => run.backup,
                RunKind::Cleanup => None,
            },
        }
    }
}

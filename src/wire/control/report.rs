//! Reports of runs that have ended, and the errors in them.

use serde::Serialize;

use crate::model::run_record::RunError;

/// An error in the report of a backup, or of a restore.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ErrorObject<'a> {
    #[serde(rename = "BackupReportID", skip_serializing_if = "Option::is_none")]
    backup_report_id: Option<i64>,
    #[serde(rename = "RestoreReportID", skip_serializing_if = "Option::is_none")]
    restore_report_id: Option<i64>,
    list_index: usize,
    error_type: i64,
    error_desc: &'a str,
    exception_desc: &'a str,
    exception_details: &'a str,
    exception_code: i64,
    path: &'a str,
}

pub fn backup_errors(errors: &[RunError], backup: i64) -> Vec<ErrorObject<'_>> {
    errors.iter().enumerate().map(|(index, error)| object(index, error, Some(backup), None)).collect()
}

pub fn restore_errors(errors: &[RunError], restore: i64) -> Vec<ErrorObject<'_>> {
    errors.iter().enumerate().map(|(index, error)| object(index, error, None, Some(restore))).collect()
}

fn object(list_index: usize, error: &RunError, backup_report_id: Option<i64>, restore_report_id: Option<i64>) -> ErrorObject<'_> {
    ErrorObject {
        backup_report_id,
        restore_report_id,
        list_index,
        error_type: error.kind,
        error_desc: &error.description,
        exception_desc: &error.exception,
        exception_details: &error.details,
        exception_code: error.code,
        path: &error.path,
    }
}

/// Whole seconds between two instants of the server.
pub fn duration(start: crate::model::instant::Instant, end: crate::model::instant::Instant) -> String {
    crate::wire::human::duration(std::time::Duration::from_secs(start.until(end).as_secs()))
}

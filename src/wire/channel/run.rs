//! `POST runs/ID`: how far a run is.

use serde::{Deserialize, Serialize};

use super::parse_state;
use crate::model::run_record::{Counters, MAX_ERROR_BYTES, MAX_ERRORS, RunError};
use crate::model::work::RunUpdate;
use crate::wire::error::WireError;

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RunReport {
    pub attempt: i64,
    pub state: String,
    #[serde(default)]
    pub files_searched: i64,
    #[serde(default)]
    pub bytes_searched: i64,
    /// Stored by a backup, restored by a restore.
    #[serde(default)]
    pub files_done: i64,
    #[serde(default)]
    pub bytes_done: i64,
    /// All of them; the list may be shorter.
    #[serde(default)]
    pub error_count: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Error>,
    /// `gN/snapshots/ID`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Error {
    /// 101 to 107.
    pub kind: i64,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub exception: String,
    #[serde(default)]
    pub details: String,
    #[serde(default)]
    pub code: i64,
    #[serde(default)]
    pub path: String,
}

/// Reasons of a run that failed; another one is the agent's own fault.
const REASONS: [&str; 13] = [
    "AgentError",
    "OutOfDiskSpace",
    "StorageUnavailable",
    "VaultMissing",
    "MissingPassword",
    "PrescriptFailed",
    "NothingToBackUp",
    "SelectionMissing",
    "QuotaExceeded",
    "AgentLost",
    "Stalled",
    "InvalidPassword",
    "DestinationNotWritable",
];

impl RunReport {
    /// Cut to what is kept: 1,000 errors, 2 KiB of each text.
    pub fn into_model(self) -> Result<RunUpdate, WireError> {
        let state = parse_state(&self.state).ok_or_else(|| WireError::new("state is none of a run."))?;
        let count = |name: &str, number: i64| if number >= 0 { Ok(number) } else { Err(WireError::new(format!("{name} is below zero."))) };
        let listed = i64::try_from(self.errors.len()).unwrap_or(i64::MAX);
        Ok(RunUpdate {
            attempt: self.attempt,
            state,
            counters: Counters {
                files_searched: count("files_searched", self.files_searched)?,
                bytes_searched: count("bytes_searched", self.bytes_searched)?,
                errors: count("error_count", self.error_count)?.max(listed),
            },
            files_done: count("files_done", self.files_done)?,
            bytes_done: count("bytes_done", self.bytes_done)?,
            reason: self.reason.filter(|reason| REASONS.contains(&reason.as_str())),
            note: self.note.map(|note| cut(&note)).filter(|note| !note.is_empty()),
            errors: self.errors.into_iter().take(MAX_ERRORS).map(Error::into_model).collect(),
            snapshot: self.snapshot.map(|name| format!("/{}", name.trim_start_matches('/'))),
        })
    }
}

impl Error {
    fn into_model(self) -> RunError {
        RunError {
            kind: self.kind,
            description: cut(&self.description),
            exception: cut(&self.exception),
            details: cut(&self.details),
            code: self.code,
            path: cut(&self.path),
        }
    }
}

/// At most 2 KiB, between two characters, without what no catalog keeps.
fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(MAX_ERROR_BYTES)].replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_cut_to_what_is_kept() {
        let long = "ä\0".repeat(2000);
        let errors = (0..1500).map(|_| Error { path: long.clone(), ..Error::default() }).collect();
        let report = RunReport { state: "failed".to_owned(), errors, reason: Some("Whatever".to_owned()), ..RunReport::default() };
        let update = report.into_model().expect("a report");
        assert_eq!((update.errors.len(), update.counters.errors, update.reason), (1000, 1500, None));
        assert!(update.errors.iter().all(|error| error.path.len() <= 2 * MAX_ERROR_BYTES && !error.path.contains('\0')));
    }

    #[test]
    fn numbers_below_zero_and_other_states_are_refused() {
        let report = |state: &str, files| RunReport { state: state.to_owned(), files_searched: files, ..RunReport::default() };
        assert!(report("queued", 0).into_model().is_ok());
        assert!(report("Queued", 0).into_model().is_err());
        assert!(report("queued", -1).into_model().is_err());
    }
}

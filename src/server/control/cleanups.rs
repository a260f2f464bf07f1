//! Cleanups that a user asks for.

use serde::Serialize;

use super::backups::bare;
use super::{Answer, Call, Unknown, invalid, json, judged};
use crate::model::run::RunState;
use crate::wire::json::Date;

/// No source shows this object: these are the members that backups and restores have, too.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CleanupReport {
    cleanup_id: i64,
    machine_agent_id: i64,
    state: &'static str,
    state_id: Option<i64>,
    start_time: Option<Date>,
    completed_time: Option<Date>,
    reason: String,
    diagnostics: String,
}

impl Call<'_> {
    pub(super) async fn start_cleanup(&self) -> Answer {
        let agent = self.fields()?.required_int("MachineAgentId").map_err(invalid)?;
        Ok(bare(judged(self.store().start_cleanup(self.tenant(), agent).await?, Unknown::NotFound)?))
    }

    pub(super) async fn show_cleanup_report(&self, id: i64) -> Answer {
        let (run, report) = judged(self.store().cleanup_report(self.tenant(), id).await?, Unknown::NotFound)?;
        Ok(json(&CleanupReport {
            cleanup_id: run.id,
            machine_agent_id: run.agent,
            state: run.state.as_str(),
            state_id: number(run.state),
            start_time: run.started_at.map(Date),
            completed_time: run.completed_at.map(Date),
            reason: report.reason,
            diagnostics: report.diagnostics,
        }))
    }
}

/// The numbers that the original gave the states of a cleanup.
const fn number(state: RunState) -> Option<i64> {
    match state {
        RunState::StartRequested => Some(1),
        RunState::Queued => Some(2),
        RunState::InProgress | RunState::Preparing => Some(3),
        RunState::Completed | RunState::CompletedWithErrors => Some(4),
        RunState::Failed => Some(5),
        RunState::Stopped => Some(6),
        _ => None,
    }
}

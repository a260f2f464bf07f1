//! Backups: started, stopped, shown, and what can be restored of them.

use http::{Response, StatusCode};

use super::{Answer, Call, Unknown, empty, invalid, json, judged};
use crate::server::fault::{self, ApiFault};
use crate::server::reply::Body;
use crate::store::fleet::BackupView;
use crate::store::fleet::backups::RestorePoint;
use crate::wire::control::backup::{BackupObject, BackupReport, CompletedBackup, RestorePointObject, Shown};

/// What a user asks of a run.
pub(super) enum Action {
    Start,
    Stop,
}

impl Action {
    pub(super) fn parse(text: &str) -> Result<Self, ApiFault> {
        match text {
            _ if text.eq_ignore_ascii_case("StartManual") => Ok(Self::Start),
            _ if text.eq_ignore_ascii_case("StopManual") => Ok(Self::Stop),
            _ => Err(ApiFault::bad_request("Action is StartManual or StopManual.")),
        }
    }
}

impl Call<'_> {
    /// The answer to a start is the new backup's id and nothing else.
    pub(super) async fn request_backup_action(&self) -> Answer {
        let fields = self.fields()?;
        let action = Action::parse(&fields.required_text("Action").map_err(invalid)?)?;
        let id = fields.required_int("Id").map_err(invalid)?;
        match action {
            Action::Start => {
                let backup = judged(self.store().start_backup(self.tenant(), id).await?, Unknown::NotFound)?;
                Ok(bare(backup))
            }
            Action::Stop => {
                judged(self.store().stop_backup(self.tenant(), id).await?, Unknown::NotFound)?;
                Ok(empty(StatusCode::NO_CONTENT))
            }
        }
    }

    pub(super) async fn show_backup(&self, id: i64) -> Answer {
        let view = judged(self.store().backup(self.tenant(), id).await?, Unknown::NotFound)?;
        Ok(json(&BackupObject::of(&view.run, shown(&view))))
    }

    pub(super) async fn show_backup_report(&self, id: i64) -> Answer {
        let (view, report, can_restore) = judged(self.store().backup_report(self.tenant(), id).await?, Unknown::NotFound)?;
        Ok(json(&BackupReport::of(&view.run, &report, shown(&view), can_restore)))
    }

    pub(super) async fn list_completed_backups(&self, configuration: i64) -> Answer {
        let views = judged(self.store().completed_backups(self.tenant(), configuration).await?, Unknown::NotFound)?;
        Ok(json(&views.iter().map(|view| CompletedBackup::of(&view.run, shown(view))).collect::<Vec<_>>()))
    }

    pub(super) async fn list_restore_points(&self) -> Answer {
        let points = self.store().restore_points(self.tenant()).await?;
        Ok(json(&points.iter().map(restore_point).collect::<Vec<_>>()))
    }
}

fn restore_point(point: &RestorePoint) -> RestorePointObject<'_> {
    RestorePointObject::of(&point.configuration, &point.agent, point.is_encrypted, point.completed_at)
}

/// A number alone: clients keep the text as the id.
pub(super) fn bare(id: i64) -> Response<Body> {
    fault::json(StatusCode::OK, id.to_string())
}

pub(super) fn shown(view: &BackupView) -> Shown<'_> {
    Shown {
        agent: &view.agent,
        configuration_name: &view.configuration_name,
        machine_name: &view.machine_name,
        configuration_is_deleted: view.configuration_is_deleted,
        is_encrypted: view.is_encrypted,
    }
}

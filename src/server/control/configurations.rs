//! Backup configurations: made, changed, shown, listed, ended.

use http::StatusCode;

use super::{Answer, Call, Unknown, empty, invalid, json, judged};
use crate::server::fault::ApiFault;
use crate::store::fleet::Refusal;
use crate::store::fleet::configurations::ConfigurationView;
use crate::wire::control::configuration::{self, ConfigurationObject, Shown};

impl Call<'_> {
    pub(super) async fn create_configuration(&self) -> Answer {
        let fields = self.fields()?;
        let agent = fields.required_int("MachineAgentId").map_err(invalid)?;
        let settings = configuration::parse(&fields, None).map_err(invalid)?;
        let view = judged(self.store().create_configuration(self.tenant(), agent, settings).await?, Unknown::NotFound)?;
        Ok(json(&object(&view, false)))
    }

    /// What the body leaves out stays; the answer is the whole configuration.
    pub(super) async fn update_configuration(&self, id: i64) -> Answer {
        let fields = self.fields()?;
        let agent = fields.int("MachineAgentId").map_err(invalid)?;
        let change = move |known: &crate::model::configuration::BackupConfiguration| {
            if agent.is_some_and(|agent| agent != known.agent) {
                return Err(Refusal::Invalid(format!("Backup configuration {} is of agent {}.", known.id, known.agent)));
            }
            configuration::parse(&fields, Some(&known.settings)).map_err(|error| Refusal::Invalid(error.message))
        };
        let changed = self.store().update_configuration(self.tenant(), id, Box::new(change)).await?;
        // The guide knows a conflict when one is made, and here only a bad request.
        let view = match changed {
            Err(Refusal::Conflict(text)) => return Err(ApiFault::bad_request(text)),
            changed => judged(changed, Unknown::NotFound)?,
        };
        Ok(json(&object(&view, false)))
    }

    pub(super) async fn show_configuration(&self, id: i64) -> Answer {
        let view = judged(self.store().configuration(self.tenant(), id).await?, Unknown::NotFound)?;
        Ok(json(&object(&view, false)))
    }

    pub(super) async fn list_configurations(&self, agent: Option<i64>) -> Answer {
        let views = judged(self.store().configurations(self.tenant(), agent).await?, Unknown::NotFound)?;
        Ok(json(&views.iter().map(|view| object(view, agent.is_none())).collect::<Vec<_>>()))
    }

    pub(super) async fn enable_configuration(&self, id: i64) -> Answer {
        let enabled = self.fields()?.required_bool(["Enable", "Enabled"]).map_err(invalid)?;
        let view = judged(self.store().enable_configuration(self.tenant(), id, enabled).await?, Unknown::NotFound)?;
        Ok(json(&object(&view, false)))
    }

    pub(super) async fn delete_configuration(&self, id: i64) -> Answer {
        judged(self.store().delete_configuration(self.tenant(), id).await?, Unknown::NotFound)?;
        self.audit("backup configuration deleted", id);
        Ok(empty(StatusCode::OK))
    }
}

fn object(view: &ConfigurationView, shows_state: bool) -> ConfigurationObject<'_> {
    let state = view.newest_state.map_or("Not Available", crate::model::run::RunState::as_str);
    let shown = Shown { agent: &view.agent, is_encrypted: view.is_encrypted, last_run: view.last_run, state: shows_state.then_some(state) };
    ConfigurationObject::of(&view.configuration, shown)
}

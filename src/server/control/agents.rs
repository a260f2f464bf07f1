//! Agents: shown, listed, enabled, ended, moved.

use http::StatusCode;
use percent_encoding::percent_decode_str;

use super::{Answer, Call, Unknown, empty, invalid, json, judged};
use crate::config::ListedStatus;
use crate::model::agent::LogLevel;
use crate::server::fault::ApiFault;
use crate::server::request::RequestHead;
use crate::store::fleet::agents::AgentView;
use crate::wire::control::agent::{AgentObject, ChangedAgent, Shown};
use crate::wire::fields::Fields;

impl Call<'_> {
    pub(super) async fn show_agent(&self, id: i64) -> Answer {
        let view = judged(self.store().agent(self.tenant(), id).await?, Unknown::NotFound)?;
        Ok(json(&object(self.head, &view)))
    }

    pub(super) async fn show_agent_of_host(&self, host: &str) -> Answer {
        let host = percent_decode_str(host).decode_utf8_lossy();
        // No catalog keeps a NUL, and no host has one.
        if host.contains('\0') {
            return Err(ApiFault::not_found("A host server id has no NUL character."));
        }
        let view = judged(self.store().agent_of_host(self.tenant(), &host).await?, Unknown::NotFound)?;
        Ok(json(&object(self.head, &view)))
    }

    pub(super) async fn list_agents(&self) -> Answer {
        let views = self.store().agents(self.tenant()).await?;
        let listed = self.head.context.listed_status;
        let object = |view| {
            let mut shown = shown(self.head, view);
            shown.status = match listed {
                ListedStatus::Offline => "Offline",
                ListedStatus::Unknown => "Unknown",
                ListedStatus::Live => shown.status,
            };
            shown.shows_last_success = listed == ListedStatus::Live;
            AgentObject::of(&view.agent, shown)
        };
        Ok(json(&views.iter().map(object).collect::<Vec<_>>()))
    }

    pub(super) async fn enable_agent(&self) -> Answer {
        let fields = self.fields()?;
        let id = fields.required_int("MachineAgentId").map_err(invalid)?;
        let enabled = fields.required_bool(["Enable", "Enabled"]).map_err(invalid)?;
        judged(self.store().enable_agent(self.tenant(), id, enabled).await?, Unknown::Forbidden)?;
        self.audit(if enabled { "agent enabled" } else { "agent disabled" }, id);
        Ok(empty(StatusCode::NO_CONTENT))
    }

    pub(super) async fn delete_agent(&self) -> Answer {
        let id = self.fields()?.required_int(["MachineAgentId", "MachineId"]).map_err(invalid)?;
        judged(self.store().delete_agent(self.tenant(), id).await?, Unknown::Forbidden)?;
        self.audit("agent deleted", id);
        Ok(empty(StatusCode::NO_CONTENT))
    }

    pub(super) async fn delete_agent_by_id(&self, id: i64) -> Answer {
        judged(self.store().delete_agent(self.tenant(), id).await?, Unknown::NotFound)?;
        self.audit("agent deleted", id);
        Ok(empty(StatusCode::NO_CONTENT))
    }

    pub(super) async fn migrate_vault(&self) -> Answer {
        let fields = self.fields()?;
        let source = fields.required_int("SourceMachineAgentId").map_err(invalid)?;
        let destination = fields.required_int("DestinationMachineAgentId").map_err(invalid)?;
        judged(self.store().migrate_vault(self.tenant(), source, destination).await?, Unknown::Forbidden)?;
        self.audit("vault migrated", source);
        Ok(empty(StatusCode::OK))
    }

    pub(super) async fn change_behavior(&self, id: i64) -> Answer {
        let fields = self.fields()?;
        let uses_service_net = fields.required_bool("UseServiceNet").map_err(invalid)?;
        let datacenter = fields.text("BackupDataCenter").map_err(invalid)?.filter(|text| !text.is_empty());
        let datacenter = datacenter.map(|text| known_datacenter("BackupDataCenter", &text)).transpose()?;
        let changed = self.store().change_agent_behavior(self.tenant(), id, uses_service_net, datacenter).await?;
        let view = judged(changed, Unknown::Forbidden)?;
        let agent = object(self.head, &view);
        Ok(json(&ChangedAgent { agent, backup_data_center: &view.agent.backup_datacenter }))
    }

    /// JSON, or the form that the guide's example sends.
    pub(super) async fn change_log_level(&self) -> Answer {
        let fields = match self.fields() {
            Ok(fields) => fields,
            Err(fault) => Fields::parse_form(&self.body).map_err(|_| fault)?,
        };
        let id = fields.required_int("MachineAgentId").map_err(invalid)?;
        let level = fields.required_text("LoggingLevelId").map_err(invalid)?;
        let level = LogLevel::parse(level.trim())
            .ok_or_else(|| ApiFault::bad_request("LoggingLevelId is 1 to 7, or Fatal, Error, Warn, Info, Debug, Trace or All."))?;
        judged(self.store().change_log_level(self.tenant(), id, level).await?, Unknown::Forbidden)?;
        Ok(empty(StatusCode::OK))
    }

    pub(super) async fn show_log_level(&self, id: i64) -> Answer {
        let view = judged(self.store().agent(self.tenant(), id).await?, Unknown::NotFound)?;
        Ok(json(&view.agent.log_level.as_str()))
    }

    pub(super) async fn wake_agents(&self) -> Answer {
        self.store().wake_agents(self.tenant()).await?;
        Ok(empty(StatusCode::OK))
    }

    /// Who did what to an agent, and from where.
    pub(super) fn audit(&self, what: &str, agent: i64) {
        let (user, address) = (self.caller.user.name.as_str(), self.head.peer.address);
        tracing::info!(target: "strongroom::audit", what, agent, user, tenant = self.tenant(), %address, "the control plane was changed");
    }
}

/// One of the six data centres, in upper case; `member` is where the text came from.
pub fn known_datacenter(member: &str, text: &str) -> Result<String, ApiFault> {
    const DATACENTERS: [&str; 6] = ["DFW", "ORD", "IAD", "LON", "HKG", "SYD"];
    let found = DATACENTERS.iter().find(|known| known.eq_ignore_ascii_case(text.trim()));
    found.map(|known| (*known).to_owned()).ok_or_else(|| ApiFault::bad_request(format!("{member} is DFW, ORD, IAD, LON, HKG or SYD.")))
}

pub(super) fn object<'a>(head: &RequestHead, view: &'a AgentView) -> AgentObject<'a> {
    AgentObject::of(&view.agent, shown(head, view))
}

fn shown(head: &RequestHead, view: &AgentView) -> Shown {
    let agent = &view.agent;
    Shown {
        container: format!("{}/v1/{}/CloudBackup_v2_0_{}", head.origin(), agent.tenant, view.vault_uuid),
        vault_bytes: view.vault_bytes,
        is_encrypted: view.is_encrypted,
        cleanup_allowed: !agent.is_disabled && !view.is_cleaning,
        status: if agent.is_online(head.context.store.now()) { "Online" } else { "Offline" },
        shows_last_success: true,
    }
}

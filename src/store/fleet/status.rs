//! How one agent's machine is backed up.

use super::agents::{self, is_encrypted};
use super::configuration_rows::configurations_where;
use super::{Rows, restorable};
use crate::model::agent_status::{ActiveConfiguration, AgentStatus};
use crate::model::configuration::BackupConfiguration;
use crate::store::catalog::Connection;
use crate::store::{Result, Store};

impl Store {
    /// Everything at one moment.
    pub async fn agent_status(&self, agent: i64) -> Result<AgentStatus> {
        self.read(move |connection| {
            let agent = agents::known(connection, agent)?;
            let active = "agent = $1 AND active = 1 AND deleted_at IS NULL ORDER BY id";
            let active = configurations_where(connection, active, &[agent.id.into()])?;
            let live = "SELECT id FROM runs WHERE agent = $1 AND live = 1 LIMIT 1";
            Ok(AgentStatus {
                is_encrypted: is_encrypted(connection, &agent.account)?,
                has_live_runs: !connection.query(live, &[agent.id.into()])?.is_empty(),
                active: active.into_iter().map(|configuration| status_of(connection, configuration)).collect::<Rows<_>>()?,
                agent,
            })
        })
        .await
    }
}

fn status_of(connection: &mut dyn Connection, configuration: BackupConfiguration) -> Rows<ActiveConfiguration> {
    let newest = restorable::newest(connection, configuration.id)?;
    Ok(ActiveConfiguration {
        id: configuration.id,
        name: configuration.settings.name,
        next_at: configuration.next_at,
        newest_backup_at: newest.map(|(_, completed_at)| completed_at),
    })
}

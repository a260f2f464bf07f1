//! The history of runs, newest first, as one list of backups, restores and cleanups.

use std::collections::HashMap;

use super::agent_rows::agent_of;
use super::restorable::THERE;
use super::run_rows::{COLUMNS, run};
use super::{Outcome, Rows};
use crate::model::instant::DAY_MICROS;
use crate::model::run_record::Run;
use crate::store::catalog::{Connection, Value};
use crate::store::{Result, Store};

/// How long what is over stays in the history.
const KEPT_MICROS: i64 = 90 * DAY_MICROS;

/// One line of the history.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ActivityEntry {
    pub run: Run,
    pub configuration_name: String,
    pub configuration_is_deleted: bool,
    /// Name and data centre.
    pub source: (String, String),
    pub destination: (String, String),
}

impl Store {
    /// What the tenant's agents do and what they did: all that is live or can be restored, and for 90 days what is not. Restores that
    /// were never started are left out. With `agent`, what it is source or destination of.
    pub async fn activity(&self, tenant: &str, agent: Option<i64>) -> Result<Outcome<Vec<ActivityEntry>>> {
        let (tenant, since) = (tenant.to_owned(), self.now().plus_micros(-KEPT_MICROS).micros());
        self.read(move |connection| {
            if let Some(id) = agent
                && let Err(refusal) = agent_of(connection, &tenant, id)?
            {
                return Ok(Err(refusal));
            }
            let kept = format!("state <> 'Creating' AND (live = 1 OR changed_at > $2 OR forgotten_at > $2 OR {THERE})");
            let statement = format!("SELECT {COLUMNS} FROM runs WHERE tenant = $1 AND {kept}");
            let values: [Value; 2] = [tenant.as_str().into(), since.into()];
            let order = "ORDER BY changed_at DESC, id DESC";
            let rows = match agent {
                None => connection.query(&format!("{statement} {order}"), &values)?,
                Some(id) => {
                    let [tenant, since] = values;
                    connection.query(&format!("{statement} AND (agent = $3 OR source = $3) {order}"), &[tenant, since, id.into()])?
                }
            };
            let names = Names::read(connection, &tenant)?;
            rows.iter().map(|row| Ok(names.entry(run(row)?))).collect::<Rows<_>>().map(Ok)
        })
        .await
    }
}

/// What the entries of one tenant name: read once for all of them.
struct Names {
    agents: HashMap<i64, (String, String)>,
    configurations: HashMap<i64, (String, bool)>,
}

impl Names {
    fn read(connection: &mut dyn Connection, tenant: &str) -> Rows<Self> {
        let values: [Value; 1] = [tenant.into()];
        let agents = connection.query("SELECT id, machine_name, datacenter FROM agents WHERE tenant = $1", &values)?;
        let configurations = connection.query("SELECT id, name, deleted_at FROM configurations WHERE tenant = $1", &values)?;
        Ok(Self {
            agents: agents.iter().map(|row| Ok((row.int(0)?, (row.text(1)?.to_owned(), row.text(2)?.to_owned())))).collect::<Rows<_>>()?,
            configurations: configurations
                .iter()
                .map(|row| Ok((row.int(0)?, (row.text(1)?.to_owned(), row.optional_int(2)?.is_some()))))
                .collect::<Rows<_>>()?,
        })
    }

    fn entry(&self, run: Run) -> ActivityEntry {
        let agent = |id: i64| self.agents.get(&id).cloned().unwrap_or_default();
        let (configuration_name, configuration_is_deleted) =
            run.configuration.and_then(|id| self.configurations.get(&id).cloned()).unwrap_or_default();
        ActivityEntry { source: agent(run.source), destination: agent(run.agent), configuration_name, configuration_is_deleted, run }
    }
}

//! `fleet list`.

use serde_json::json;

use super::super::console::Console;
use super::super::failure::Failure;
use super::super::table::table;
use crate::model::instant::Instant;
use crate::model::size::Size;
use crate::store::Store;
use crate::store::fleet::operator::FleetEntry;

#[derive(clap::Args)]
pub struct List {
    /// Only those of this tenant
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    /// Those that were deleted, too
    #[arg(long)]
    deleted: bool,
}

impl List {
    pub async fn run(self, store: &Store, console: &mut Console) -> Result<(), Failure> {
        let listed = store.fleet(self.tenant, self.deleted).await;
        let fleet = listed.map_err(|error| Failure::of_store("cannot list the agents", &error))?;
        let now = store.now();
        let json = fleet.iter().map(|entry| json(entry, now)).collect();
        console.answer_either(&json, || text(&fleet, now))
    }
}

fn json(entry: &FleetEntry, now: Instant) -> serde_json::Value {
    let agent = &entry.agent;
    json!({
        "agent": agent.id,
        "tenant": agent.tenant,
        "machine_name": agent.facts.machine_name,
        "account": agent.account.as_str(),
        "state": state(entry, now),
        "vault_bytes": entry.vault_bytes,
        "is_encrypted": entry.is_encrypted,
        "active_configurations": entry.active_configurations,
        "last_success": agent.last_success_at.map(Instant::rfc3339),
        "seen": agent.seen_at.rfc3339(),
    })
}

fn text(fleet: &[FleetEntry], now: Instant) -> String {
    if fleet.is_empty() {
        return "There are no agents: `strongroom agent register` on a machine makes one.\n".to_owned();
    }
    let head = ["AGENT", "TENANT", "MACHINE", "STATE", "VAULT", "SIZE", "CONFIGURATIONS", "LAST BACKUP"].map(str::to_owned).to_vec();
    let row = |entry: &FleetEntry| {
        let agent = &entry.agent;
        vec![
            agent.id.to_string(),
            agent.tenant.clone(),
            agent.facts.machine_name.clone(),
            state(entry, now).to_owned(),
            agent.account.to_string(),
            Size(entry.vault_bytes).to_string(),
            entry.active_configurations.to_string(),
            agent.last_success_at.map_or_else(|| "never".to_owned(), Instant::rfc3339),
        ]
    };
    table(&std::iter::once(head).chain(fleet.iter().map(row)).collect::<Vec<_>>())
}

fn state(entry: &FleetEntry, now: Instant) -> &'static str {
    match &entry.agent {
        agent if agent.deleted_at.is_some() => "deleted",
        agent if agent.is_disabled => "disabled",
        agent if agent.is_online(now) => "online",
        _ => "offline",
    }
}

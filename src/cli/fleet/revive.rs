//! `fleet revive` and `fleet accept`: the two things that only an operator may say.

use serde_json::json;

use super::super::audit::Audit;
use super::super::console::Console;
use super::super::failure::Failure;
use crate::store::Store;

#[derive(clap::Args)]
pub struct Revive {
    /// The agent's number
    #[arg(value_name = "ID")]
    agent: i64,
}

#[derive(clap::Args)]
pub struct Accept {
    /// The agent's number
    #[arg(value_name = "ID")]
    agent: i64,
}

impl Revive {
    pub async fn run(self, store: &Store, audit: &Audit, console: &mut Console) -> Result<(), Failure> {
        let id = self.agent;
        let revived = store.revive_agent(id).await;
        revived.map_err(|error| Failure::of_store(format!("cannot revive agent {id}"), &error))?.map_err(super::refused)?;
        audit.note("fleet revive", None, &json!({ "agent": id }))?;
        console.answer_either(&json!({ "agent": id }), || format!("Agent {id} is back, with its vault and its configurations\n"))
    }
}

impl Accept {
    pub async fn run(self, store: &Store, audit: &Audit, console: &mut Console) -> Result<(), Failure> {
        let id = self.agent;
        let accepted = store.accept_cleanup(id).await;
        let accepted = accepted.map_err(|error| Failure::of_store(format!("cannot accept the cleanup of agent {id}"), &error))?;
        let cleanup = accepted.map_err(super::refused)?;
        audit.note("fleet accept", None, &json!({ "agent": id, "cleanup": cleanup }))?;
        console.answer_either(&json!({ "agent": id, "cleanup": cleanup }), || format!("Cleanup {cleanup} of agent {id} goes on\n"))
    }
}

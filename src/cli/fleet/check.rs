//! `fleet check`: fit for cron and for Nagios.

use std::time::Duration;

use serde_json::json;

use super::super::arguments::span;
use super::super::console::Console;
use super::super::failure::Failure;
use crate::model::instant::Instant;
use crate::store::Store;
use crate::store::fleet::operator::Lack;

#[derive(clap::Args)]
pub struct Check {
    /// How old the newest backup of an active configuration may be: 26h, 90m, 3d
    #[arg(long, value_name = "TIME", default_value = "26h", value_parser = span)]
    older_than: Duration,
}

impl Check {
    pub async fn run(self, store: &Store, console: &mut Console) -> Result<(), Failure> {
        let failed = |error| Failure::of_store("cannot check the agents", &error);
        let lacks = store.fleet_lacks(store.now() - self.older_than).await.map_err(failed)?;
        let has_agents = !store.fleet(None, false).await.map_err(failed)?.is_empty();
        let json = lacks.iter().map(json).collect();
        console.answer_either(&json, || match (lacks.is_empty(), has_agents) {
            (false, _) => lacks.iter().map(line).collect(),
            (true, true) => "Every agent is backed up\n".to_owned(),
            (true, false) => "There are no agents, so there is nothing to back up\n".to_owned(),
        })?;
        if lacks.is_empty() { Ok(()) } else { Err(Failure::damaged(format!("{} lines say what is not backed up", lacks.len()))) }
    }
}

fn json(lack: &Lack) -> serde_json::Value {
    match lack {
        Lack::NoConfiguration { agent, machine_name } => {
            json!({ "agent": agent, "machine_name": machine_name, "lack": "no active configuration" })
        }
        Lack::Old { agent, machine_name, configuration, name, newest } => json!({
            "agent": agent,
            "machine_name": machine_name,
            "lack": "no young backup",
            "configuration": configuration,
            "name": name,
            "newest": newest.map(Instant::rfc3339),
        }),
    }
}

fn line(lack: &Lack) -> String {
    match lack {
        Lack::NoConfiguration { agent, machine_name } => {
            format!("Agent {agent} on {machine_name}: nothing is backed up: no active configuration\n")
        }
        Lack::Old { agent, machine_name, configuration, name, newest } => {
            let newest = newest.map_or_else(|| "there is none".to_owned(), |at| format!("the newest is of {}", at.rfc3339()));
            format!("Agent {agent} on {machine_name}: configuration {configuration} ({name}) has no young backup: {newest}\n")
        }
    }
}

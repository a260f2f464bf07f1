//! `agent status`: whether this machine is backed up.

use serde_json::{Value, json};

use super::place::{self, Place};
use super::server;
use crate::agent::channel::CallError;
use crate::agent::state::{Bootstrap, Seen, State, StateError};
use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::cli::table::{table, visible};
use crate::vault::cancel::Cancel;
use crate::wire::channel::status::{Configuration, Status as Told};

/// Monitoring looks for this line.
const NOTHING: &str = "nothing is backed up: no active configuration";

#[derive(clap::Args)]
pub struct Status {
    #[command(flatten)]
    place: Place,
}

impl Status {
    pub fn run(self, console: &mut Console) -> Result<(), Failure> {
        let folder = self.place.folder()?;
        let seen = match State::look(&folder) {
            Err(StateError::NotThere(_)) => return unregistered(None, &format!("no agent is registered in {}", folder.display()), console),
            seen => seen.map_err(|error| place::failed("cannot look at the agent's state", &error))?,
        };
        if !seen.bootstrap.is_registered {
            let why = match seen.bootstrap.agent_id {
                0 => "the registration was not finished".to_owned(),
                agent => format!("agent {agent} is not registered any more"),
            };
            return unregistered(Some(&seen.bootstrap), &why, console);
        }
        let told = ask(&seen.bootstrap);
        let lacks = lacks(&seen, &told);
        console.answer_either(&as_json(&seen, &told, &lacks), || text(&seen, &told, &lacks))?;
        if lacks.is_empty() { Ok(()) } else { Err(Failure::damaged(lacks.join("; "))) }
    }
}

/// What the server says, or why it says nothing.
fn ask(bootstrap: &Bootstrap) -> Result<Told, String> {
    let channel = server::channel(bootstrap, &Cancel::default()).map_err(|failure| failure.to_string())?;
    channel.status().map_err(|error| match error {
        CallError::Deleted => format!("nothing is backed up: agent {} was deleted", bootstrap.agent_id),
        error => server::failed("the server does not answer for this agent", &error).to_string(),
    })
}

fn unregistered(bootstrap: Option<&Bootstrap>, why: &str, console: &mut Console) -> Result<(), Failure> {
    let answer = json!({ "is_registered": false, "server": bootstrap.map(|known| known.server.clone()), "lacks": [why] });
    console.answer_either(&answer, || format!("Not registered: {why}\n"))?;
    Err(Failure::damaged(why).with_hint("`strongroom agent register` registers this machine"))
}

/// Why this machine is not backed up, or may not be.
fn lacks(seen: &Seen, told: &Result<Told, String>) -> Vec<String> {
    let mut lacks = Vec::new();
    if !seen.is_held {
        lacks.push("no process of the agent runs".to_owned());
    }
    match told {
        Err(why) => lacks.push(why.clone()),
        Ok(told) if told.is_disabled => lacks.push("nothing is backed up: the agent is disabled".to_owned()),
        Ok(told) if told.configurations.is_empty() => lacks.push(NOTHING.to_owned()),
        Ok(_) => {}
    }
    lacks
}

fn as_json(seen: &Seen, told: &Result<Told, String>, lacks: &[String]) -> Value {
    let bootstrap = &seen.bootstrap;
    json!({
        "is_registered": true,
        "agent_id": bootstrap.agent_id,
        "account_id": bootstrap.account_id,
        "username": bootstrap.username,
        "server": bootstrap.server,
        "is_running": seen.is_held,
        "told": told.as_ref().ok(),
        "lacks": lacks,
    })
}

fn text(seen: &Seen, told: &Result<Told, String>, lacks: &[String]) -> String {
    let bootstrap = &seen.bootstrap;
    let machine = told.as_ref().map(|told| format!(" on {}", told.machine_name)).unwrap_or_default();
    let mut text = format!("Agent {}{machine}, of user {}, tenant {}\n", bootstrap.agent_id, bootstrap.username, bootstrap.account_id);
    text.push_str(&format!("Server {}\n", bootstrap.server));
    if let Ok(told) = told {
        text.push_str(&told_text(told));
    }
    for lack in lacks {
        text.push_str(&format!("{lack}\n"));
    }
    if !seen.is_held {
        text.push_str("Start it: `systemctl enable --now strongroom-agent`, or `strongroom agent run`\n");
    }
    text.lines().map(|line| format!("{}\n", visible(line))).collect()
}

fn told_text(told: &Told) -> String {
    let doing = if told.has_live_runs { "Something is being done, or is to be done now" } else { "Nothing is to be done now" };
    let vault = if told.is_encrypted { "encrypted: only its passphrase opens new backups" } else { "not encrypted by its user" };
    let last = told.last_success.as_deref().unwrap_or("never");
    let mut text = format!("{doing}\nVault {vault}\nLast backup {last}\n");
    if !told.configurations.is_empty() {
        let head = ["CONFIGURATION", "NAME", "NEXT RUN", "LAST BACKUP"].map(str::to_owned).to_vec();
        let rows = std::iter::once(head).chain(told.configurations.iter().map(row)).collect::<Vec<_>>();
        text.push_str(&table(&rows));
    }
    text
}

fn row(configuration: &Configuration) -> Vec<String> {
    let or = |time: &Option<String>, none: &str| time.clone().unwrap_or_else(|| none.to_owned());
    let (next_run, last_backup) = (or(&configuration.next_run, "when it is started"), or(&configuration.last_backup, "never"));
    vec![configuration.id.to_string(), configuration.name.clone(), next_run, last_backup]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::backend::location::address::Address;
    use crate::vault::backend::options::Trust;

    fn seen(is_held: bool) -> Seen {
        let server = Address::parse("https://backup.example").expect("an address");
        let bootstrap = Bootstrap { agent_id: 4101, account_id: "5501".to_owned(), ..Bootstrap::new("ada", &server, &Trust::System) };
        Seen { bootstrap, is_held }
    }

    fn told(names: &[&str]) -> Told {
        let configuration = |name: &&str| Configuration { id: 7, name: (*name).to_owned(), next_run: None, last_backup: None };
        Told {
            agent_id: 4101,
            machine_name: "web-a".to_owned(),
            is_disabled: false,
            is_encrypted: false,
            has_live_runs: false,
            last_success: None,
            configurations: names.iter().map(configuration).collect(),
        }
    }

    #[test]
    fn a_machine_without_an_active_configuration_is_told_on_a_line_of_its_own() {
        let (seen, told) = (seen(true), Ok(told(&[])));
        let lacks = lacks(&seen, &told);
        assert_eq!(lacks, [NOTHING]);
        let text = text(&seen, &told, &lacks);
        assert!(text.lines().any(|line| line == "nothing is backed up: no active configuration"), "{text}");
        assert!(text.starts_with("Agent 4101 on web-a, of user ada, tenant 5501\nServer https://backup.example\n"), "{text}");
    }

    #[test]
    fn everything_that_keeps_backups_from_being_made_is_a_lack() {
        assert!(lacks(&seen(true), &Ok(told(&["www"]))).is_empty());
        assert_eq!(lacks(&seen(false), &Ok(told(&["www"]))), ["no process of the agent runs"]);
        assert_eq!(lacks(&seen(true), &Err("the server does not answer: x".to_owned())), ["the server does not answer: x"]);
        let disabled = Told { is_disabled: true, ..told(&["www"]) };
        assert_eq!(lacks(&seen(true), &Ok(disabled)), ["nothing is backed up: the agent is disabled"]);
    }

    #[test]
    fn neither_people_nor_machines_are_shown_the_key() {
        let (seen, told) = (seen(false), Ok(told(&["www\u{1b}[2J"])));
        let (text, json) = (text(&seen, &told, &[]), as_json(&seen, &told, &[]).to_string());
        assert!(![&text, &json].iter().any(|said| said.contains(seen.bootstrap.agent_key.reveal())), "{text}{json}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}

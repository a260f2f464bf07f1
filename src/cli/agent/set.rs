//! `agent set`: a server that moved or is believed by other means, and the passphrase.

use serde_json::json;

use super::passphrase::{Kept, PassphraseArgs};
use super::place::{self, Place};
use super::server::{self, TrustArgs};
use super::up;
use crate::agent::state::{Bootstrap, State};
use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::vault::backend::location::address::Address;
use crate::vault::cancel::Cancel;

#[derive(clap::Args)]
pub struct Set {
    /// Where the server is now. It is believed by --ca-file or --pin, and without them by the system's roots
    #[arg(long, value_name = "URL", value_parser = server::server)]
    server: Option<Address>,
    #[command(flatten)]
    trust: TrustArgs,
    /// Without asking the server whether it knows the agent
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

impl Set {
    pub fn run(self, console: &mut Console) -> Result<(), Failure> {
        let changes_server = self.server.is_some() || self.trust.is_given();
        if !changes_server && !self.passphrase.is_given() {
            return Err(Failure::usage("nothing is to be changed").with_hint("name --server, --ca-file, --pin or --passphrase-file"));
        }
        let state = State::open(&self.place.folder()?).map_err(|error| place::failed("cannot change the agent", &error))?;
        let mut bootstrap = state.bootstrap().map_err(|error| place::failed("cannot read who the agent is", &error))?;
        if changes_server {
            bootstrap = self.moved(bootstrap)?;
            state.keep(&bootstrap).map_err(|error| place::failed("cannot keep where the server is", &error))?;
            let copied = state.copy_for_old_tools(&bootstrap);
            copied.map_err(|error| place::failed("the server is kept, but not for old tools", &error))?;
        }
        let kept = if self.passphrase.is_given() { self.keep_passphrase(state, &bootstrap, console)? } else { None };
        let answer =
            json!({ "agent_id": bootstrap.agent_id, "server": bootstrap.server, "has_passphrase": kept.map(|kept| kept == Kept::Opened) });
        console.answer_either(&answer, || text(&bootstrap, changes_server, kept))
    }

    /// The agent at its new server, which was asked.
    fn moved(&self, bootstrap: Bootstrap) -> Result<Bootstrap, Failure> {
        let known = bootstrap.address().map_err(|error| place::failed("cannot read who the agent is", &error));
        let server = self.server.clone().map_or(known, Ok)?;
        let moved = bootstrap.at(&server, &self.trust.trust()?);
        if self.force {
            return Ok(moved);
        }
        let channel = server::channel(&moved, &Cancel::default())?;
        let status = channel.status();
        let doing = format!("nothing was changed: {} does not answer for agent {}", moved.server, moved.agent_id);
        let status = status.map_err(|error| server::failed(&doing, &error))?;
        if status.agent_id != moved.agent_id {
            let what = format!("nothing was changed: {} knows this key as agent {}, not {}", moved.server, status.agent_id, moved.agent_id);
            return Err(Failure::new(what).with_hint("see that it is the right server; --force changes it without asking"));
        }
        Ok(moved)
    }

    fn keep_passphrase(&self, state: State, bootstrap: &Bootstrap, console: &mut Console) -> Result<Option<Kept>, Failure> {
        let up = up::come_up(state, bootstrap)?;
        match self.passphrase.keep(&up.tools, &up.work.vault, console)? {
            Kept::Wrong => Err(Failure::new("this passphrase does not open the agent's vault; it was not kept")),
            kept => Ok(Some(kept)),
        }
    }
}

fn text(bootstrap: &Bootstrap, changes_server: bool, kept: Option<Kept>) -> String {
    let mut text = String::new();
    if changes_server {
        text.push_str(&format!("Agent {} calls {} from its next start on\n", bootstrap.agent_id, bootstrap.server));
    }
    match kept {
        Some(Kept::Opened) => text.push_str("The passphrase opens the vault, and is kept\n"),
        Some(_) => text.push_str("The vault is not encrypted, so no passphrase is kept\n"),
        None => {}
    }
    text.push_str("Start it: `systemctl start strongroom-agent`, or `strongroom agent run`\n");
    text
}

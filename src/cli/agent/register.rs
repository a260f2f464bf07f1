//! `agent register`: this machine becomes an agent, or goes on as one that it was.
//!
//! The key is on the disk before the server hears of it, so that a lost answer makes no twin: the same command again is the same agent.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::api_key::api_key;
use super::passphrase::{Kept, PassphraseArgs};
use super::place::{self, Place};
use super::server::{self, TrustArgs};
use super::up::{self, Up};
use crate::agent::channel::{CallError, Registrar, login};
use crate::agent::machine;
use crate::agent::state::{Begun, Bootstrap, State, StateError};
use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::clock::Clock;
use crate::vault::backend::location::address::Address;
use crate::wire::channel::register::{Register as Sent, Registered};

#[derive(clap::Args)]
pub struct Register {
    /// The server, such as https://backup.example
    #[arg(long, value_name = "URL", value_parser = server::server)]
    server: Address,
    /// The user that the agent belongs to; the API key is asked for [env: STRONGROOM_API_KEY]
    ///
    /// The key is taken from STRONGROOM_API_KEY, else asked for on a terminal, else it is the first line of standard input. It is kept
    /// nowhere: the agent has a key of its own.
    #[arg(long, value_name = "NAME")]
    user: String,
    /// The data centre of the agent [default: the server's first]
    #[arg(long, value_name = "DC")]
    datacenter: Option<String>,
    /// Go on as this agent, with its vault and its configurations: for a machine that was built anew. The old one is shut out
    #[arg(long, value_name = "ID")]
    take_over: Option<i64>,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    place: Place,
    /// Put bootstrap.json and public-key.pem where tools for the original agent look for them, too
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true, default_missing_value = "/etc/driveclient")]
    driveclient_files: Option<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

impl Register {
    pub fn run(self, console: &mut Console) -> Result<(), Failure> {
        let folder = self.place.folder()?;
        // Before anything is typed.
        if let Ok(seen) = State::look(&folder)
            && seen.is_held
        {
            return Err(place::failed("cannot register", &StateError::Busy(folder.join("agent.lock"))));
        }
        let trust = self.trust.trust()?;
        let api_key = api_key(&self.user, console)?;
        let registrar = login(&self.server, &trust, &self.user, &api_key).map_err(|error| refused_login(&self.user, &error))?;
        let begun = State::begin(&folder, Clock::system().wall());
        let begun = begun.map_err(|error| place::failed("cannot make the agent's state", &error))?;
        let bootstrap = match &begun.unfinished {
            Some(unfinished) => Bootstrap { username: self.user.clone(), ..unfinished.clone() }.at(&self.server, &trust),
            None => Bootstrap::new(&self.user, &self.server, &trust),
        };
        let registered = self.register(&registrar, &begun, &bootstrap);
        let registered = match registered {
            Err(Refused { failure, is_final: true }) => return Err(undone(begun, failure)),
            registered => registered.map_err(|refused| refused.failure)?,
        };
        self.finish(&folder, begun, bootstrap, registered, console)
    }

    /// Tells the server of the key that is kept now.
    fn register(&self, registrar: &Registrar, begun: &Begun, bootstrap: &Bootstrap) -> Result<Registered, Refused> {
        let state = &begun.state;
        let failed = |error| Refused { failure: place::failed("cannot make the agent's state", &error), is_final: true };
        let public_key = begun.key_pair().map_err(failed)?.public();
        state.keep(bootstrap).map_err(failed)?;
        let sent = Sent {
            facts: machine::facts(state).map_err(failed)?,
            fingerprint: machine::fingerprint(state).map_err(failed)?,
            public_key,
            key_sha256: bootstrap.key_sha256().map_err(failed)?,
            datacenter: self.datacenter.clone(),
            take_over: self.take_over,
        };
        let registered = registrar.register(&sent).map_err(|error| refused(&error, self.take_over))?;
        match self.take_over {
            Some(wanted) if wanted != registered.agent_id => {
                let what = format!("an earlier registration, which was not finished, had made agent {} already", registered.agent_id);
                let hint = format!("give {} another name, then take over agent {wanted}", state.folder().display());
                Err(Refused { failure: Failure::new(what).with_hint(hint), is_final: false })
            }
            _ => Ok(registered),
        }
    }

    /// The registration stands, whatever else goes wrong.
    fn finish(
        &self,
        folder: &Path,
        begun: Begun,
        bootstrap: Bootstrap,
        registered: Registered,
        console: &mut Console,
    ) -> Result<(), Failure> {
        let Registered { agent_id, account_id, username } = registered;
        let driveclient_files = self.driveclient_files.clone();
        let bootstrap = Bootstrap { agent_id, account_id, username, is_registered: true, driveclient_files, ..bootstrap };
        let kept = begun.state.keep(&bootstrap);
        kept.map_err(|error| place::failed("the server has registered this machine, but that cannot be kept: register it again", &error))?;
        let copied = begun.state.copy_for_old_tools(&bootstrap);
        copied
            .map_err(|error| place::failed(&format!("agent {agent_id} is registered, but files for old tools cannot be made"), &error))?;
        let up = up::come_up(begun.state, &bootstrap).map_err(|failure| {
            failure.with_hint("the registration stands, so do not register again: `strongroom agent run` does the rest")
        })?;
        let kept = self.passphrase.keep(&up.tools, &up.work.vault, console);
        let machine_name = up.machine_name.clone();
        let answer = json!({
            "agent_id": agent_id,
            "account_id": bootstrap.account_id,
            "username": bootstrap.username,
            "machine_name": machine_name,
            "server": bootstrap.server,
            "state": folder.to_string_lossy(),
            "moved_to": begun.moved_to.as_ref().map(|path| path.to_string_lossy()),
            "is_encrypted": up.work.vault.generations.iter().any(|generation| generation.is_encrypted),
            "has_passphrase": matches!(kept, Ok(Kept::Opened)),
        });
        console.answer_either(&answer, || text(&up, &bootstrap, folder, begun.moved_to.as_deref()))?;
        later(kept, console)
    }
}

/// A registration that came to nothing.
struct Refused {
    failure: Failure,
    /// The server has made no agent of the key, and will not.
    is_final: bool,
}

fn refused(error: &CallError, take_over: Option<i64>) -> Refused {
    let failure = server::failed("cannot register this machine", error);
    let failure = match error {
        CallError::Refused { status, .. } if status.as_u16() == 403 && take_over.is_some() => {
            failure.with_hint("taking an agent over needs a user with the role cloudbackup:admin")
        }
        CallError::Refused { status, .. } if status.as_u16() == 403 => {
            failure.with_hint("registering needs a user with the role cloudbackup:creator or cloudbackup:admin")
        }
        CallError::Refused { status, .. } if status.as_u16() == 404 => failure
            .with_hint("it has to be an agent of this user's tenant that was not deleted: `strongroom fleet list` on the server shows all"),
        CallError::Unavailable { .. } => failure.with_hint("run the same command again: it makes no second agent"),
        // Of a registration that was not finished, whose agent was deleted since.
        CallError::Conflict(_) => failure.with_hint("give the state folder another name, then register again"),
        _ => failure,
    };
    Refused { failure, is_final: matches!(error, CallError::Refused { .. } | CallError::Unknown(_)) }
}

/// Puts the state of an earlier agent back: nothing came of the new one.
fn undone(begun: Begun, failure: Failure) -> Failure {
    match begun.undo() {
        Ok(()) => failure,
        Err(error) => place::failed(&format!("{failure}; and the state of the earlier agent cannot be put back"), &error),
    }
}

fn refused_login(user: &str, error: &CallError) -> Failure {
    let doing = format!("cannot log in as {user}");
    match error {
        CallError::Unknown(said) => Failure::new(format!("{doing}: {said}")).with_hint(format!(
            "the API key is wrong, or there is no such user; `strongroom user rotate {user}` on the server makes a new key"
        )),
        CallError::Refused { .. } => server::failed(&doing, error)
            .with_hint(format!("`strongroom user show {user}` on the server says whether the user is disabled")),
        error => server::failed(&doing, error),
    }
}

fn text(up: &Up, bootstrap: &Bootstrap, folder: &Path, moved_to: Option<&Path>) -> String {
    let Bootstrap { agent_id, account_id, .. } = bootstrap;
    let mut text = format!("Registered {} as agent {agent_id} of tenant {account_id}\n", up.machine_name);
    text.push_str(&format!("Its state is in {}; keep that folder as you keep a password\n", folder.display()));
    if let Some(moved_to) = moved_to {
        text.push_str(&format!("The state of the agent before is in {}\n", moved_to.display()));
    }
    text.push_str("Next: `systemctl enable --now strongroom-agent`, or `strongroom agent run`;\n");
    text.push_str("then create a backup configuration for it: before there is one, nothing is backed up\n");
    text
}

/// What is still to be done about the passphrase. The registration stands.
fn later(kept: Result<Kept, Failure>, console: &mut Console) -> Result<(), Failure> {
    const HINT: &str = "`strongroom agent set --passphrase-file FILE` gives it later";
    match kept {
        Ok(Kept::NotNeeded | Kept::Opened) => Ok(()),
        Ok(Kept::Missing) => {
            console.note("warning: the vault is encrypted: before the agent has its passphrase, nothing is backed up");
            console.note(&format!("hint: {HINT}"));
            Ok(())
        }
        Ok(Kept::Wrong) => {
            Err(Failure::new("the machine is registered, but this passphrase does not open its vault; it was not kept").with_hint(HINT))
        }
        Err(failure) => Err(Failure::new(format!("the machine is registered, but its passphrase was not kept: {failure}")).with_hint(HINT)),
    }
}

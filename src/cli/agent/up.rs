//! An agent that comes up for a moment, to see what is wanted of it and to make what its vault lacks.

use std::sync::Arc;
use std::time::Duration;

use super::{place, server};
use crate::agent::Settings;
use crate::agent::channel::Channel;
use crate::agent::jobs::{Tools, make_generation};
use crate::agent::leash::Leash;
use crate::agent::machine;
use crate::agent::state::{Bootstrap, State};
use crate::agent::vaults::Vaults;
use crate::cli::failure::Failure;
use crate::vault::cancel::Cancel;
use crate::wire::channel::startup::Startup;
use crate::wire::channel::work::{Generation, Work};

/// What it needs for its work, and what that is.
pub struct Up {
    pub tools: Tools,
    pub work: Work,
    pub machine_name: String,
}

/// Says that this process is up, and makes the repositories that were never made. What fails here the agent does again when it runs.
pub fn come_up(state: State, bootstrap: &Bootstrap) -> Result<Up, Failure> {
    let agent = bootstrap.agent_id;
    let not_known = |error| place::failed("cannot find out what this machine is", &error);
    let damaged = |error| place::failed("cannot read who the agent is", &error);
    let facts = machine::facts(&state).map_err(not_known)?;
    let machine_name = facts.machine_name.clone();
    let fingerprint = machine::fingerprint(&state).map_err(not_known)?;
    let channel = Arc::new(server::channel(bootstrap, &Cancel::default())?);
    let startup = Startup { facts, fingerprint, highest_run_id: state.journal().highest_run(), snapshots: Vec::new() };
    let failed = |error| server::failed(&format!("agent {agent} is registered, but cannot start up"), &error);
    channel.start_up(&startup).map_err(failed)?;
    let work = wanted(&channel).map_err(failed)?;
    let state = Arc::new(state);
    let (address, trust) = (bootstrap.address().map_err(damaged)?, bootstrap.trust().map_err(damaged)?);
    let vaults = Vaults::new(address, trust, Settings::default(), Arc::clone(&state), Arc::clone(&channel));
    let tools = Tools { settings: Settings::default(), state, channel, vaults, server_is_ahead_seconds: 0 };
    make_generations(&tools, &work.vault.generations, agent)?;
    Ok(Up { tools, work, machine_name })
}

fn wanted(channel: &Channel) -> Result<Work, crate::agent::channel::CallError> {
    loop {
        // Without a tag there is always an answer.
        if let Some(wanted) = channel.work(None, Duration::ZERO)? {
            return Ok(wanted.work);
        }
    }
}

/// Encrypted ones are made when they are encrypted.
fn make_generations(tools: &Tools, generations: &[Generation], agent: i64) -> Result<(), Failure> {
    for generation in generations.iter().filter(|generation| !generation.is_ready && !generation.is_encrypted) {
        let made = make_generation(tools, generation, &Leash::default());
        made.map_err(|error| Failure::because(format!("agent {agent} is registered, but its vault cannot be made now"), &error))?;
    }
    Ok(())
}

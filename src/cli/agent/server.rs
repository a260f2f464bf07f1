//! The server of an agent: how it is named, by what it is believed, and what goes wrong on the way to it.

use std::path::PathBuf;

use crate::agent::channel::{CallError, Channel};
use crate::agent::state::Bootstrap;
use crate::cli::agent::place;
use crate::cli::failure::Failure;
use crate::vault::backend::location::address::Address;
use crate::vault::backend::options::{Pin, Trust};
use crate::vault::cancel::Cancel;

#[derive(clap::Args)]
pub struct TrustArgs {
    /// Believe the server by this PEM file of certificates instead of the system's
    #[arg(long, visible_alias = "cacert", value_name = "FILE", conflicts_with = "pin")]
    ca_file: Option<PathBuf>,
    /// Believe the one server whose certificate has this SHA-256, whatever else it says
    #[arg(long, value_name = "SHA256")]
    pin: Option<Pin>,
}

impl TrustArgs {
    pub const fn is_given(&self) -> bool {
        self.ca_file.is_some() || self.pin.is_some()
    }

    /// Without either, the system's roots are believed.
    pub fn trust(&self) -> Result<Trust, Failure> {
        let Some(file) = &self.ca_file else { return Ok(self.pin.map_or(Trust::System, Trust::Pin)) };
        // The agent runs in another directory.
        let path = std::path::absolute(file).map_err(|error| Failure::because(format!("cannot use {}", file.display()), &error))?;
        Ok(Trust::CaFile(path))
    }
}

/// `https://HOST[:PORT]`, and nothing more.
pub fn server(text: &str) -> Result<Address, String> {
    let address = Address::parse(text).map_err(|error| error.to_string())?;
    if address.credentials.is_some() {
        return Err("no user or password is wanted in it: the agent has a key of its own".to_owned());
    }
    if address.path != "/" {
        return Err("only scheme, host and port are wanted, such as https://backup.example:8443".to_owned());
    }
    Ok(address)
}

/// The way to the server of this agent.
pub fn channel(bootstrap: &Bootstrap, cancel: &Cancel) -> Result<Channel, Failure> {
    let damaged = |error| place::failed("cannot read who the agent is", &error);
    let (server, trust) = (bootstrap.address().map_err(damaged)?, bootstrap.trust().map_err(damaged)?);
    let channel = Channel::new(bootstrap.agent_id, &server, &trust, &bootstrap.agent_key, cancel);
    channel.map_err(|error| Failure::because(format!("cannot reach {}", bootstrap.server), &error))
}

/// What an agent's call failed with.
pub fn failed(doing: &str, error: &CallError) -> Failure {
    let failure = Failure::because(doing, error);
    match error {
        CallError::Distrusted(why) if why.contains("certificate") => {
            failure.with_hint("name the server's certificate with --ca-file, or its SHA-256 with --pin")
        }
        CallError::Distrusted(why) if why.contains("plain HTTP") => {
            failure.with_hint("an agent's server has a URL that begins with https://")
        }
        CallError::Unavailable { .. } => failure.with_hint("see that the server runs at this URL, and that this machine may connect to it"),
        CallError::Unknown(_) => {
            failure.with_hint("see that this is the server where the agent was registered, and that its catalog is up to date")
        }
        CallError::Deleted => {
            failure.with_hint("`strongroom fleet revive` on the server brings it back; `strongroom agent register` makes a new one")
        }
        CallError::Distrusted(_) | CallError::Conflict(_) | CallError::Refused { .. } | CallError::Cancelled => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_scheme_host_and_port() {
        for good in ["https://backup.example", "https://backup.example:8443/", "http://127.0.0.1:8080", "https://[2001:db8::1]/"] {
            assert!(server(good).is_ok(), "{good}");
        }
        for wrong in ["backup.example", "ftp://backup.example", "https://ada:key@backup.example", "https://backup.example/v1.0", ""] {
            assert!(server(wrong).is_err(), "{wrong}");
        }
        assert!(server("https://ada:topsecret@backup.example").is_err_and(|error| !error.contains("topsecret")));
    }

    #[test]
    fn a_certificate_that_is_not_trusted_is_told_with_the_two_ways_out() {
        let error = CallError::Distrusted("the server's certificate is not trusted: unknown issuer".to_owned());
        let text = format!("{:?}", failed("cannot log in", &error));
        assert!(text.contains("--ca-file") && text.contains("--pin") && text.contains("unknown issuer"), "{text}");
    }
}

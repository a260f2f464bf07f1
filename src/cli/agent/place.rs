//! Which folder an agent's state is in, and what goes wrong there.

use std::path::PathBuf;

use crate::agent::state::{State, StateError};
use crate::cli::failure::Failure;

#[derive(clap::Args)]
pub struct Place {
    /// The folder with the agent's state [default: /var/lib/strongroom-agent as root, else strongroom-agent in the user's state directory]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

impl Place {
    /// From the root: what is kept of it outlives the working directory.
    pub fn folder(&self) -> Result<PathBuf, Failure> {
        let folder = self.state.clone().unwrap_or_else(State::default_folder);
        std::path::absolute(&folder).map_err(|error| Failure::because(format!("cannot use {}", folder.display()), &error))
    }
}

/// What failed, on what, then a hint.
pub fn failed(doing: &str, error: &StateError) -> Failure {
    let failure = Failure::because(doing, error);
    match error {
        StateError::NotThere(_) | StateError::NotRegistered { .. } => failure.with_hint("`strongroom agent register` makes one"),
        StateError::Busy(_) => failure.with_hint("end it first: `systemctl stop strongroom-agent`, or whoever started it"),
        StateError::Foreign(_) => failure.with_hint("run this as that user, or name another folder with --state"),
        StateError::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
            failure.with_hint("run this as root, or as the user that the agent runs as")
        }
        StateError::Io { source, .. } if source.kind() == std::io::ErrorKind::ResourceBusy => {
            failure.with_hint("it is where a file system is mounted: name a folder below it with --state")
        }
        StateError::Damaged { .. } => failure.with_hint("give the folder another name, and register again: nothing in it is ever erased"),
        StateError::Io { .. } => failure,
    }
}

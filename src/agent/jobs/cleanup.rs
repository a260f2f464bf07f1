//! A cleanup: exactly the snapshots that the server names are forgotten, and what no snapshot needs is removed.

use super::{Ended, OwnVault, Reporter, Tools};
use crate::wire::channel::work::Run;

/// Does the cleanup `run`; its job is a cleanup.
pub fn clean_up(tools: &Tools, vault: &OwnVault, run: &Run, reporter: &Reporter) -> Ended {
    let _ = (tools, vault, run, reporter);
    todo!("cleanup")
}

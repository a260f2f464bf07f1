//! A backup: the selection becomes a snapshot in the highest generation of the vault.

use super::{Ended, OwnVault, Reporter, Tools};
use crate::wire::channel::work::Run;

/// Does the backup `run`; its job is a backup.
pub fn back_up(tools: &Tools, vault: &OwnVault, run: &Run, reporter: &Reporter) -> Ended {
    let _ = (tools, vault, run, reporter);
    todo!("backup")
}

//! A restore: files of a snapshot, made again below a folder or where they were.

use super::{Ended, Reporter, Tools};
use crate::wire::channel::work::Run;

/// Does the restore `run`; its job is a restore.
pub fn restore(tools: &Tools, run: &Run, reporter: &Reporter) -> Ended {
    let _ = (tools, run, reporter);
    todo!("restore")
}

//! `vault unlock`: locks that were left behind.

use serde_json::{Value, json};

use super::counted::counted;
use super::maker;
use super::repository::RepositoryArgs;
use crate::cli::console::Console;
use crate::cli::failure::Failure;
use crate::vault::lock::{SystemClock, list, unlock};

#[derive(clap::Args)]
pub struct Unlock {
    /// Remove all locks, also those of somebody who still works: their work then fails
    #[arg(long)]
    remove_all: bool,
    #[command(flatten)]
    repository: RepositoryArgs,
}

impl Unlock {
    pub fn run(self, console: &mut Console) -> Result<(), Failure> {
        let session = self.repository.open(console)?;
        let failed = |error| session.failed("cannot unlock the repository", &error);
        let removed = unlock(&session.repository, self.remove_all, &maker::hostname(), &SystemClock).map_err(failed)?;
        let left = list(&session.repository).map_err(failed)?;
        let shown: Vec<String> = left.iter().filter_map(|found| found.lock.as_ref().ok()).map(ToString::to_string).collect();
        let ids: Vec<Value> = removed.iter().map(|id| json!(id.hex())).collect();
        console.answer_either(&json!({ "removed": ids, "left": shown }), || {
            let lines = shown.iter().map(|lock| format!("Still locked by {lock}\n"));
            format!("Removed: {}\n{}", counted(ids.len() as u64, "lock"), lines.collect::<String>())
        })
    }
}

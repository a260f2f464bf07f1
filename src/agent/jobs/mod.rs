//! What is done, each from start to report: backups, restores, cleanups, and what users ask of the passphrase. A job says how far it is
//! through its `Reporter`, ends when its `Leash` is pulled, and gives back the final report; the runner keeps and sends that.

mod backup;
mod cleanup;
mod item_errors;
mod passphrase;
mod reasons;
mod reporter;
mod restore;
mod room;

use std::sync::Arc;

pub use backup::back_up;
pub use cleanup::clean_up;
pub use item_errors::ItemErrors;
pub use passphrase::{answer, make_generation};
pub use reasons::{reason, sentence, told};
pub use reporter::{Counted, Hears, Reporter, Watch};
pub use restore::restore;
pub use room::lacking;

use super::Settings;
use super::channel::Channel;
use super::state::State;
use super::vaults::Vaults;
use crate::wire::channel::run::RunReport;
use crate::wire::channel::work::Vault;

/// What all jobs have in common.
pub struct Tools {
    pub settings: Settings,
    pub state: Arc<State>,
    pub channel: Arc<Channel>,
    pub vaults: Vaults,
    /// By how many seconds the server's clock is ahead of this machine's, as it was at the start-up.
    pub server_is_ahead_seconds: i64,
}

/// The agent's vault as it was last told.
pub type OwnVault = Vault;

/// How a job ended.
pub enum Ended {
    /// With this final report: completed, completed with errors, or failed.
    Done(RunReport),
    /// Its leash was pulled. The counters are those of the moment; what it means for the run is the leash's to say.
    Cut(RunReport),
}

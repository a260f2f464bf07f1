//! All that is wanted of an agent at one moment.

use super::agent::Agent;
use super::run::{RunKind, RunState};
use super::run_record::{Counters, PinnedVault, RunError};
use super::selection::Selection;

/// A state, not a queue: what is not in it is not wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    pub agent: Agent,
    pub vault: VaultView,
    pub runs: Vec<WantedRun>,
    pub requests: Vec<WantedRequest>,
}

/// The repositories of a vault account.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct VaultView {
    pub account: String,
    pub generations: Vec<Generation>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Generation {
    /// Its repository is `gN`.
    pub number: i64,
    /// Only the user's passphrase opens it.
    pub is_encrypted: bool,
    /// The agent has made its repository: from then on a missing `config` is a loss.
    pub is_ready: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WantedRun {
    pub id: i64,
    pub kind: RunKind,
    pub attempt: i64,
    pub state: RunState,
    pub job: Job,
}

impl WantedRun {
    /// Whether the agent is to stop it.
    pub const fn stops(&self) -> bool {
        matches!(self.state, RunState::StopRequested)
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Job {
    Backup {
        configuration: i64,
        name: String,
        is_scheduled: bool,
        prescript: String,
        postscript: String,
        selection: Selection,
        /// The snapshot before, `/gN/snapshots/ID`.
        parent: Option<String>,
    },
    Restore {
        backup: i64,
        snapshot: String,
        generation: i64,
        /// As it was sent, for the agent's key.
        ciphertext: Option<Vec<u8>>,
        destination_path: String,
        overwrites: bool,
        selection: Selection,
        pinned: PinnedVault,
        vault: VaultView,
    },
    Cleanup {
        /// Exactly the snapshots to forget, `/gN/snapshots/ID`.
        forget: Vec<String>,
        /// It has hidden as much as it may until somebody says that this is right.
        is_halted: bool,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RequestKind {
    Encrypt,
    ChangePassword,
    VerifyPassword,
}

impl RequestKind {
    pub const ALL: [Self; 3] = [Self::Encrypt, Self::ChangePassword, Self::VerifyPassword];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Encrypt => "encrypt",
            Self::ChangePassword => "change_password",
            Self::VerifyPassword => "verify_password",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WantedRequest {
    pub guid: String,
    pub kind: RequestKind,
    pub is_taken: bool,
    /// The passphrase, or the new one; encrypted for the agent's key.
    pub ciphertext: Vec<u8>,
    pub old_ciphertext: Option<Vec<u8>>,
    /// The generation whose key a verification is to try.
    pub generation: Option<i64>,
}

/// What an agent says of a run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunUpdate {
    pub attempt: i64,
    pub state: RunState,
    pub counters: Counters,
    /// Stored or restored.
    pub files_done: i64,
    pub bytes_done: i64,
    /// Of a run that failed: one of the API's reasons.
    pub reason: Option<String>,
    /// A sentence for `Diagnostics`.
    pub note: Option<String>,
    pub errors: Vec<RunError>,
    /// `/gN/snapshots/ID`
    pub snapshot: Option<String>,
}

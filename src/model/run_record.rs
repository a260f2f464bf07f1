//! What is kept of a run: where it belongs, how far it is, and its report.

use super::instant::Instant;
use super::run::{RunKind, RunState};
use super::selection::Selection;

/// Most errors that a report lists; more are only counted.
pub const MAX_ERRORS: usize = 1000;
/// Most bytes of each text of an error.
pub const MAX_ERROR_BYTES: usize = 2048;

/// A run as the catalog had it when it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run {
    pub id: i64,
    pub kind: RunKind,
    pub tenant: String,
    /// Who does it.
    pub agent: i64,
    /// Whose vault it reads or writes.
    pub source: i64,
    /// Who made the backup, whoever has its vault now.
    pub maker: i64,
    pub configuration: Option<i64>,
    /// Of a restore.
    pub backup: Option<i64>,
    pub state: RunState,
    /// Raised by each start of a restore; 1 otherwise.
    pub attempt: i64,
    pub due_at: Option<Instant>,
    pub is_catch_up: bool,
    /// For how many occurrences of the schedule it stands.
    pub occurrences: i64,
    pub changed_at: Instant,
    pub started_at: Option<Instant>,
    pub completed_at: Option<Instant>,
    pub counters: Counters,
    /// The name of the snapshot in its vault, `/gN/snapshots/ID`.
    pub snapshot: Option<String>,
    /// Counts up per vault.
    pub snapshot_number: Option<i64>,
    pub generation: Option<i64>,
    pub forgotten_at: Option<Instant>,
    pub deleted_at: Option<Instant>,
}

/// How much was looked at and stored, or restored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    pub files_searched: i64,
    pub bytes_searched: i64,
    pub errors: i64,
}

/// How a run ended, in words and numbers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RunReport {
    /// Stored by a backup, restored by a restore.
    pub files_done: i64,
    pub bytes_done: i64,
    pub reason: String,
    pub diagnostics: String,
    pub errors: Vec<RunError>,
}

/// One thing that went wrong with one file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RunError {
    /// The `ErrorType` of the API: 101 for the agent itself, 102 to 107 for an item.
    pub kind: i64,
    pub description: String,
    pub exception: String,
    pub details: String,
    /// The operating system's error number.
    pub code: i64,
    pub path: String,
}

/// What a restore does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RestoreSettings {
    /// Empty for the original places.
    pub destination_path: String,
    pub overwrites: bool,
    pub selection: Selection,
    /// Its last start brought a passphrase along.
    pub carries_password: bool,
    /// The vault as it was when the restore was accepted; `None` before.
    pub pinned: Option<PinnedVault>,
}

/// A vault at one instant, whoever has it now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PinnedVault {
    pub account: String,
    pub at: Instant,
}

//! The agent: what runs on a machine that is backed up. An ordinary client of the server (`channel`) and of the vault engine: it listens
//! on nothing, and every connection goes out.
//!
//! The server owns schedules, runs and their states. The agent asks what is wanted of it now (`runner`), does it (`jobs`) and says so. So
//! nothing is queued here and nothing can be lost or done twice: what is listed is wanted, what is not is not. What must outlive the
//! process is in its state folder (`state`): who it is, its keys, the passphrase, reports that nobody has acknowledged yet.
//!
//! What it promises: one process for each state folder; no secret in a log, an argument or the environment; a run that was begun ends in
//! a final state, or goes on under its id after a restart; nothing is removed from a vault but by a cleanup or a change of the passphrase
//! that the server ordered; no key is ever erased. Threads, no async: the work is hashing, compressing and waiting for one answer.

/// Calls to the server.
pub mod channel;
/// What is done: backup, restore, cleanup, and what users ask of the passphrase.
pub mod jobs;
/// Why work is stopped.
pub mod leash;
/// What the machine is, and by what it is known again.
pub mod machine;
/// The loop: ask, do, say.
pub mod runner;
/// Which files a backup takes.
pub mod scan;
/// What outlives the process.
pub mod state;
/// The repositories of the agent's vault, and of those it restores from.
pub mod vaults;

/// What whoever starts the agent decides for this machine alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    /// Whether scripts of configurations run: whoever may edit a configuration could run anything here.
    pub allow_scripts: bool,
    /// KiB per second of all uploads together; 0 is no limit.
    pub limit_upload_kib: u32,
    /// KiB per second of all downloads together; 0 is no limit.
    pub limit_download_kib: u32,
    /// Scheduled backups run at the priority of the process, instead of making way for everything else that the machine does.
    pub keeps_priority: bool,
}

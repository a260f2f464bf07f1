//! The state folder: what outlives the process. 0700, its files 0600; whatever changes is written beside, synced and renamed, so that a
//! cut leaves the old or the new.
//!
//! `bootstrap.json` says who the agent is (`bootstrap`), `private-key.pem` and `public-key.pem` are its RSA keys (`key_pair`), `passphrase`
//! is there once its user has encrypted the vault (`passphrase`), `journal.json` keeps what must not be forgotten of runs (`journal`),
//! `machine-id` names a machine that has no such id of its own, and what is below `cache/` may be deleted. `agent.lock` keeps the folder
//! to one process.

mod bootstrap;
pub mod file;
mod folder;
mod journal;
mod key_pair;
mod passphrase;
mod registration;

use std::fs::File;
use std::path::{Path, PathBuf};

pub use bootstrap::Bootstrap;
pub use journal::Journal;
pub use key_pair::{KeyPair, NotForUs};
use key_pair::{PRIVATE_FILE, PUBLIC_FILE};
pub use passphrase::Passphrases;
pub use registration::Begun;

const BOOTSTRAP: &str = "bootstrap.json";

/// An agent's state, held by this process alone.
pub struct State {
    folder: PathBuf,
    passphrases: Passphrases,
    journal: Journal,
    _lock: File,
}

/// Why a state cannot be used. No text holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("no agent is registered here: {0} is not there")]
    NotThere(PathBuf),
    /// `agent` is 0 where the registration was never finished; else that agent was deleted.
    #[error("{}: {path}", unregistered(.agent))]
    NotRegistered { path: PathBuf, agent: i64 },
    #[error("another process of this agent has {0}")]
    Busy(PathBuf),
    #[error("{0} belongs to another user")]
    Foreign(PathBuf),
    #[error("{path}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{path} is damaged: {why}")]
    Damaged { path: PathBuf, why: String },
}

fn unregistered(agent: &i64) -> String {
    match agent {
        0 => "the registration was not finished".to_owned(),
        _ => format!("agent {agent} is not registered any more"),
    }
}

impl StateError {
    fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}

/// What can be seen of a state while a process of the agent holds it.
pub struct Seen {
    pub bootstrap: Bootstrap,
    pub is_held: bool,
}

impl State {
    /// `/var/lib/strongroom-agent` for root, else below the user's state directory (XDG Base Directory Specification).
    pub fn default_folder() -> PathBuf {
        let is_root = rustix::process::geteuid().is_root();
        default_folder(is_root, std::env::var_os("XDG_STATE_HOME").map(PathBuf::from), std::env::home_dir())
    }

    /// The state of an agent that was registered, be it deleted since: the operator may have revived it. [`StateError::NotThere`] and
    /// [`StateError::NotRegistered`] where there is none.
    pub fn open(folder: &Path) -> Result<Self, StateError> {
        let path = folder.join(BOOTSTRAP);
        if !path.exists() {
            return Err(StateError::NotThere(path));
        }
        let state = Self::hold(folder)?;
        let bootstrap = state.bootstrap()?;
        if !bootstrap.is_registered && bootstrap.agent_id == 0 {
            return Err(StateError::NotRegistered { path, agent: bootstrap.agent_id });
        }
        Ok(state)
    }

    /// What is there, without the lock.
    pub fn look(folder: &Path) -> Result<Seen, StateError> {
        let path = folder.join(BOOTSTRAP);
        let bootstrap = Bootstrap::read(&path)?.ok_or(StateError::NotThere(path))?;
        Ok(Seen { bootstrap, is_held: folder::is_held(folder)? })
    }

    /// The folder, which is there, whatever is in it.
    fn hold(folder: &Path) -> Result<Self, StateError> {
        folder::secure(folder)?;
        let lock = folder::lock(folder)?;
        folder::tidy(folder);
        Ok(Self {
            folder: folder.to_owned(),
            passphrases: Passphrases::of(folder),
            journal: Journal::open(&folder.join("journal.json")),
            _lock: lock,
        })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What may be deleted.
    pub fn cache(&self) -> PathBuf {
        self.folder.join("cache")
    }

    pub fn bootstrap(&self) -> Result<Bootstrap, StateError> {
        let path = self.folder.join(BOOTSTRAP);
        Bootstrap::read(&path)?.ok_or(StateError::NotThere(path))
    }

    /// Keeps who the agent is; synced when this returns. A copy for old tools that cannot be changed with it is logged, and no error.
    pub fn keep(&self, bootstrap: &Bootstrap) -> Result<(), StateError> {
        bootstrap.write(&self.folder.join(BOOTSTRAP))?;
        if let Err(error) = self.copy_for_old_tools(bootstrap) {
            tracing::warn!(%error, source = ?std::error::Error::source(&error), "old tools are shown an agent as it was");
        }
        Ok(())
    }

    /// `bootstrap.json` and `public-key.pem`, once more where tools for the original agent look for them; nothing where none are wanted.
    pub fn copy_for_old_tools(&self, bootstrap: &Bootstrap) -> Result<(), StateError> {
        let Some(copy) = &bootstrap.driveclient_files else { return Ok(()) };
        folder::make(copy)?;
        if let Some(key) = file::read(&self.folder.join(PUBLIC_FILE), MOST_KEY_BYTES)? {
            file::replace(&copy.join(PUBLIC_FILE), &key)?;
        }
        bootstrap.write(&copy.join(BOOTSTRAP))
    }

    /// The agent's RSA keys. Those of a registered agent are never made anew: users encrypt for the one that the server knows.
    pub fn key_pair(&self) -> Result<KeyPair, StateError> {
        let path = self.folder.join(PRIVATE_FILE);
        let pem = file::read(&path, MOST_KEY_BYTES)?.ok_or_else(|| StateError::NotThere(path.clone()))?;
        KeyPair::from_pem(&pem).map_err(|error| StateError::Damaged { path, why: error.to_string() })
    }

    pub const fn passphrases(&self) -> &Passphrases {
        &self.passphrases
    }

    pub const fn journal(&self) -> &Journal {
        &self.journal
    }
}

const MOST_KEY_BYTES: u64 = 64 << 10;

fn default_folder(is_root: bool, state_home: Option<PathBuf>, home: Option<PathBuf>) -> PathBuf {
    if is_root {
        return PathBuf::from("/var/lib/strongroom-agent");
    }
    // Relative paths in it are to be ignored.
    let below = state_home.filter(|path| path.is_absolute()).or_else(|| home.map(|home| home.join(".local/state")));
    below.unwrap_or_default().join("strongroom-agent")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::backend::location::address::Address;
    use crate::vault::backend::options::Trust;

    fn bootstrap() -> Bootstrap {
        let server = Address::parse("https://backup.example/").expect("an address");
        Bootstrap { agent_id: 4101, is_registered: true, ..Bootstrap::new("ada", &server, &Trust::System) }
    }

    #[test]
    fn the_folder_is_roots_or_the_users() {
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(default_folder(true, path("/x"), path("/root")), Path::new("/var/lib/strongroom-agent"));
        assert_eq!(default_folder(false, path("/x"), path("/home/a")), Path::new("/x/strongroom-agent"));
        for ignored in [None, path("x"), path("")] {
            assert_eq!(default_folder(false, ignored, path("/home/a")), Path::new("/home/a/.local/state/strongroom-agent"));
        }
    }

    #[test]
    fn a_state_is_opened_once_and_looked_at_meanwhile() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let folder = place.path();
        assert!(matches!(State::open(folder), Err(StateError::NotThere(path)) if path.ends_with("bootstrap.json")));
        assert!(matches!(State::look(folder), Err(StateError::NotThere(_))));
        assert_eq!(std::fs::read_dir(folder).expect("a folder").count(), 0, "looking leaves nothing behind");
        bootstrap().write(&folder.join(BOOTSTRAP)).expect("it is written");
        assert!(!State::look(folder).expect("it is there").is_held);
        let state = State::open(folder).expect("it is registered");
        assert!(matches!(State::open(folder), Err(StateError::Busy(path)) if path.ends_with("agent.lock")));
        assert!(State::look(folder).expect("it is there").is_held);
        state.journal().saw_run(5);
        state.passphrases().propose("new").expect("it is kept");
        drop(state);
        let state = State::open(folder).expect("it is free again");
        assert_eq!((state.journal().highest_run(), state.passphrases().all().expect("they are read")), (5, vec!["new".to_owned()]));
    }

    #[test]
    fn an_agent_that_was_deleted_can_be_tried_again_and_one_that_never_was_registered_cannot() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let path = place.path().join(BOOTSTRAP);
        let write = |agent_id| Bootstrap { agent_id, is_registered: false, ..bootstrap() }.write(&path).expect("it is written");
        write(0);
        let error = State::open(place.path()).map(drop).expect_err("it was never registered").to_string();
        assert!(error.contains("not finished"), "{error}");
        write(4101);
        assert!(State::open(place.path()).is_ok(), "it may have been revived");
    }

    #[test]
    fn old_tools_find_their_copy_and_nothing_else_does() {
        use std::os::unix::fs::PermissionsExt as _;
        let place = tempfile::tempdir().expect("a temporary folder");
        let (folder, copy) = (place.path().join("state"), place.path().join("etc/driveclient"));
        folder::make(&folder).expect("it is made");
        bootstrap().write(&folder.join(BOOTSTRAP)).expect("it is written");
        let state = State::open(&folder).expect("it is registered");
        std::fs::write(folder.join(PUBLIC_FILE), "a key").expect("a file is written");
        std::fs::write(folder.join(PRIVATE_FILE), "a secret").expect("a file is written");
        let changed = Bootstrap { driveclient_files: Some(copy.clone()), ..state.bootstrap().expect("it is there") };
        state.keep(&changed).expect("both are written");
        let gone = Bootstrap { is_registered: false, ..changed };
        state.keep(&gone).expect("both are written");
        let hidden = Bootstrap { driveclient_files: Some(folder.join(PUBLIC_FILE)), ..gone.clone() };
        state.keep(&hidden).expect("a copy that cannot be made does not keep the agent from what it is");
        assert!(state.copy_for_old_tools(&hidden).is_err(), "but whoever asks for it hears of it");
        assert_eq!(Bootstrap::read(&copy.join(BOOTSTRAP)).expect("it is read"), Some(gone));
        let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!((mode(&copy), mode(&copy.join(BOOTSTRAP))), (0o700, 0o600));
        assert_eq!(std::fs::read_to_string(copy.join(PUBLIC_FILE)).expect("it is there"), "a key");
        assert_eq!(std::fs::read_dir(&copy).expect("a folder").count(), 2);
    }
}

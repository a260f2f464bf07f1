//! The state of an agent that is about to be registered.

use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{BOOTSTRAP, Bootstrap, KeyPair, State, StateError, file, folder};
use crate::model::instant::Instant;

/// A state that knows of no agent yet.
pub struct Begun {
    pub state: State,
    /// Of a registration that was not finished: its key is the same agent, if the server has made that one already.
    pub unfinished: Option<Bootstrap>,
    /// Where the state of an earlier agent is now.
    pub moved_to: Option<PathBuf>,
}

impl State {
    /// Makes the folder of an agent that is to be registered. The state of an agent that was registered, be it deleted since, is moved to
    /// `NAME.DATE` and never erased; so is one that is damaged. [`StateError::Busy`] where a process holds the folder.
    pub fn begin(folder: &Path, today: Instant) -> Result<Begun, StateError> {
        folder::make(folder)?;
        let state = Self::hold(folder)?;
        let found = match Bootstrap::read(&folder.join(BOOTSTRAP)) {
            Ok(None) => return Ok(Begun { state, unfinished: None, moved_to: None }),
            Ok(Some(found)) => Some(found),
            Err(StateError::Damaged { .. }) => None,
            Err(error) => return Err(error),
        };
        if found.as_ref().is_some_and(|found| found.agent_id == 0) {
            return Ok(Begun { state, unfinished: found, moved_to: None });
        }
        // Whoever waits for the lock meanwhile finds that it is the moved folder's.
        let moved_to = folder::move_aside(folder, today)?;
        folder::make(folder)?;
        Ok(Begun { state: Self::hold(folder)?, unfinished: None, moved_to: Some(moved_to) })
    }
}

impl Begun {
    /// The agent's RSA keys, made where there are none yet; on stable storage when this returns.
    pub fn key_pair(&self) -> Result<KeyPair, StateError> {
        match self.state.key_pair() {
            Err(StateError::NotThere(_)) => {}
            found => return found,
        }
        let made = KeyPair::generate();
        made.save(|name, bytes| file::replace(&self.state.folder().join(name), bytes))?;
        Ok(made)
    }

    /// Puts an earlier agent's state back in its place: the new registration came to nothing, and the server has never heard of its key.
    /// Where there was no agent before, the folder stays for another try.
    pub fn undo(self) -> Result<(), StateError> {
        let Some(moved_to) = self.moved_to else { return Ok(()) };
        let folder = self.state.folder().to_owned();
        let failed = |error| StateError::io(&moved_to, error);
        renameat_with(CWD, &moved_to, CWD, &folder, RenameFlags::EXCHANGE).map_err(|errno| failed(errno.into()))?;
        let place = folder.parent().unwrap_or(Path::new("/"));
        file::sync_folder(place).map_err(failed)?;
        std::fs::remove_dir_all(&moved_to).map_err(failed)?;
        file::sync_folder(place).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::backend::location::address::Address;
    use crate::vault::backend::options::Trust;

    const TODAY: Instant = Instant::from_seconds(1_795_176_000);

    fn begin(folder: &Path) -> Begun {
        State::begin(folder, TODAY).expect("it begins")
    }

    fn bootstrap() -> Bootstrap {
        let server = Address::parse("https://backup.example/").expect("an address");
        Bootstrap::new("ada", &server, &Trust::System)
    }

    #[test]
    fn a_lost_answer_makes_no_twin() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let folder = place.path().join("agent");
        let begun = begin(&folder);
        assert!(begun.unfinished.is_none() && begun.moved_to.is_none());
        assert!(matches!(State::begin(&folder, TODAY), Err(StateError::Busy(_))), "one registers at a time");
        let kept = bootstrap();
        begun.state.keep(&kept).expect("it is kept");
        drop(begun);
        let again = begin(&folder);
        assert_eq!((again.unfinished, again.moved_to), (Some(kept), None));
    }

    #[test]
    fn an_earlier_agent_is_moved_aside_whatever_became_of_it() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let folder = place.path().join("agent");
        for (is_registered, name) in [(true, "agent.2026-11-20"), (false, "agent.2026-11-20.2")] {
            let begun = begin(&folder);
            let kept = Bootstrap { agent_id: 4101, is_registered, ..bootstrap() };
            begun.state.keep(&kept).expect("it is kept");
            begun.state.passphrases().propose("old").expect("it is kept");
            assert!(matches!(State::begin(&folder, TODAY), Err(StateError::Busy(_))), "a process has it");
            drop(begun);
            let again = begin(&folder);
            assert!(again.unfinished.is_none() && again.state.passphrases().all().expect("they are read").is_empty());
            assert_eq!(again.moved_to, Some(place.path().join(name)));
            let old = State::look(&place.path().join(name)).expect("it is there");
            assert_eq!((old.bootstrap, old.is_held), (kept, false));
        }
    }

    #[test]
    fn a_registration_that_came_to_nothing_leaves_the_earlier_agent_as_it_was() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let folder = place.path().join("agent");
        let earlier = Bootstrap { agent_id: 4101, is_registered: true, ..bootstrap() };
        begin(&folder).state.keep(&earlier).expect("it is kept");
        let begun = begin(&folder);
        begun.state.keep(&bootstrap()).expect("it is kept");
        begun.undo().expect("it is put back");
        assert_eq!(State::open(&folder).expect("it is registered").bootstrap().expect("it is there"), earlier);
        assert_eq!(std::fs::read_dir(place.path()).expect("a folder").count(), 1, "nothing is left beside it");
    }

    #[test]
    fn keys_are_made_once_and_never_for_an_agent_that_lost_them() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let folder = place.path().join("agent");
        let begun = begin(&folder);
        assert!(matches!(begun.state.key_pair(), Err(StateError::NotThere(path)) if path.ends_with("private-key.pem")));
        let public = begun.key_pair().expect("they are made").public();
        assert_eq!(begun.key_pair().expect("they are there").public(), public);
        assert_eq!(begun.state.key_pair().expect("they are there").public(), public);
        assert!(folder.join("public-key.pem").is_file());
        std::fs::write(folder.join("private-key.pem"), "cut").expect("it is damaged");
        assert!(matches!(begun.key_pair(), Err(StateError::Damaged { .. })), "a damaged one is not replaced");
    }

    #[test]
    fn a_damaged_state_is_moved_aside_too() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let folder = place.path().join("agent");
        drop(begin(&folder));
        std::fs::write(folder.join(BOOTSTRAP), "{").expect("a file is written");
        let moved_to = begin(&folder).moved_to.expect("it is moved");
        assert_eq!(std::fs::read_to_string(moved_to.join(BOOTSTRAP)).expect("it is there"), "{");
    }
}

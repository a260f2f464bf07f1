//! The log level that the server names. It holds at once, counts for more than what was said at the start, and is kept: a process that
//! cannot reach its server logs as the one before.

use std::path::{Path, PathBuf};

use crate::agent::state::file;

/// A file of the state folder.
const FILE: &str = "log-level";

pub(super) struct LogLevel {
    file: PathBuf,
    word: Option<String>,
    set: SetLevel,
}

/// Puts a `tracing` filter in force.
pub type SetLevel = Box<dyn Fn(&str) + Send>;

impl LogLevel {
    /// Puts the level in force that the server named last, if it ever did.
    pub fn begin(folder: &Path, set: SetLevel) -> Self {
        let file = folder.join(FILE);
        let word = std::fs::read_to_string(&file).ok().map(|word| word.trim().to_owned()).filter(|word| filter(word).is_some());
        if let Some(filter) = word.as_deref().and_then(filter) {
            set(filter);
        }
        Self { file, word, set }
    }

    /// The server names this level. A word that is none changes nothing.
    pub fn heed(&mut self, word: &str) {
        let Some(filter) = filter(word).filter(|_| self.word.as_deref() != Some(word)) else { return };
        (self.set)(filter);
        if let Err(error) = file::replace(&self.file, word.as_bytes()) {
            tracing::warn!(why = super::patience::chain(&error), "the log level cannot be kept");
        }
        self.word = Some(word.to_owned());
    }
}

/// The filter for one of the API's levels. The libraries' own talk helps nobody below information.
fn filter(word: &str) -> Option<&'static str> {
    Some(match word {
        // There is nothing worse than an error here.
        "fatal" | "error" => "error",
        "warn" => "warn",
        "info" => "info",
        "debug" => "info,strongroom=debug",
        "trace" | "all" => "info,strongroom=trace",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    fn begin(folder: &Path) -> (LogLevel, Receiver<String>) {
        let (sender, set) = channel();
        (LogLevel::begin(folder, Box::new(move |filter| sender.send(filter.to_owned()).expect("somebody looks"))), set)
    }

    #[test]
    fn the_servers_level_holds_at_once_and_in_the_next_process() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (mut level, set) = begin(folder.path());
        assert_eq!(set.try_iter().count(), 0, "nobody has named one yet");
        for word in ["debug", "debug", "loud", "fatal", "all"] {
            level.heed(word);
        }
        assert_eq!(set.try_iter().collect::<Vec<_>>(), ["info,strongroom=debug", "error", "info,strongroom=trace"]);
        let (mut level, set) = begin(folder.path());
        level.heed("all");
        assert_eq!(set.try_iter().collect::<Vec<_>>(), ["info,strongroom=trace"]);
    }

    #[test]
    fn every_level_of_the_api_is_known() {
        for word in crate::model::agent::LogLevel::ALL {
            assert!(filter(&word.as_str().to_ascii_lowercase()).is_some(), "{word:?}");
        }
    }
}

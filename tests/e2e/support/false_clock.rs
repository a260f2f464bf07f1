//! A wall clock that a program believes (libfaketime), whatever the machine's says.

use std::path::PathBuf;

/// Says what its file says, as libfaketime writes it: an offset such as `-7300d`, or a time from which on it runs. Boot time goes on as it
/// does.
pub struct FalseClock {
    folder: tempfile::TempDir,
    library: PathBuf,
}

impl FalseClock {
    /// `None` where libfaketime is not installed.
    pub fn new(says: &str) -> Option<Self> {
        let libraries = std::fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"));
        let library = libraries.into_iter().find(|path| path.is_file())?;
        let clock = Self { folder: tempfile::tempdir().expect("a temporary folder"), library };
        clock.set(says);
        Some(clock)
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("clock")
    }

    pub fn set(&self, says: &str) {
        let next = self.folder.path().join("next");
        std::fs::write(&next, says).and_then(|()| std::fs::rename(&next, self.file())).expect("the clock is set");
    }

    /// What makes a process live by it.
    pub fn environment(&self) -> [(String, String); 4] {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        [
            pair("LD_PRELOAD", &self.library.display().to_string()),
            pair("FAKETIME_TIMESTAMP_FILE", &self.file().display().to_string()),
            pair("FAKETIME_NO_CACHE", "1"),
            pair("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ]
    }
}

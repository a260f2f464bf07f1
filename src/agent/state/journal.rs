//! What must not be forgotten of runs: the highest id that was ever seen, the secrets of restores that were taken, final reports that
//! nobody has acknowledged, and locks that are ours in a vault.
//!
//! A journal that is damaged or cannot be written stops no backup: the agent can do without all of it but the highest id, which is looked
//! for in what is left. What cannot be written is logged, stays in memory, and is written with the next change.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use serde::{Deserialize, Serialize};

use super::{StateError, file};
use crate::vault::id::Id;
use crate::wire::channel::run::RunReport;

/// `journal.json`. Every change is on stable storage when its call returns, unless an error was logged.
pub struct Journal {
    path: PathBuf,
    kept: Mutex<Kept>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    /// First, so that it is found where the rest is cut off.
    highest_run: i64,
    ciphertexts: Vec<Ciphertext>,
    reports: Vec<Report>,
    locks: Vec<Lock>,
}

#[derive(Serialize, Deserialize)]
struct Ciphertext {
    run: i64,
    attempt: i64,
    hex: String,
}

#[derive(Serialize, Deserialize)]
struct Report {
    run: i64,
    report: RunReport,
}

#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Lock {
    generation: i64,
    id: Id,
}

/// Many reports of the largest size.
const MOST_BYTES: u64 = 256 << 20;

impl Journal {
    pub(super) fn open(path: &Path) -> Self {
        let kept = match file::read(path, MOST_BYTES) {
            Ok(None) => Kept::default(),
            Ok(Some(bytes)) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                set_aside(path, &error);
                Kept { highest_run: highest_run_in(&bytes), ..Kept::default() }
            }),
            Err(error) => {
                set_aside(path, &error);
                Kept::default()
            }
        };
        Self { path: path.to_owned(), kept: Mutex::new(kept) }
    }

    /// The highest run id that was ever seen; 0 for none.
    pub fn highest_run(&self) -> i64 {
        self.kept().highest_run
    }

    pub fn saw_run(&self, id: i64) {
        self.change(|kept| {
            let is_higher = id > kept.highest_run;
            kept.highest_run = kept.highest_run.max(id);
            is_higher
        });
    }

    /// The passphrase that came with a restore, still encrypted for our key: the server forgets it once the run is taken.
    pub fn keep_ciphertext(&self, run: i64, attempt: i64, hex: &str) {
        self.change(|kept| {
            kept.ciphertexts.retain(|known| (known.run, known.attempt) != (run, attempt));
            kept.ciphertexts.push(Ciphertext { run, attempt, hex: hex.to_owned() });
            true
        });
    }

    pub fn ciphertext(&self, run: i64, attempt: i64) -> Option<String> {
        let kept = self.kept();
        kept.ciphertexts.iter().find(|known| (known.run, known.attempt) == (run, attempt)).map(|known| known.hex.clone())
    }

    /// A final report, to be repeated until it is acknowledged. It takes the place of an earlier one of the run.
    pub fn keep_report(&self, run: i64, report: &RunReport) {
        self.change(|kept| {
            kept.reports.retain(|known| known.run != run);
            kept.reports.push(Report { run, report: report.clone() });
            true
        });
    }

    /// Those that nobody has acknowledged, in the order in which they were kept.
    pub fn reports(&self) -> Vec<(i64, RunReport)> {
        self.kept().reports.iter().map(|known| (known.run, known.report.clone())).collect()
    }

    /// Forgets what is kept of a run up to this attempt, but not that it was seen.
    pub fn forget_run(&self, run: i64, attempt: i64) {
        self.change(|kept| {
            let before = kept.ciphertexts.len() + kept.reports.len();
            kept.ciphertexts.retain(|known| known.run != run || known.attempt > attempt);
            kept.reports.retain(|known| known.run != run || known.report.attempt > attempt);
            kept.ciphertexts.len() + kept.reports.len() != before
        });
    }

    /// A lock that is about to be stored in a generation of the vault.
    pub fn keep_lock(&self, generation: i64, lock: Id) {
        let lock = Lock { generation, id: lock };
        self.change(|kept| {
            let is_new = !kept.locks.contains(&lock);
            if is_new {
                kept.locks.push(lock);
            }
            is_new
        });
    }

    pub fn forget_lock(&self, generation: i64, lock: Id) {
        let lock = Lock { generation, id: lock };
        self.change(|kept| {
            let before = kept.locks.len();
            kept.locks.retain(|known| *known != lock);
            kept.locks.len() != before
        });
    }

    /// Locks that are, or may be, in the vault.
    pub fn locks(&self) -> Vec<(i64, Id)> {
        self.kept().locks.iter().map(|lock| (lock.generation, lock.id)).collect()
    }

    /// Writes what `change` made of the journal, where it says that it changed something.
    fn change(&self, change: impl FnOnce(&mut Kept) -> bool) {
        let mut kept = self.kept();
        if !change(&mut kept) {
            return;
        }
        let bytes = serde_json::to_vec(&*kept).expect("our own types are JSON");
        if let Err(error) = file::replace(&self.path, &bytes) {
            tracing::error!(path = %self.path.display(), error = %told(&error), "the journal cannot be written; the work goes on");
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("nothing panics while it holds the journal")
    }
}

fn told(error: &StateError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// Keeps what cannot be read for whoever wants to look at it.
fn set_aside(path: &Path, why: &dyn std::fmt::Display) {
    let mut name = path.as_os_str().to_owned();
    name.push(".damaged");
    let moved = file::rename(path, Path::new(&name));
    let moved = moved.map_or_else(|error| told(&error), |()| Path::new(&name).display().to_string());
    tracing::error!(path = %path.display(), error = %why, moved_to = moved, "the journal is damaged; the agent goes on without it");
}

/// The number where it can still be found, however little is left of the rest.
fn highest_run_in(bytes: &[u8]) -> i64 {
    let text = String::from_utf8_lossy(bytes);
    let Some((_, rest)) = text.split_once("\"highest_run\":") else { return 0 };
    let rest = rest.trim_start();
    let digits = &rest[..rest.bytes().take_while(u8::is_ascii_digit).count()];
    // Digits without what follows them may have been cut off.
    let is_whole = rest.len() > digits.len();
    digits.parse().ok().filter(|id| is_whole && *id <= i64::from(i32::MAX)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(attempt: i64, note: &str) -> RunReport {
        RunReport { attempt, state: "completed".to_owned(), note: Some(note.to_owned()), ..RunReport::default() }
    }

    /// Whatever is asserted holds for the journal at hand and for the one that the next process reads.
    fn each(path: &Path, journal: &Journal, assert: impl Fn(&Journal)) {
        assert(journal);
        assert(&Journal::open(path));
    }

    #[test]
    fn everything_is_there_for_the_next_process() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("journal.json");
        let journal = Journal::open(&path);
        assert!(!path.exists(), "nothing is written before there is anything");
        each(&path, &journal, |journal| assert_eq!((journal.highest_run(), journal.reports(), journal.locks()), (0, vec![], vec![])));
        for id in [7, 9, 8] {
            journal.saw_run(id);
        }
        each(&path, &journal, |journal| assert_eq!(journal.highest_run(), 9));
        journal.keep_ciphertext(9, 1, "aa");
        journal.keep_ciphertext(9, 2, "bb");
        journal.keep_ciphertext(9, 2, "cc");
        each(&path, &journal, |journal| {
            let found = [journal.ciphertext(9, 1), journal.ciphertext(9, 2), journal.ciphertext(8, 1)];
            assert_eq!(found, [Some("aa".to_owned()), Some("cc".to_owned()), None]);
        });
        journal.keep_report(8, &report(1, "first"));
        journal.keep_report(9, &report(2, "second"));
        journal.keep_report(8, &report(1, "better"));
        each(&path, &journal, |journal| assert_eq!(journal.reports(), [(9, report(2, "second")), (8, report(1, "better"))]));
        let (one, other) = (Id::of(b"one"), Id::of(b"other"));
        for (generation, lock) in [(1, one), (2, other), (1, one)] {
            journal.keep_lock(generation, lock);
        }
        journal.forget_lock(1, other);
        each(&path, &journal, |journal| assert_eq!(journal.locks(), [(1, one), (2, other)]));
        journal.forget_lock(1, one);
        each(&path, &journal, |journal| assert_eq!(journal.locks(), [(2, other)]));
    }

    #[test]
    fn a_run_is_forgotten_up_to_its_attempt_but_not_its_id() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("journal.json");
        let journal = Journal::open(&path);
        journal.saw_run(9);
        journal.keep_ciphertext(9, 1, "aa");
        journal.keep_ciphertext(9, 2, "bb");
        journal.keep_report(9, &report(2, "of the second"));
        journal.forget_run(9, 1);
        each(&path, &journal, |journal| {
            assert_eq!((journal.ciphertext(9, 1), journal.ciphertext(9, 2)), (None, Some("bb".to_owned())));
            assert_eq!(journal.reports().len(), 1);
        });
        journal.forget_run(9, 2);
        each(&path, &journal, |journal| {
            assert_eq!((journal.ciphertext(9, 2), journal.reports(), journal.highest_run()), (None, vec![], 9));
        });
    }

    #[test]
    fn a_damaged_journal_is_set_aside_and_the_highest_id_is_saved_from_it() {
        for (text, expected) in [
            (r#"{"highest_run":41,"ciphertexts":[{"#, 41),
            (r#"{"highest_run":41"#, 0),
            (r#"{"highest_run": 41, "locks": 7}"#, 41),
            (r#"{"highest_run":99999999999999,"#, 0),
            ("", 0),
            ("\u{0}\u{0}\u{0}", 0),
        ] {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let path = folder.path().join("journal.json");
            std::fs::write(&path, text).expect("a file is written");
            let journal = Journal::open(&path);
            assert_eq!(journal.highest_run(), expected, "{text}");
            let aside = std::fs::read_to_string(folder.path().join("journal.json.damaged")).expect("it is set aside");
            assert_eq!(aside, text);
            journal.saw_run(50);
            assert_eq!(Journal::open(&path).highest_run(), 50);
        }
    }

    #[test]
    fn a_journal_that_cannot_be_read_or_written_stops_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // A folder in its place cannot be read as a file, whoever asks.
        let path = folder.path().join("journal.json");
        std::fs::create_dir(&path).expect("a folder is made");
        Journal::open(&path).saw_run(3);
        assert_eq!(Journal::open(&path).highest_run(), 3);
        let journal = Journal::open(&folder.path().join("missing/journal.json"));
        journal.saw_run(3);
        journal.keep_lock(1, Id::of(b"one"));
        assert_eq!((journal.highest_run(), journal.locks().len()), (3, 1));
    }
}

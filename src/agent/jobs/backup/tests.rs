//! Backups into a repository in a folder, from the run as the server sends it to the report.

mod ends;
mod scripts;

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;
use std::sync::Mutex;

use tempfile::TempDir;

use super::*;
use crate::agent::leash::Why;
use crate::vault::backend::location::Location;
use crate::vault::backend::{self, Backend};
use crate::vault::cancel::Cancel;
use crate::vault::config::Version;
use crate::vault::keys::{Maker, Password};
use crate::vault::restore;
use crate::vault::snapshots::Stored;

/// Puts something between a run and its place.
type Wrap = Box<dyn Fn(Box<dyn Backend>) -> Box<dyn Backend> + Sync>;

/// A machine with one vault, and a run that is wanted of it.
struct Rig {
    dir: TempDir,
    run: Run,
    vault: OwnVault,
    allow_scripts: bool,
    server_is_ahead_seconds: i64,
    leash: Leash,
    terms: Terms,
    /// What happens when the run says that it is preparing.
    at_preparing: Box<dyn Fn(&Self) + Sync>,
    wrap: Wrap,
    said: Mutex<Vec<(RunState, Counted)>>,
}

/// The end of a run.
struct Seen {
    report: RunReport,
    is_cut: bool,
}

impl Rig {
    /// The selection is the folder `source`, which has these files, each with its name as its contents.
    fn new(files: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["source", "vault", "state/cache"] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        let generation = Generation { number: 3, is_encrypted: false, is_ready: true, password: None };
        let job = JobText::Backup {
            configuration_id: 51,
            name: "nightly".to_owned(),
            is_scheduled: true,
            prescript: String::new(),
            postscript: String::new(),
            inclusions: Vec::new(),
            exclusions: Vec::new(),
            parent: None,
        };
        let lock_terms = lock::Terms { settle: Duration::ZERO, ..lock::Terms::default() };
        let lock = lock::Options { terms: lock_terms, ..lock::Options::new(maker()) };
        let mut rig = Self {
            dir,
            run: Run { id: 7, attempt: 1, state: "queued".to_owned(), stop: false, job },
            vault: OwnVault { generations: vec![generation] },
            allow_scripts: false,
            server_is_ahead_seconds: 0,
            leash: Leash::default(),
            terms: Terms { lock, ..Terms::default() },
            at_preparing: Box::new(|_| {}),
            wrap: Box::new(|place| place),
            said: Mutex::default(),
        };
        for file in files {
            rig.write(file, file);
        }
        rig.select(&["source"], &[]);
        Repository::init(rig.place(), &password(), Version::Two, Maker::default()).unwrap();
        rig
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, contents: &str) {
        let path = self.at("source").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents).unwrap();
    }

    fn item(&self, name: &str) -> Item {
        self.item_of(&self.at(name))
    }

    fn item_of(&self, path: &Path) -> Item {
        let raw = path.to_str().is_none().then(|| data_encoding::BASE64.encode(path.as_os_str().as_bytes()));
        Item { path: path.to_string_lossy().into_owned(), path_encoded: raw, item_type: "Folder".to_owned() }
    }

    fn select(&mut self, included: &[&str], excluded: &[&str]) {
        let items = |names: &[&str]| names.iter().map(|name| self.item(name)).collect::<Vec<_>>();
        let (included, excluded) = (items(included), items(excluded));
        self.select_items(included, excluded);
    }

    fn select_items(&mut self, included: Vec<Item>, excluded: Vec<Item>) {
        let JobText::Backup { inclusions, exclusions, .. } = &mut self.run.job else { unreachable!() };
        (*inclusions, *exclusions) = (included, excluded);
    }

    fn scripts(&mut self, pre: &str, post: &str) {
        let JobText::Backup { prescript, postscript, .. } = &mut self.run.job else { unreachable!() };
        (*prescript, *postscript) = (pre.to_owned(), post.to_owned());
    }

    fn place(&self) -> Box<dyn Backend> {
        let location = Location::parse(self.at("vault")).unwrap();
        (self.wrap)(backend::open(&location, &backend::options::Options::default()).unwrap())
    }

    fn repository(&self) -> Repository {
        Repository::open(self.place(), &password()).unwrap()
    }

    fn snapshots(&self) -> Vec<Stored> {
        let loaded = Snapshots::load(&self.repository(), &Cancel::default()).unwrap();
        assert!(loaded.failed.is_empty());
        loaded.found
    }

    fn back_up(&self) -> Seen {
        let step = |state, counted| {
            self.said.lock().unwrap().push((state, counted));
            (self.at_preparing)(self);
            self.leash.cancel().check()
        };
        let work = Work {
            order: Order::of(&self.run).expect("a backup"),
            vault: &self.vault,
            own: &self.at("state"),
            allow_scripts: self.allow_scripts,
            server_is_ahead_seconds: self.server_is_ahead_seconds,
            leash: &self.leash,
            word: Word { step: &step, count: &|_, _| {} },
            open: &|_| Repository::open(self.place(), &password()),
            terms: Terms { lock: self.terms.lock.clone(), ..self.terms },
        };
        let report = |state, counted: Counted| RunReport {
            state: crate::wire::channel::state_text(state),
            files_searched: counted.files_searched as i64,
            bytes_searched: counted.bytes_searched as i64,
            files_done: counted.files_done as i64,
            bytes_done: counted.bytes_done as i64,
            error_count: counted.errors as i64,
            ..RunReport::default()
        };
        let mut tally = Tally::default();
        let done = work.run(&mut tally);
        assert!(
            lock::list(&self.repository())
                .is_ok_and(|locks| locks.iter().all(|found| found.lock.as_ref().is_ok_and(|lock| lock.exclusive)))
        );
        match ended(tally, done, &report) {
            Ended::Done(report) => Seen { report, is_cut: false },
            Ended::Cut(report) => Seen { report, is_cut: true },
        }
    }

    /// A backup that has to end so; its report.
    #[track_caller]
    fn ends(&self, state: &str) -> RunReport {
        let seen = self.back_up();
        assert!(!seen.is_cut, "{:?}", seen.report);
        assert_eq!(seen.report.state, state, "{:?}", seen.report);
        assert_eq!(seen.report.snapshot.is_some(), state.starts_with("completed"), "{:?}", seen.report);
        seen.report
    }

    /// The reason and the note of a backup that has to fail.
    #[track_caller]
    fn fails(&self) -> (String, String) {
        let report = self.ends("failed");
        (report.reason.expect("a reason"), report.note.expect("a note"))
    }

    /// Restores what the report names; where its `source` is then.
    fn restored(&self, report: &RunReport) -> TempDir {
        let repository = self.repository();
        let index = repository.load_index(&Cancel::default()).unwrap().index;
        let stored = self.snapshots().into_iter().find(|stored| report.snapshot == Some(format!("g3/snapshots/{}", stored.id.hex())));
        let target = tempfile::tempdir().unwrap();
        let source = restore::Source { repository: &repository, index: &index };
        let tree = stored.expect("what is reported is there").snapshot.tree;
        let done = restore::restore(source, tree, target.path(), &restore::Options::default(), &Cancel::default(), &());
        assert!(done.is_complete(), "{:?}", done.failures);
        target
    }

    /// What a restore brings back, by its path below the rig.
    fn files_of(&self, report: &RunReport) -> Vec<(String, String)> {
        let target = self.restored(report);
        let below = target.path().join(self.dir.path().strip_prefix("/").unwrap());
        let mut files = Vec::new();
        let mut folders = vec![below.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                match entry.file_type().unwrap().is_dir() {
                    true => folders.push(entry.path()),
                    false => files.push((
                        entry.path().strip_prefix(&below).unwrap().as_os_str().as_bytes().escape_ascii().to_string(),
                        fs::read_to_string(entry.path()).unwrap(),
                    )),
                }
            }
        }
        files.sort();
        files
    }
}

fn password() -> Password {
    Password::new("of a test")
}

fn pairs(files: &[(&str, &str)]) -> Vec<(String, String)> {
    files.iter().map(|(path, contents)| ((*path).to_owned(), (*contents).to_owned())).collect()
}

#[test]
fn a_backup_is_a_snapshot_that_brings_everything_back() {
    let mut rig = Rig::new(&["a", "b/c", "logs/x", "logs/kept/y"]);
    rig.select(&["source", "source/logs/kept"], &["source/logs"]);
    let report = rig.ends("completed");
    assert_eq!((report.files_searched, report.bytes_searched, report.files_done, report.error_count), (3, 15, 3, 0));
    assert!(report.bytes_done > 0 && report.note.is_none() && report.reason.is_none(), "{report:?}");
    assert_eq!(*rig.said.lock().unwrap(), [(RunState::Preparing, Counted::default())]);
    let files = [("source/a", "a"), ("source/b/c", "b/c"), ("source/logs/kept/y", "logs/kept/y")];
    assert_eq!(rig.files_of(&report), pairs(&files));
    let snapshot = &rig.snapshots()[0].snapshot;
    assert_eq!(snapshot.tags, ["backup=7", "configuration=51"]);
    assert_eq!(snapshot.paths, ["source", "source/logs/kept"].map(|name| rig.at(name).display().to_string()));
    assert_eq!((snapshot.username.as_str(), snapshot.hostname.clone()), ("root", maker().hostname));
    assert!(snapshot.program_version.as_ref().is_some_and(|version| version.starts_with("strongroom ")));
}

#[test]
fn what_is_unchanged_is_not_read_again() {
    let mut rig = Rig::new(&["a", "b/c"]);
    let first = rig.ends("completed");
    rig.run.id = 8;
    let again = rig.ends("completed");
    assert_eq!((again.files_searched, again.files_done), (2, 0), "the newest of this configuration is the parent");
    assert_eq!(rig.snapshots()[1].snapshot.parent, Some(rig.snapshots()[0].id));

    rig.run.id = 9;
    let JobText::Backup { configuration_id, parent, .. } = &mut rig.run.job else { unreachable!() };
    (*configuration_id, *parent) = (52, first.snapshot.clone());
    assert_eq!(rig.ends("completed").files_done, 0, "the one that the server names comes first");

    rig.run.id = 10;
    let JobText::Backup { configuration_id, parent, .. } = &mut rig.run.job else { unreachable!() };
    (*configuration_id, *parent) = (53, first.snapshot.map(|name| name.replace("g3/", "g2/")));
    assert_eq!(rig.ends("completed").files_done, 2, "one of another generation is none");

    rig.run.id = 11;
    rig.write("a", "changed");
    assert_eq!(rig.ends("completed").files_done, 1);
}

#[test]
fn names_that_are_no_text_are_included_by_their_bytes() {
    let mut rig = Rig::new(&["plain"]);
    let odd = rig.at("source").join(OsString::from_vec(b"\xff\xfe".to_vec()));
    fs::create_dir(&odd).unwrap();
    for name in [&b"kept\xff"[..], b"left"] {
        fs::write(odd.join(OsString::from_vec(name.to_vec())), "x").unwrap();
    }
    let excluded = rig.item_of(&odd.join("left"));
    rig.select_items(vec![rig.item_of(&odd)], vec![excluded]);
    let report = rig.ends("completed");
    assert_eq!(rig.files_of(&report), pairs(&[(r"source/\xff\xfe/kept\xff", "x")]));
}

#[test]
fn inclusions_that_are_not_there_are_an_error_each() {
    let mut rig = Rig::new(&["a"]);
    rig.select(&["source", "source/gone", "gone"], &[]);
    let report = rig.ends("completed_with_errors");
    assert_eq!((report.error_count, report.errors.len(), report.files_searched), (2, 2, 1));
    assert_eq!((report.errors[0].kind, report.errors[0].code, &report.errors[0].path), (102, 2, &rig.at("gone").display().to_string()));
}

#[test]
fn the_agents_own_folder_is_never_saved() {
    let mut rig = Rig::new(&["a"]);
    fs::write(rig.at("state/private-key.pem"), "secret").unwrap();
    fs::write(rig.at("state/cache/x"), "x").unwrap();
    rig.select(&[""], &["vault"]);
    let report = rig.ends("completed");
    assert_eq!(rig.files_of(&report), pairs(&[("source/a", "a")]));
}

#[test]
fn a_snapshot_that_this_run_has_made_already_is_reported() {
    let mut rig = Rig::new(&["a", "b"]);
    let first = rig.ends("completed");
    rig.write("c", "new");
    let again = rig.ends("completed");
    assert_eq!((rig.snapshots().len(), &again.snapshot), (1, &first.snapshot));
    let numbers = |report: &RunReport| (report.files_searched, report.bytes_searched, report.files_done, report.bytes_done);
    assert_eq!(numbers(&again), numbers(&first));
    assert!(again.note.is_some_and(|note| note.contains("restarted")), "what could not be saved is not known any more");
    assert_eq!(rig.said.lock().unwrap().len(), 2, "a run that waits in the queue is preparing before it is complete");
    rig.run.state = "start_requested".to_owned();
    let other = rig.ends("completed");
    assert_eq!(rig.snapshots().len(), 2, "one that nobody had taken is another run, which was given the id again");
    assert_ne!(other.snapshot, first.snapshot);
}

#[test]
fn a_clock_that_is_wrong_is_noted() {
    let mut rig = Rig::new(&["a"]);
    rig.server_is_ahead_seconds = 300;
    assert_eq!(rig.ends("completed").note, None);
    for (ahead, side) in [(301_i64, "301 seconds behind"), (-4000, "4000 seconds ahead of")] {
        (rig.server_is_ahead_seconds, rig.run.id) = (ahead, ahead.abs());
        assert!(rig.ends("completed").note.is_some_and(|note| note.contains(side)), "{side}");
    }
}

#[test]
fn databases_are_noted_and_left() {
    let mut rig = Rig::new(&["a", "db/x"]);
    let database = Item { item_type: "Database".to_owned(), ..rig.item("source/db") };
    rig.select_items(vec![rig.item("source/a"), database.clone()], Vec::new());
    let report = rig.ends("completed");
    assert_eq!(rig.files_of(&report), pairs(&[("source/a", "a")]));
    assert!(report.note.is_some_and(|note| note.contains("Database")));
    rig.run.id = 8;
    rig.select_items(vec![database], Vec::new());
    assert_eq!(rig.fails().0, "NothingToBackUp");
}

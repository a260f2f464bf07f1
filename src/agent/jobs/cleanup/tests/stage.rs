//! A vault of one or two generations in folders, each with three backups, and the trouble that its place makes.

mod place;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::super::*;
use crate::agent::channel::Channel;
use crate::agent::jobs::cleanup::outcome::Outcome;
use crate::model::access::Secret;
use crate::vault::backend::location::Location;
use crate::vault::backend::location::address::Address;
use crate::vault::backend::options::{Options, Trust};
use crate::vault::backend::{Kind, Name, open};
use crate::vault::backup::{self, backup};
use crate::vault::cancel::Cancel;
use crate::vault::check;
use crate::vault::compression::Compression;
use crate::vault::config::Version;
use crate::vault::id::Id;
use crate::vault::keys::Password;
use crate::vault::lock::{Guard, Mode};
use crate::vault::restore::{self, restore};
use crate::vault::snapshot::Snapshot;
use crate::vault::source::select::Everything;
use crate::vault::source::stamp::Ignored;
pub(super) use place::{Event, Trouble};
use place::{Place, State, TestClock};

/// Every file below a folder, by its path.
type Files = BTreeMap<PathBuf, Vec<u8>>;

/// One backup: its snapshot, and what was backed up.
struct Kept {
    id: Id,
    tree: Id,
    files: Files,
    /// What it stored that was not there.
    packs: Vec<Id>,
}

pub(super) struct Stage {
    folder: tempfile::TempDir,
    state: Arc<State>,
    tally: Arc<Tally>,
    generations: RefCell<Vec<Generation>>,
    repositories: Vec<Arc<Repository>>,
    closed: RefCell<HashMap<i64, fn() -> Error>>,
    kept: Vec<Vec<Kept>>,
}

impl Stage {
    /// Each backup has a file of its own and shares one with the next, in packs that are partly used once one of them is forgotten.
    pub fn new(generations: i64) -> Self {
        let state = Arc::new(State::default());
        let mut stage = Self {
            folder: tempfile::tempdir().unwrap(),
            tally: Arc::new(Tally::default()),
            generations: RefCell::default(),
            repositories: Vec::new(),
            closed: RefCell::default(),
            kept: Vec::new(),
            state,
        };
        for number in 1..=generations {
            stage.repositories.push(stage.make(number));
            let generation = Generation { number, is_encrypted: number < generations, is_ready: true, password: None };
            // The order in which they are told is of no matter.
            stage.generations.borrow_mut().insert(0, generation);
            stage.kept.push(Vec::new());
            for backup in 0..3_u8 {
                let kept = stage.save_files(number, &[(backup, 40_000), (backup + 1, 30_000)], &[&format!("backup={backup}")]);
                stage.kept.last_mut().unwrap().push(kept);
            }
        }
        stage
    }

    fn make(&self, number: i64) -> Arc<Repository> {
        let inner = open(&Location::parse(self.root(number)).unwrap(), &Options::default()).unwrap();
        let place = Place { inner: inner.into(), number, state: Arc::clone(&self.state) };
        let watched = Watched { inner: Box::new(place), tally: Arc::clone(&self.tally) };
        Arc::new(Repository::init(Box::new(watched), &Password::new("secret"), Version::Two, maker()).unwrap())
    }

    fn root(&self, number: i64) -> PathBuf {
        self.folder.path().join(format!("g{number}"))
    }

    fn repository(&self, number: i64) -> &Arc<Repository> {
        &self.repositories[usize::try_from(number).unwrap() - 1]
    }

    fn kept(&self, number: i64) -> &[Kept] {
        &self.kept[usize::try_from(number).unwrap() - 1]
    }

    /// A backup of one file; its snapshot.
    pub fn save(&self, number: i64, seed: u8, tags: &[&str]) -> Id {
        self.save_files(number, &[(seed, 5_000)], tags).id
    }

    fn save_files(&self, number: i64, files: &[(u8, usize)], tags: &[&str]) -> Kept {
        let source = tempfile::tempdir_in(self.folder.path()).unwrap();
        for (seed, length) in files {
            std::fs::write(source.path().join(seed.to_string()), noise(*seed, *length)).unwrap();
        }
        let before = self.ids(number, Kind::Data);
        let text = format!(r#"{{"time":"2026-11-26T12:00:00Z","tree":"{}"}}"#, Id::of(b""));
        let mut snapshot = Snapshot::parse(text.as_bytes(), &Id::of(b"")).unwrap();
        snapshot.tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        let options = backup::Options {
            select: &Everything,
            with_atime: false,
            ignored: Ignored::default(),
            compression: Compression::Auto,
            parent: None,
            is_dry_run: false,
            guard: None,
            skip_if_unchanged: false,
            skip_if_empty: false,
            snapshot,
        };
        let repository = self.repository(number);
        let index = repository.load_index(&Cancel::default()).unwrap().index;
        let report = backup(repository, index, &[source.path().to_owned()], &options, &Cancel::default(), &()).unwrap();
        assert!(report.failures.is_empty(), "{:?}", report.failures);
        let packs = self.ids(number, Kind::Data).difference(&before).copied().collect();
        Kept { id: report.snapshot.unwrap(), tree: report.tree, files: files_below(source.path()), packs }
    }

    pub fn clean(&self, names: &[String]) -> Ended {
        self.clean_on(&Leash::default(), names)
    }

    /// A cleanup of all generations; the numbers of its report are its own.
    pub fn clean_on(&self, leash: &Leash, names: &[String]) -> Ended {
        let address = Address::parse("https://127.0.0.1:1/").unwrap();
        let trust = Trust::Pin("00".repeat(32).parse().unwrap());
        let channel = Channel::new(1, &address, &trust, &Secret::presented("key"), &Cancel::default()).unwrap();
        let reporter = Reporter { channel: Arc::new(channel), run: 7, attempt: 1, leash: leash.clone() };
        let open = |generation: &Generation| match self.closed.borrow().get(&generation.number) {
            Some(error) => Err(error()),
            None => Ok(Arc::clone(self.repository(generation.number))),
        };
        let begin = || {
            self.state.happened(Event::Begun);
            leash.cancel().check()
        };
        let generations = self.generations.borrow().clone();
        let cleanup = Cleanup {
            generations: &generations,
            forget: names,
            open: &open,
            begin: &begin,
            lock: self.lock_options(),
            leash,
            tally: &self.tally,
        };
        let before = self.tally.counted();
        let mut outcome = Outcome::default();
        let worked = cleanup.run(&mut outcome);
        let own = |mut report: crate::wire::channel::run::RunReport| {
            report.files_searched -= i64::try_from(before.files_searched).unwrap();
            report.files_done -= i64::try_from(before.files_done).unwrap();
            report.bytes_done -= i64::try_from(before.bytes_done).unwrap();
            report
        };
        match outcome.ended(worked, &self.tally, &reporter) {
            Ended::Done(report) => Ended::Done(own(report)),
            Ended::Cut(report) => Ended::Cut(own(report)),
        }
    }

    fn lock_options(&self) -> lock::Options {
        let terms = lock::Terms { look_every: Duration::from_hours(1), ..lock::Terms::default() };
        let clock: Arc<TestClock> = Arc::clone(&self.state.clock);
        lock::Options { retry_for: LOCKED_FOR, terms, clock, ..lock::Options::new(maker()) }
    }

    /// Somebody else's lock.
    pub fn lock(&self, number: i64) -> Guard {
        Guard::take(self.repository(number), Mode::Shared, &self.lock_options(), &Cancel::default()).unwrap()
    }

    /// How long locks were waited for.
    pub fn waited(&self) -> Duration {
        self.state.clock.waited()
    }

    /// The snapshot of a backup of a generation.
    pub fn id(&self, number: i64, backup: usize) -> Id {
        self.kept(number)[backup].id
    }

    pub fn named(&self, number: i64, backups: &[usize]) -> Vec<String> {
        backups.iter().map(|backup| format!("g{number}/snapshots/{}", self.id(number, *backup))).collect()
    }

    /// The packs that a backup of the first generation brought, the largest first.
    pub fn packs_of(&self, backup: usize) -> Vec<Id> {
        let size = |id: &Id| std::cmp::Reverse(self.repository(1).backend().size_bytes(Name::Of(Kind::Data, *id)).unwrap());
        let mut packs = self.kept(1)[backup].packs.clone();
        packs.sort_by_key(size);
        packs
    }

    pub fn ids(&self, number: i64, kind: Kind) -> HashSet<Id> {
        self.repository(number).backend().list(kind).unwrap().into_iter().map(|listed| listed.id).collect()
    }

    pub fn snapshots(&self, number: i64) -> HashSet<Id> {
        self.ids(number, Kind::Snapshot)
    }

    pub fn size_bytes(&self, number: i64) -> u64 {
        self.files(number).values().map(|bytes| bytes.len() as u64).sum()
    }

    pub fn files(&self, number: i64) -> Files {
        files_below(&self.root(number))
    }

    /// What happened since the last time this was asked: runs of the same, once.
    pub fn events(&self) -> Vec<Event> {
        self.state.events()
    }

    pub fn trouble(&self, trouble: Trouble) {
        self.state.begin(trouble);
    }

    pub fn close(&self, number: i64, error: fn() -> Error) {
        self.closed.borrow_mut().insert(number, error);
    }

    /// The server knows that nobody has made its repository yet.
    pub fn is_not_ready(&self, number: i64) {
        self.generations.borrow_mut().iter_mut().filter(|known| known.number == number).for_each(|known| known.is_ready = false);
    }

    fn path(&self, number: i64, name: Name) -> PathBuf {
        match name {
            Name::Of(Kind::Data, id) => self.root(number).join("data").join(&id.hex()[..2]).join(id.hex()),
            name => self.root(number).join(name.to_string()),
        }
    }

    pub fn lose(&self, number: i64, name: Name) {
        std::fs::remove_file(self.path(number, name)).unwrap();
    }

    pub fn damage(&self, number: i64, name: Name) {
        let path = self.path(number, name);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[20] ^= 1;
        std::fs::remove_file(&path).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// All files of the first generation.
    pub fn keep(&self) -> Files {
        self.files(1)
    }

    pub fn put_back(&self, files: &Files) {
        for path in self.files(1).keys().filter(|path| !files.contains_key(*path)) {
            std::fs::remove_file(self.root(1).join(path)).unwrap();
        }
        for (path, bytes) in files {
            let path = self.root(1).join(path);
            if !path.exists() {
                std::fs::write(path, bytes).unwrap();
            }
        }
    }

    /// All that any snapshot needs is there, and whole.
    #[track_caller]
    pub fn expect_clean(&self, number: i64) {
        let report = check::run(self.repository(number), check::Read::All, &Cancel::default(), &()).unwrap();
        assert!(report.is_clean(), "{:?}", report.problems);
    }

    /// The same, and these backups are there beside what was to be forgotten, and restore as what was backed up.
    #[track_caller]
    pub fn expect_whole(&self, number: i64, backups: &[usize]) {
        self.expect_clean(number);
        let (repository, there) = (self.repository(number), self.snapshots(number));
        let index = repository.load_index(&Cancel::default()).unwrap().index;
        for backup in backups {
            let kept = &self.kept(number)[*backup];
            assert!(there.contains(&kept.id), "backup {backup} of generation {number}");
            let target = tempfile::tempdir_in(self.folder.path()).unwrap();
            let from = restore::Source { repository, index: &index };
            let done = restore(from, kept.tree, target.path(), &restore::Options::default(), &Cancel::default(), &());
            assert!(done.is_complete(), "{:?}", done.failures);
            let files = files_below(target.path());
            assert!(files.values().eq(kept.files.values()), "backup {backup}: {:?}", files.keys());
        }
    }

    /// The same, and no other snapshot is there.
    #[track_caller]
    pub fn expect_only(&self, number: i64, backups: &[usize]) {
        self.expect_whole(number, backups);
        assert_eq!(self.snapshots(number), backups.iter().map(|backup| self.id(number, *backup)).collect());
    }
}

/// Bytes that do not compress; the same for the same seed.
fn noise(seed: u8, length: usize) -> Vec<u8> {
    (0_u32..).flat_map(|number| Id::of(&[&[seed], number.to_be_bytes().as_slice()].concat()).0).take(length).collect()
}

fn files_below(root: &Path) -> Files {
    let (mut files, mut folders) = (Files::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.strip_prefix(root).unwrap().to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    files
}

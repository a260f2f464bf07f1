//! How a backup ends that makes no snapshot.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::vault::backend::content::Content;
use crate::vault::backend::{Kind, Listed, Name};
use crate::vault::failure::Failure;
use crate::vault::id::Id;
use crate::vault::lock::{Guard, Mode};

#[test]
fn without_any_file_there_is_no_snapshot() {
    let mut rig = Rig::new(&[]);
    fs::create_dir(rig.at("source/folder")).unwrap();
    let nothing = "No file was found that is to be backed up.".to_owned();
    assert_eq!(rig.fails(), ("NothingToBackUp".to_owned(), nothing.clone()));
    rig.select(&[], &[]);
    assert_eq!(rig.fails(), ("NothingToBackUp".to_owned(), nothing));
    rig.write("a", "a");
    rig.select(&["source"], &["source/a"]);
    assert_eq!(rig.fails().0, "NothingToBackUp");
    assert_eq!(rig.snapshots().len(), 0, "a later start-up would report it");
}

#[test]
fn a_selection_of_which_nothing_is_there_is_missing() {
    let mut rig = Rig::new(&["a"]);
    let windows = Item { path: r"C:\Websites".to_owned(), ..rig.item("x") };
    rig.select_items(vec![rig.item("gone"), windows], Vec::new());
    let report = rig.ends("failed");
    assert_eq!((report.reason.as_deref(), report.error_count, report.errors.len()), (Some("SelectionMissing"), 2, 2));
    assert!(report.errors.iter().any(|error| error.path == r"C:\Websites"));
}

#[test]
fn of_many_errors_a_thousand_are_listed() {
    let mut rig = Rig::new(&["a"]);
    let gone = (0..1200).map(|number| rig.item(&format!("gone/{number}")));
    let items = gone.chain([rig.item("source")]).collect();
    rig.select_items(items, Vec::new());
    let report = rig.ends("completed_with_errors");
    assert_eq!((report.error_count, report.errors.len()), (1200, 1000));
}

#[test]
fn a_vault_that_is_not_there_is_never_made() {
    let mut rig = Rig::new(&["a"]);
    rig.vault.generations[0].is_ready = false;
    assert_eq!(rig.fails().0, "VaultMissing");
    rig.vault.generations.clear();
    assert_eq!(rig.fails().0, "VaultMissing");

    let mut rig = Rig::new(&["a"]);
    let failed = |rig: &Rig, error: fn() -> Error| {
        let mut tally = Tally::default();
        let work = Work {
            order: Order::of(&rig.run).unwrap(),
            vault: &rig.vault,
            own: &rig.at("state"),
            allow_scripts: false,
            server_is_ahead_seconds: 0,
            leash: &rig.leash,
            word: Word { step: &|_, _| panic!("it says nothing"), count: &|_, _| {} },
            open: &|_| Err(error()),
            terms: Terms::default(),
        };
        match work.run(&mut tally) {
            Err(Stop::Failed { reason, note }) => (reason, note),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(failed(&rig, || Error::NoRepository("x".to_owned())).0, "VaultMissing");
    assert!(failed(&rig, || Error::WrongPassword).1.contains("the server gives"));
    rig.vault.generations[0].is_encrypted = true;
    let (reason, note) = failed(&rig, || Error::WrongPassword);
    assert!(reason == "MissingPassword" && note.contains("passphrase"), "{note}");
    let away = || Error::Unavailable { doing: "reading config".to_owned(), source: "no route".into() };
    assert_eq!(failed(&rig, away), ("StorageUnavailable", "Reading config failed: no route.".to_owned()));
}

#[test]
fn a_run_whose_leash_is_pulled_is_cut_and_leaves_no_snapshot() {
    for why in [Why::Stopped, Why::Ending, Why::Unwanted] {
        let rig = Rig::new(&["a"]);
        rig.leash.pull(why);
        assert!(rig.back_up().is_cut);
        assert!(rig.said.lock().unwrap().is_empty());
        let mut rig = Rig::new(&["a"]);
        rig.at_preparing = Box::new(move |rig| rig.leash.pull(why));
        assert!(rig.back_up().is_cut);
        assert_eq!(rig.snapshots().len(), 0);
    }
}

#[test]
fn a_flag_that_nobody_pulled_is_a_failure() {
    let rig = Rig::new(&["a"]);
    rig.leash.cancel().raise();
    assert_eq!(rig.fails().0, "AgentError");
}

#[test]
fn somebody_elses_lock_is_in_the_way() {
    let rig = Rig::new(&["a"]);
    let repository = Arc::new(rig.repository());
    let cleanup = Guard::take(&repository, Mode::Exclusive, &rig.terms.lock, &Cancel::default()).unwrap();
    let (reason, note) = rig.fails();
    assert!(reason == "AgentError" && note.contains("locked"), "{note}");
    cleanup.release().unwrap();
    rig.ends("completed");
}

/// Refuses files of a kind with an error of its own.
struct Refusing {
    inner: Box<dyn Backend>,
    kind: Kind,
    error: Box<dyn Fn() -> Error + Send + Sync>,
}

impl Backend for Refusing {
    fn location(&self) -> String {
        self.inner.location()
    }

    fn create(&self) -> Result<(), Error> {
        self.inner.create()
    }

    fn list(&self, kind: Kind) -> Result<Vec<Listed>, Error> {
        self.inner.list(kind)
    }

    fn size_bytes(&self, name: Name) -> Result<u64, Error> {
        self.inner.size_bytes(name)
    }

    fn read(&self, name: Name, range: Option<Range<u64>>) -> Result<Content, Error> {
        self.inner.read(name, range)
    }

    fn save(&self, name: Name, bytes: Bytes) -> Result<(), Error> {
        match name {
            Name::Of(kind, _) if kind == self.kind => Err((self.error)()),
            _ => self.inner.save(name, bytes),
        }
    }

    fn remove(&self, name: Name) -> Result<(), Error> {
        self.inner.remove(name)
    }

    fn lists_at_once(&self) -> bool {
        self.inner.lists_at_once()
    }
}

#[test]
fn a_place_that_takes_no_more_is_told_by_what_it_says() {
    let quota = || Error::Full("507 Insufficient Storage: The account's quota is 10 bytes".to_owned());
    let disk = || Error::Full("507 Insufficient Storage: The server's disk is full".to_owned());
    for (kind, error, reason) in [
        (Kind::Lock, quota as fn() -> Error, "QuotaExceeded"),
        (Kind::Data, quota, "QuotaExceeded"),
        (Kind::Data, disk, "OutOfDiskSpace"),
        (Kind::Snapshot, disk, "OutOfDiskSpace"),
    ] {
        let mut rig = Rig::new(&["a"]);
        rig.wrap = Box::new(move |inner| Box::new(Refusing { inner, kind, error: Box::new(error) }));
        assert_eq!(rig.fails().0, reason, "{kind:?}");
        rig.wrap = Box::new(|inner| inner);
        assert_eq!(rig.snapshots().len(), 0);
    }
}

/// Such as the index file that is saved after a stop, to a server that has gone.
#[test]
fn what_fails_after_the_leash_was_pulled_is_the_end_of_what_it_stopped() {
    let mut rig = Rig::new(&["a"]);
    let leash = rig.leash.clone();
    rig.wrap = Box::new(move |inner| {
        let leash = leash.clone();
        let error = Box::new(move || {
            leash.pull(Why::Stopped);
            Error::Unavailable { doing: "storing".to_owned(), source: "no answer".into() }
        });
        Box::new(Refusing { inner, kind: Kind::Data, error })
    });
    assert!(rig.back_up().is_cut);
}

#[test]
fn what_the_engine_could_not_save_is_in_the_report() {
    let at = jiff::Timestamp::UNIX_EPOCH;
    let failure = Failure::of_io("/srv/x", "open", &std::io::Error::from_raw_os_error(13));
    let count = crate::vault::backup::Count { files_new: 2, files_changed: 3, files_unmodified: 5, ..Default::default() };
    let made = crate::vault::backup::Report {
        snapshot: Some(Id([7; 32])),
        tree: Id([0; 32]),
        parent: None,
        started: at,
        ended: at,
        count,
        bytes_stored: 900,
        failures: vec![failure],
        failures_left_out: 4,
    };
    let mut tally = Tally::default();
    tally.take(&made, 12);
    let (counted, report) = (tally.counted(), tally.fill(RunReport::default(), None));
    assert_eq!((counted.files_done, counted.bytes_done, counted.errors, report.errors.len()), (5, 900, 5, 1));
    assert_eq!((report.errors[0].kind, report.snapshot), (103, Some(format!("g12/snapshots/{}", "07".repeat(32)))));
}

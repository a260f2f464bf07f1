//! Several who work on one repository at once: backups do not mind one another, and whoever removes waits or is told why it cannot.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use strongroom::vault::backend::location::Location;
use strongroom::vault::backend::open;
use strongroom::vault::cancel::Cancel;
use strongroom::vault::keys::{Maker, Password};
use strongroom::vault::lock::{Guard, Mode, Options, Terms};
use strongroom::vault::repository::Repository;

use crate::support::client::{Client, text};
use crate::support::figure::figure;
use crate::support::restic::{Restic, planted, vault};
use crate::support::seen::seen;
use crate::support::server::TestServer;
use crate::support::{is_nightly, skip, tree};

/// Ids of the snapshots, oldest first.
fn snapshots(client: &Client) -> Vec<String> {
    let list = client.ok(&["snapshots"]);
    let id = |snapshot: &serde_json::Value| snapshot["id"].as_str().expect("an id").to_owned();
    list.as_array().expect("a list").iter().map(id).collect()
}

#[test]
fn backups_of_ours_and_of_restic_at_once_are_all_whole() {
    let server = TestServer::start();
    let account = vault(&server);
    let ours = Client::at(account.url("/"));
    ours.ok(&["init"]);
    let Some(theirs) = Restic::new(&account, "/") else { return skip("restic is not installed") };
    let trees: Vec<_> = (30..36).map(planted).collect();
    let rounds = if is_nightly() { 20 } else { 1 };
    for round in 0..rounds {
        std::thread::scope(|scope| {
            for (number, tree) in trees.iter().enumerate() {
                std::fs::write(tree.path().join("text"), format!("{round} {number}")).expect("a file is written");
                let (ours, theirs) = (&ours, &theirs);
                scope.spawn(move || if number % 2 == 0 { drop(ours.backup(tree.path())) } else { theirs.backup(tree.path()) });
            }
        });
    }
    assert_eq!(snapshots(&ours).len(), trees.len() * rounds);
    assert!(theirs.ok(&["check", "--read-data"]).contains("no errors were found"));
    ours.check();
    for tree in &trees {
        let target = tempfile::tempdir().expect("a temporary folder");
        let arguments = ["restore", "latest", "--path", text(tree.path()), "--target", text(target.path())];
        ours.ok(&arguments);
        let restored = crate::support::client::below(target.path(), tree.path());
        // The folder itself is one that the test made.
        assert_eq!(seen(&restored), seen(tree.path()));
    }
    let text = format!("{} backups, half ours, half restic's, {} at once: all whole for both checks", trees.len() * rounds, trees.len());
    figure("A2", "two at once", &text, None);
}

/// Neither waits here for the other's lock to be seen.
#[test]
fn what_one_has_alone_on_our_server_nobody_shares_whoever_comes_when() {
    for server in TestServer::each_catalog() {
        let location = vault(&server).url("/");
        Client::at(location.clone()).ok(&["init"]);
        let terms = Terms { settle: Duration::ZERO, ..Terms::default() };
        let options = Options { terms, ..Options::new(Maker { username: "somebody".to_owned(), hostname: "elsewhere".to_owned() }) };
        let (start, holders, held) = (Barrier::new(2), AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for mode in [Mode::Shared, Mode::Exclusive] {
                let opened = open(&Location::parse(&location).expect("a URL"), &Default::default()).expect("a place");
                let repository = Arc::new(Repository::open(opened, &Password::new("correct horse")).expect("it opens"));
                let (start, holders, held, options) = (&start, &holders, &held, &options);
                scope.spawn(move || {
                    for _ in 0..if is_nightly() { 1_000 } else { 100 } {
                        start.wait();
                        let taken = Guard::take(&repository, mode, options, &Cancel::default());
                        assert!(repository.backend().lists_at_once());
                        let count = u32::from(taken.is_ok());
                        holders.fetch_add(count, Ordering::SeqCst);
                        start.wait();
                        // Both threads see the same, so none waits for one that has ended.
                        assert!(holders.load(Ordering::SeqCst) < 2, "both hold it");
                        held.fetch_add(count, Ordering::SeqCst);
                        start.wait();
                        holders.fetch_sub(count, Ordering::SeqCst);
                        drop(taken);
                    }
                });
            }
        });
        assert_ne!(held.into_inner(), 0, "nobody ever had it");
    }
}

#[test]
fn a_lock_that_is_in_the_way_is_named_and_can_be_waited_for() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let place = home.path().join("repository");
    let ours = Client::at(&place);
    ours.ok(&["init"]);
    let Some(theirs) = Restic::at(text(&place).to_owned()) else { return skip("restic is not installed") };
    let source = planted(40);
    ours.backup(source.path());
    let locks = || tree::files_below(&place.join("locks")).len();
    let opened = open(&Location::parse(&place).expect("a folder"), &Default::default()).expect("a place");
    let repository = Arc::new(Repository::open(opened, &Password::new("correct horse")).expect("it opens"));
    let holder = Maker { username: "somebody".to_owned(), hostname: "elsewhere".to_owned() };
    for mode in [Mode::Exclusive, Mode::Shared] {
        let guard = Guard::take(&repository, mode, &Options::new(holder.clone()), &Cancel::default()).expect("a lock");
        assert_eq!(locks(), 1);
        let refused: &[&[&str]] = if mode == Mode::Exclusive {
            &[&["backup", text(source.path())], &["prune"], &["forget", "--keep-last", "1"]]
        } else {
            &[&["prune"], &["forget", "--keep-last", "1"]]
        };
        for arguments in refused {
            let ran = ours.run(arguments).expect_exit(1);
            let words = format!("the repository is locked by process {} of somebody on elsewhere", std::process::id());
            assert!(ran.complaint.contains(&words) && ran.complaint.contains("--retry-lock"), "{mode:?}: {ran:?}");
        }
        assert!(theirs.run(&["prune"]).complaint.contains("locked"), "restic respects it: {mode:?}");
        let began = Instant::now();
        let ran = ours.run(&["prune", "--retry-lock", "1s"]).expect_exit(1);
        assert!(began.elapsed() >= Duration::from_secs(1) && ran.complaint.contains("somebody on elsewhere"), "its patience ends: {ran:?}");
        let waiting = ours.begin(&["prune", "--retry-lock", "2m"]);
        std::thread::sleep(Duration::from_millis(700));
        guard.release().expect("the lock is removed");
        ours.end(waiting).expect_exit(0);
        assert_eq!(locks(), 0);
    }
    ours.check();
    theirs.ok(&["check"]);
    figure(
        "A2",
        "lock in the way",
        "5 commands refused with the holder's name, 2 waited with --retry-lock and went on; restic's prune refused",
        None,
    );
}

/// Backups while restic or we prune: they wait for one another, and nothing is lost.
#[test]
fn backups_beside_prunes_lose_nothing() {
    let server = TestServer::start();
    let account = vault(&server);
    let ours = Client::at(account.url("/"));
    ours.ok(&["init"]);
    let Some(theirs) = Restic::new(&account, "/") else { return skip("restic is not installed") };
    let source = planted(50);
    let rounds = if is_nightly() { 30 } else { 3 };
    let (mut told, mut pruned) = (0, 0);
    for round in 0..rounds {
        std::fs::write(source.path().join("new"), tree::bytes(round, 2_000_000)).expect("a file is written");
        let [ours_ended, theirs_ended] = std::thread::scope(|scope| {
            let prune = scope.spawn(|| ours.run(&["forget", "--keep-last", "1", "--prune", "--retry-lock", "1m"]).exit);
            let stock = scope.spawn(|| theirs.run(&["prune"]));
            ours.ok(&["backup", text(source.path()), "--retry-lock", "1m"]);
            [prune.join().expect("it ends"), stock.join().map(|ran| i32::from(ran.complaint.contains("locked"))).expect("it ends")]
        });
        assert_eq!(ours_ended, 0);
        (told, pruned) = (told + theirs_ended, pruned + 1);
        let target = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(seen(&ours.restored(source.path(), target.path())), seen(source.path()));
    }
    ours.check();
    assert!(theirs.ok(&["check", "--read-data"]).contains("no errors were found"));
    let text = format!("{rounds} backups beside {pruned} prunes of ours and as many of restic's ({told} told to wait): nothing lost");
    figure("A2", "prune beside backups", &text, None);
}

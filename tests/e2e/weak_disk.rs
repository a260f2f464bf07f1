//! The weakest disk that POSIX allows: it keeps fsynced bytes, and names whose folder was fsynced, and loses the rest.

use crate::support::aftermath::{Findings, look, look_at_each};
use crate::support::clock::TestClock;
use crate::support::figure::figure;
use crate::support::loop_disk::LoopDisk;
use crate::support::setup::Setup;
use crate::support::tree::random;
use crate::support::weak_disk::{Durable, WeakDisk};
use crate::support::workload::Workload;
use crate::support::{SOON, is_nightly, say, skip_without_root, wait_until};

const SEED: u64 = 0x5EED_D501;

#[test]
fn the_weakest_disk_loses_nothing_acknowledged() {
    if !is_possible() {
        return;
    }
    let states = if is_nightly() { 500 } else { 20 };
    let found = crashes_of(&[], states, |_| false);
    figure("D5", "weakest disk", &found.expect_no_fault(states), Some(SEED));
}

#[test]
fn a_server_that_leaves_a_sync_out_is_caught_by_the_weakest_disk() {
    if !is_possible() {
        return;
    }
    for point in ["staging-sync", "folder-sync", "catalog-sync"] {
        let found = crashes_of(&[(point, "return")], 20, |found| !is_nightly() && found.faults() > 0);
        say(&format!("{point}: {found:?}"));
        assert!(found.faults() > 0, "without {point} nothing was lost in {} states", found.states);
        let text = format!("{} lost, torn or without a row in {} states", found.faults(), found.states);
        figure("D5", &format!("⊖ {point}"), &text, Some(SEED));
    }
}

#[test]
fn a_folder_that_another_upload_made_and_has_not_synced_is_durable_before_201() {
    if !is_possible() {
        return;
    }
    let found = second_upload_into_a_fresh_folder(&[]);
    figure("D24e", "folder not yet synced", &found.expect_no_fault(1), None);
}

#[test]
fn a_server_that_syncs_only_folders_made_by_itself_is_caught() {
    if !is_possible() {
        return;
    }
    let found = second_upload_into_a_fresh_folder(&[("foreign-folders", "return")]);
    assert_eq!((found.lost, found.without_blob), (1, 1), "{found:?}");
    figure("D24e", "⊖ only folders made by oneself", &format!("{} of 1 lost", found.lost), None);
}

fn is_possible() -> bool {
    if !LoopDisk::is_possible() {
        skip_without_root("only root mounts a file system of ours");
    }
    LoopDisk::is_possible()
}

fn server_on(disk: &WeakDisk, clock: &TestClock, faults: &[(&str, &str)]) -> crate::support::server::TestServer {
    let setup = Setup::new().clock(clock).data(&disk.at().join("store"));
    faults.iter().fold(setup, |setup, (point, action)| setup.fault(point, action)).start()
}

/// Looks at `states` crashes under many clients, until it is `enough`.
fn crashes_of(faults: &[(&str, &str)], states: usize, enough: impl Fn(&Findings) -> bool + Sync) -> Findings {
    let (disk, clock) = (WeakDisk::mount(), TestClock::new());
    let mut server = server_on(&disk, &clock, faults);
    disk.crash_at_random(SEED, 2);
    let work = Workload::run(&server, clock, || moment(disk.moment()));
    let mut crashes = disk.crashes();
    assert!(crashes.len() >= states, "{} crashes are too few", crashes.len());
    let mut seed = SEED;
    while crashes.len() > states {
        crashes.remove(moment(random(&mut seed, crashes.len() as u64)));
    }
    server.expect_error("");
    server.kill();
    drop(server);
    look_at_each(crashes, enough, || |(at, left): (u64, Durable)| look_at_crash(&work, moment(at), &left))
}

fn look_at_crash(work: &Workload, at: usize, left: &Durable) -> Findings {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let disk = folder.path().join("disk");
    left.write_to(&disk);
    look(work, at, &disk.join("store"), folder.path())
}

/// One upload makes a folder and stalls before it is durable; another one uses the folder and is acknowledged; then comes the crash.
fn second_upload_into_a_fresh_folder(faults: &[(&str, &str)]) -> Findings {
    let (disk, clock) = (WeakDisk::mount(), TestClock::new());
    let mut server = server_on(&disk, &clock, faults);
    let account = server.account();
    let mut work = Workload::of(account.clone(), clock);
    for (name, seed) in [("/before", 1), ("/fresh/deep/first", 2), ("/fresh/deep/second", 3)] {
        work.tried.insert(name.to_owned(), (seed, 1000));
    }
    let put = |name: &str| account.put(name, work.bytes_of(name));
    put("/before").expect(201);
    disk.stall_opening_of("fresh");
    let crash = std::thread::scope(|scope| {
        let first = scope.spawn(|| put("/fresh/deep/first"));
        wait_until("the first upload stalls", SOON, || disk.is_stalled());
        put("/fresh/deep/second").expect(201);
        let crash = disk.crash();
        disk.release();
        first.join().expect("the first upload ends").expect(201);
        crash
    });
    server.expect_error("");
    server.kill();
    drop(server);
    work.kept.extend([("/before".to_owned(), 0), ("/fresh/deep/second".to_owned(), 0)]);
    look_at_crash(&work, moment(crash.0), &crash.1)
}

fn moment(number: u64) -> usize {
    usize::try_from(number).expect("few changes")
}

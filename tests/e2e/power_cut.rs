//! Power cuts on real file systems: whatever of the unflushed writes reached the disk, nothing that was acknowledged is lost, nothing
//! torn is shown.
//!
//! The server runs on a disk that records every write and every flush, and the clients note how much was recorded when each 201
//! arrived. Then the disk is made anew as a cut at a random moment may have left it, is mounted, and a server starts on it.

use crate::support::aftermath::{Findings, look, look_at_each};
use crate::support::clock::TestClock;
use crate::support::disk::Disk;
use crate::support::figure::figure;
use crate::support::loop_disk::{FileSystem, LoopDisk};
use crate::support::press::Press;
use crate::support::recorder::{Record, Recorder};
use crate::support::replay::Replay;
use crate::support::setup::Setup;
use crate::support::tree::random;
use crate::support::workload::Workload;
use crate::support::{SOON, is_nightly, say, skip_nightly, skip_without_root, wait_until};

#[test]
fn a_power_cut_on_ext4_loses_nothing_acknowledged_and_shows_nothing_torn() {
    nothing_is_lost_on(FileSystem::Ext4, 1, 0x5EED_D301);
}

#[test]
fn a_power_cut_on_xfs_loses_nothing_acknowledged_and_shows_nothing_torn() {
    if !is_nightly() {
        return skip_nightly("a thousand power cuts on xfs");
    }
    nothing_is_lost_on(FileSystem::Xfs, 1, 0x5EED_D302);
}

#[test]
fn a_power_cut_on_btrfs_loses_nothing_acknowledged_and_shows_nothing_torn() {
    if !is_nightly() {
        return skip_nightly("a thousand power cuts on btrfs");
    }
    nothing_is_lost_on(FileSystem::Btrfs, 1, 0x5EED_D303);
}

/// Files on a disk of their own, the catalog on another: the power goes for both at once.
#[test]
fn a_power_cut_of_two_disks_loses_nothing_acknowledged_and_shows_nothing_torn() {
    nothing_is_lost_on(FileSystem::Ext4, 2, 0x5EED_D305);
}

#[test]
fn a_server_that_leaves_the_sync_of_files_out_is_caught_by_a_power_cut() {
    something_is_lost_without("staging-sync", FileSystem::Ext4, 1, |found| found.torn + found.lost);
}

/// On one disk the catalog's own sync, which comes later, carries the folder along, since journals have one order.
#[test]
fn a_server_that_leaves_the_sync_of_folders_out_is_caught_by_a_power_cut_of_two_disks() {
    something_is_lost_without("folder-sync", FileSystem::Ext4, 2, |found| found.lost);
}

/// Reconciliation adopts the files whose rows are gone, so it is the rows that are looked at.
#[test]
fn a_catalog_that_leaves_its_syncs_out_is_caught_by_a_power_cut() {
    something_is_lost_without("catalog-sync", FileSystem::Ext4, 1, |found| found.lost_rows);
}

fn nothing_is_lost_on(kind: FileSystem, disks: usize, seed: u64) {
    if !is_possible(kind) {
        return;
    }
    let states = if is_nightly() { 1000 } else { 60 / disks };
    let found = look_at(&Recording::of(kind, disks, &[]), states, seed, |_| false);
    figure("D3", &part(kind, disks), &found.expect_no_fault(states), Some(seed));
}

/// The control: a server with one sync less must lose something, or this rig proves nothing.
fn something_is_lost_without(point: &str, kind: FileSystem, disks: usize, loss: impl Fn(&Findings) -> usize + Sync) {
    if !is_possible(kind) {
        return;
    }
    let seed = 0x5EED_D304;
    // One loss is enough to say so; at night they are counted.
    let found = look_at(&Recording::of(kind, disks, &[(point, "return")]), 60, seed, |found| !is_nightly() && loss(found) > 0);
    say(&format!("{found:?}"));
    assert!(loss(&found) > 0, "without {point} nothing was lost in {} states: {found:?}", found.states);
    let text = format!("{} lost in {} states", loss(&found), found.states);
    figure("D3", &format!("⊖ {point}, {}", part(kind, disks)), &text, Some(seed));
}

fn part(kind: FileSystem, disks: usize) -> String {
    format!("{}{}", kind.name(), if disks == 1 { "" } else { ", files on a disk of their own" })
}

fn is_possible(kind: FileSystem) -> bool {
    let is_possible = LoopDisk::is_possible() && kind.is_installed();
    if !is_possible {
        skip_without_root(&format!("only root makes a loop disk with {}", kind.name()));
    }
    is_possible
}

/// What reached one disk, or two, while clients were at work.
struct Recording {
    kind: FileSystem,
    disks: usize,
    records: Vec<Record>,
    work: Workload,
}

/// Where the disks are mounted below a folder: the second one takes the files.
const PLACES: [&str; 2] = ["disk", "disk/store/blobs"];

impl Recording {
    fn of(kind: FileSystem, disks: usize, faults: &[(&str, &str)]) -> Self {
        let clock = TestClock::new();
        let recorder = Recorder::mount(&vec![kind.disk_bytes(); disks]);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut mounted = Vec::new();
        for (disk, place) in PLACES.iter().enumerate().take(disks) {
            mounted.push(LoopDisk::make(&recorder.file(disk), kind, &folder.path().join(place)));
        }
        let setup = Setup::new().clock(&clock).data(&folder.path().join("disk/store")).set("disk_reserve", "1 MiB");
        let mut server = faults.iter().fold(setup, |setup, (point, action)| setup.fault(point, action)).start();
        let work = Workload::run(&server, clock, || recorder.position());
        let records = recorder.take_records();
        server.kill();
        drop(server);
        unmount(mounted);
        Self { kind, disks, records, work }
    }
}

/// Disks that were mounted one inside the other.
fn unmount(mut disks: Vec<LoopDisk>) {
    while let Some(innermost) = disks.pop() {
        innermost.unmount();
    }
}

/// Makes `states` states of the recorded disk and looks at each, until it is `enough`.
fn look_at(recording: &Recording, states: usize, seed: u64, enough: impl Fn(&Findings) -> bool + Sync) -> Findings {
    let begin = recording.work.begin;
    let span = (recording.records.len() - begin) as u64;
    let mut next = seed;
    let mut cuts: Vec<usize> = (0..states).map(|_| begin + usize::try_from(random(&mut next, span + 1)).expect("a position")).collect();
    cuts.sort_unstable();
    look_at_each(cuts, enough, || {
        let replay = |disk| Replay::new(disk, recording.kind.disk_bytes(), &recording.records);
        let mut replays: Vec<Replay<'_>> = (0..recording.disks).map(replay).collect();
        move |at| look_at_cut(recording, &mut replays, at, seed)
    })
}

fn look_at_cut(recording: &Recording, replays: &mut [Replay<'_>], at: usize, seed: u64) -> Findings {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let memory = folder.path().join("memory");
    let _memory = Disk::mount(&memory, "size=2g").expect("a disk in memory");
    let mut seed = seed ^ (at as u64) << 32;
    let mut mounted = Vec::new();
    for (disk, replay) in replays.iter_mut().enumerate() {
        let image = memory.join(format!("image-{disk}"));
        replay.cut(at, &mut seed, &image);
        match LoopDisk::mount(&image, recording.kind, &folder.path().join(PLACES[disk])) {
            Ok(disk) => mounted.push(disk),
            Err(why) => {
                unmount(mounted);
                return Findings { states: 1, unmountable: 1, worst: Some(format!("cut at {at}: {why}")), ..Findings::default() };
            }
        }
    }
    let found = look(&recording.work, at, &folder.path().join("disk/store"), &memory);
    unmount(mounted);
    found
}

#[test]
fn a_live_power_cut_on_ext4_loses_nothing_and_nothing_is_acknowledged_after_it() {
    live_cuts_on(FileSystem::Ext4);
}

#[test]
fn a_live_power_cut_on_xfs_loses_nothing_and_nothing_is_acknowledged_after_it() {
    if !is_nightly() {
        return skip_nightly("live power cuts on xfs");
    }
    live_cuts_on(FileSystem::Xfs);
}

/// The file system stops under the running server, as if the power had gone, and nothing more reaches the disk.
///
/// It is not quite a power cut: of the syncs that are under way while the ioctl runs, ext4 and xfs tell a few that they are done,
/// although they are not. (A loop of `pwrite` and `fdatasync` loses its last write so in every tenth or thirtieth try.) So what was
/// acknowledged before the ioctl must be there, what was acknowledged beside it may be, and after it there are no acknowledgements.
fn live_cuts_on(kind: FileSystem) {
    if !is_possible(kind) {
        return;
    }
    let (disks, cuts) = if is_nightly() { (10, 5) } else { (1, 2) };
    let mut seed = 0x5EED_D400;
    let kept: usize = (0..disks).map(|_| live_cuts_of_one_disk(kind, cuts, &mut seed)).sum();
    let text = format!("{} cuts, {kept} files acknowledged: 0 lost, 0 torn, 0 acknowledged after the cut", disks * cuts);
    figure("D4", kind.name(), &text, Some(0x5EED_D400));
}

/// Files that are stored before a cut, about: those of five fit on each disk.
const MOST_BEFORE_A_CUT: u64 = 600;

/// Answers how many files were acknowledged.
fn live_cuts_of_one_disk(kind: FileSystem, cuts: u64, seed: &mut u64) -> usize {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (memory, at) = (folder.path().join("memory"), folder.path().join("disk"));
    let _memory = Disk::mount(&memory, "size=1g").expect("a disk in memory");
    let image = memory.join("image");
    std::fs::File::create(&image).and_then(|file| file.set_len(4 * kind.disk_bytes())).expect("an image is made");
    let mut disk = LoopDisk::make(&image, kind, &at);
    let data = at.join("store");
    let setup = Setup::new().data(&data).set("disk_reserve", "1 MiB");
    let mut server = setup.clone().start();
    let press = Press::new(&server, TestClock::new());
    for cut in 0..cuts {
        server.expect_error("");
        let (power, stored) = (disk.prepare_cut(), press.kept());
        // Nothing tells the moment of a cut: it is random, and the seed is printed. It is counted in files and not in time, so that the
        // disk is large enough however fast they come: a full disk would refuse them before the cut.
        let moment = stored + usize::try_from(random(seed, MOST_BEFORE_A_CUT)).expect("small");
        let refused = press.until_refused(&server, cut, || {
            wait_until("the moment of the cut has come", SOON, || press.kept() >= moment);
            press.set_in_doubt(true);
            power.happen();
        });
        press.set_in_doubt(false);
        assert!(refused.iter().all(|status| [500, 503].contains(status)), "every refusal says that the server cannot: {refused:?}");
        let late = server.account().put(&format!("/{cut}/late"), b"after the cut");
        assert!([500, 503].contains(&late.status()), "after the cut: {late:?}");
        server.kill();
        disk.unmount();
        drop(server);
        disk = LoopDisk::mount(&image, kind, &at).expect("it can be mounted after a cut");
        let work = press.work.lock().expect("no client panics");
        look(&work, 0, &data, &memory).expect_no_fault(1);
        server = setup.clone().start_on_store(&work.account).expect("the server starts again");
    }
    drop(server);
    disk.unmount();
    press.kept()
}

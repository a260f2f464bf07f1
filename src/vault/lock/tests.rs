//! What locks promise, with a clock that only moves when it is told to.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::vault::backend::location::Location;
use crate::vault::backend::{self, open_for_work};
use crate::vault::cancel::Cancel;
use crate::vault::config::Version;
use crate::vault::keys::{Maker, Password};
use crate::vault::testing::{Place, Restic, Served, Vault};

struct TestClock {
    now: Mutex<Timestamp>,
    /// How long somebody waited each time.
    waits: Mutex<Vec<Duration>>,
    /// What happens while somebody waits.
    meanwhile: Mutex<Box<dyn FnMut() + Send>>,
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    fn wait(&self, time: Duration) {
        self.waits.lock().unwrap().push(time);
        self.meanwhile.lock().unwrap()();
    }
}

impl TestClock {
    fn new() -> Arc<Self> {
        let now = Mutex::new("2024-05-06T07:08:09Z".parse().unwrap());
        Arc::new(Self { now, waits: Mutex::default(), meanwhile: Mutex::new(Box::new(|| {})) })
    }

    fn pass(&self, minutes: i64) {
        *self.now.lock().unwrap() += SignedDuration::from_mins(minutes);
    }

    fn meanwhile(&self, happens: impl FnMut() + Send + 'static) {
        *self.meanwhile.lock().unwrap() = Box::new(happens);
    }
}

fn options(clock: &Arc<TestClock>) -> Options {
    let holder = Maker { username: "ann".to_owned(), hostname: "db1".to_owned() };
    let look_every = Duration::from_hours(1);
    let terms = Terms { look_every, ..Terms::default() };
    Options { retry_for: Duration::ZERO, terms, clock: Arc::clone(clock) as Arc<dyn Clock>, holder }
}

fn take(vault: &Vault, mode: Mode, options: &Options) -> Result<Guard, Error> {
    Guard::take(&vault.repository, mode, options, &Cancel::default())
}

/// Somebody else's lock; `age` in minutes.
fn plant(vault: &Vault, clock: &TestClock, exclusive: bool, age: i64, (hostname, pid): (&str, u32)) -> Id {
    let time = clock.now() - SignedDuration::from_mins(age);
    let file = LockFile { time, exclusive, hostname: hostname.to_owned(), username: "bob".to_owned(), pid, uid: 7, gid: 7 };
    vault.repository.save_file(Kind::Lock, &file.to_bytes()).unwrap()
}

/// No process has this number: Linux ends below it.
const GONE: u32 = 1 << 23;

#[test]
fn many_share_and_one_excludes_all() {
    let (vault, clock) = (Vault::new(), TestClock::new());
    let options = options(&clock);
    let one = take(&vault, Mode::Shared, &options).unwrap();
    let two = take(&vault, Mode::Shared, &options).unwrap();
    assert_eq!(list(&vault.repository).unwrap().len(), 2);
    assert!(matches!(take(&vault, Mode::Exclusive, &options), Err(Error::Locked(_))));
    drop((one, two));
    assert!(vault.place.ids(Kind::Lock).is_empty(), "a guard that is dropped removes its lock");
    let alone = take(&vault, Mode::Exclusive, &options).unwrap();
    assert!(matches!(take(&vault, Mode::Exclusive, &options), Err(Error::Locked(_))));
    let Err(Error::Locked(who)) = take(&vault, Mode::Shared, &options) else { panic!("it was not refused") };
    let pid = std::process::id();
    assert_eq!(who, format!("process {pid} of ann on db1 (exclusively, since 2024-05-06T07:08:09Z)"));
    alone.release().unwrap();
    assert!(vault.place.ids(Kind::Lock).is_empty());
}

#[test]
fn of_two_that_come_at_once_at_least_one_gives_way() {
    for (mine, other, gives_way) in [(Mode::Shared, true, true), (Mode::Exclusive, false, true), (Mode::Shared, false, false)] {
        let (vault, clock) = (Arc::new(Vault::new()), TestClock::new());
        vault.place.list_late();
        let (late, at) = (Arc::clone(&vault), Arc::clone(&clock));
        clock.meanwhile(move || {
            plant(&late, &at, other, 0, ("db2", 1));
        });
        let taken = take(&vault, mine, &options(&clock));
        assert_eq!(matches!(taken, Err(Error::Locked(_))), gives_way, "{mine:?}");
        assert_eq!(vault.place.ids(Kind::Lock).len(), if gives_way { 1 } else { 2 }, "who gives way leaves no lock");
    }
}

#[test]
fn who_shares_waits_only_where_a_list_may_be_late_and_who_excludes_always() {
    for (is_late, mode, waits) in
        [(false, Mode::Shared, 0), (false, Mode::Exclusive, 1), (true, Mode::Shared, 1), (true, Mode::Exclusive, 1)]
    {
        let (vault, clock) = (Vault::new(), TestClock::new());
        if is_late {
            vault.place.list_late();
        }
        drop(take(&vault, mode, &options(&clock)).unwrap());
        assert_eq!(*clock.waits.lock().unwrap(), vec![Duration::from_millis(200); waits], "{mode:?}, late: {is_late}");
    }
}

/// So nobody needs to wait there, whoever comes when: this clock's waits take no time.
#[test]
fn a_folder_of_this_machine_is_listed_at_once_and_nobody_shares_there_what_another_one_has_alone() {
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    let location = Location::parse(folder.path().to_str().unwrap()).unwrap();
    let place = || open_for_work(&location, &backend::options::Options::default()).unwrap();
    assert!(place().lists_at_once());
    let password = Password::new("secret");
    Repository::init(place(), &password, Version::Two, Maker::default()).unwrap();
    let (clock, start) = (TestClock::new(), Barrier::new(2));
    let (holders, held) = (AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for mode in [Mode::Shared, Mode::Exclusive] {
            let (repository, options) = (Arc::new(Repository::open(place(), &password).unwrap()), options(&clock));
            let (start, holders, held) = (&start, &holders, &held);
            scope.spawn(move || {
                for _ in 0..300 {
                    start.wait();
                    let taken = Guard::take(&repository, mode, &options, &Cancel::default());
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

#[test]
fn of_a_server_that_does_not_say_so_nobody_knows_whether_it_lists_at_once() {
    let served = Served::start(Box::new(Place::default()));
    let place = open_for_work(&served.location(), &backend::options::Options::default()).unwrap();
    for _ in 0..2 {
        assert!(!place.lists_at_once());
        place.list(Kind::Lock).unwrap();
    }
}

#[test]
fn a_stale_lock_stops_nobody_and_whom_it_would_have_stopped_removes_it() {
    let own = std::process::id();
    for (age, holder, is_stale) in [
        (0, ("db2", GONE), false),
        (29, ("db2", GONE), false),
        (31, ("db2", GONE), true),
        (31, ("db1", own), true),
        (0, ("db1", own), false),
        (0, ("db1", GONE), true),
        (-9_999, ("db2", GONE), false),
    ] {
        let (vault, clock) = (Vault::new(), TestClock::new());
        let planted = plant(&vault, &clock, false, age, holder);
        let shared = take(&vault, Mode::Shared, &options(&clock)).unwrap();
        drop(shared);
        assert_eq!(vault.place.ids(Kind::Lock), [planted], "it was in nobody's way");
        let taken = take(&vault, Mode::Exclusive, &options(&clock));
        assert_eq!(taken.is_ok(), is_stale, "{age} {holder:?}");
        assert_eq!(vault.place.ids(Kind::Lock).contains(&planted), !is_stale);
        drop(taken);
    }
}

#[test]
fn garbage_locks_nobody_out_and_is_listed() {
    let (vault, clock) = (Vault::new(), TestClock::new());
    let sealed = vault.repository.save_file(Kind::Lock, b"no lock").unwrap();
    for bytes in [&b""[..], b"garbage", &vec![7; 1 << 20]] {
        vault.place.put(Name::Of(Kind::Lock, Id::of(bytes)), bytes.to_vec());
    }
    drop(take(&vault, Mode::Exclusive, &options(&clock)).unwrap());
    let found = list(&vault.repository).unwrap();
    assert_eq!(found.iter().filter(|found| matches!(found.lock, Err(Error::Damaged { .. }))).count(), 4);
    assert!(found.iter().any(|found| found.id == sealed));
    assert_eq!(unlock(&vault.repository, false, "db1", &*clock).unwrap(), []);
    assert_eq!(unlock(&vault.repository, true, "db1", &*clock).unwrap().len(), 4);
    assert!(vault.place.ids(Kind::Lock).is_empty());
}

#[test]
fn unlock_removes_stale_locks_alone_unless_told_to_remove_all() {
    let (vault, clock) = (Vault::new(), TestClock::new());
    let (stale, live) = (plant(&vault, &clock, true, 31, ("db2", 1)), plant(&vault, &clock, false, 1, ("db2", 1)));
    assert_eq!(unlock(&vault.repository, false, "db1", &*clock).unwrap(), [stale]);
    assert_eq!(unlock(&vault.repository, true, "db1", &*clock).unwrap(), [live]);
}

#[test]
fn who_may_wait_tries_again_until_the_other_is_gone() {
    let (vault, clock) = (Arc::new(Vault::new()), TestClock::new());
    let other = plant(&vault, &clock, true, 0, ("db2", 1));
    let place = vault.place.clone();
    let mut naps = 0;
    clock.meanwhile(move || {
        naps += 1;
        // In the third pause or the fourth: the first two are of 75 naps at most.
        if naps == 100 {
            place.remove_file(Name::Of(Kind::Lock, other));
        }
    });
    let waiting = Options { retry_for: Duration::from_mins(1), ..options(&clock) };
    drop(take(&vault, Mode::Shared, &waiting).unwrap());
    plant(&vault, &clock, true, 0, ("db2", 1));
    clock.meanwhile(|| {});
    assert!(matches!(take(&vault, Mode::Shared, &waiting), Err(Error::Locked(_))), "it does not wait for ever");
    let cancel = Cancel::default();
    cancel.raise();
    assert!(matches!(Guard::take(&vault.repository, Mode::Shared, &waiting, &cancel), Err(Error::Cancelled)));
}

/// They would meet again and again, each as long as its patience lasts, while nobody holds a lock.
#[test]
fn two_who_gave_way_to_each_other_do_not_come_back_at_once() {
    let (vault, clock) = (Vault::new(), TestClock::new());
    plant(&vault, &clock, true, 0, ("db2", 1));
    let waiting = Options { retry_for: Duration::from_mins(1), ..options(&clock) };
    let [one, other] = [(), ()].map(|()| {
        assert!(matches!(take(&vault, Mode::Shared, &waiting), Err(Error::Locked(_))));
        std::mem::take(&mut *clock.waits.lock().unwrap())
    });
    assert_eq!(
        [&one, &other].map(|waits| waits.iter().sum::<Duration>()),
        [Duration::from_mins(1); 2],
        "both have the patience they were asked for"
    );
    assert_ne!(one, other);
}

#[test]
fn a_place_that_refuses_locks_says_so() {
    let (vault, clock) = (Vault::new(), TestClock::new());
    vault.place.refuse_locks();
    assert!(matches!(take(&vault, Mode::Shared, &options(&clock)), Err(Error::Refused(_))));
}

#[test]
fn a_lock_is_written_anew_every_five_minutes() {
    let (vault, clock) = (Vault::new(), TestClock::new());
    let guard = take(&vault, Mode::Exclusive, &options(&clock)).unwrap();
    let first = guard.id();
    clock.pass(4);
    guard.confirm().unwrap();
    assert_eq!(guard.id(), first);
    clock.pass(1);
    guard.confirm().unwrap();
    assert_ne!(guard.id(), first);
    assert_eq!(vault.place.ids(Kind::Lock), [guard.id()], "the old one is removed");
    let found = list(&vault.repository).unwrap();
    assert_eq!(found[0].lock.as_ref().unwrap().time, clock.now());
}

#[test]
fn a_thread_keeps_the_lock_fresh() {
    let (vault, clock) = (Vault::new(), TestClock::new());
    let mut options = options(&clock);
    options.terms.look_every = Duration::from_millis(1);
    // The refresh is late, so it waits for the lock to settle: by that the test sees it.
    let (seen, sees): (Sender<()>, Receiver<()>) = channel();
    let guard = take(&vault, Mode::Shared, &options).unwrap();
    clock.meanwhile(move || seen.send(()).unwrap_or_default());
    clock.pass(25);
    sees.recv_timeout(Duration::from_mins(1)).unwrap();
    guard.confirm().unwrap();
    assert_eq!(vault.place.ids(Kind::Lock), [guard.id()]);
}

#[test]
fn a_lock_that_cannot_be_written_anew_in_time_stops_the_run() {
    let (vault, clock, cancel) = (Vault::new(), TestClock::new(), Cancel::default());
    let guard = Guard::take(&vault.repository, Mode::Exclusive, &options(&clock), &cancel).unwrap();
    vault.place.die_after(0, false);
    clock.pass(22);
    guard.confirm().unwrap();
    clock.pass(1);
    assert!(matches!(guard.confirm(), Err(Error::Cancelled)));
    assert!(cancel.is_raised() && guard.lost_because().unwrap().starts_with("it could not be written anew"));
}

#[test]
fn a_refresh_that_hangs_stops_the_run() {
    let (vault, clock, cancel) = (Vault::new(), TestClock::new(), Cancel::default());
    let mut options = options(&clock);
    options.terms = Terms { look_every: Duration::from_millis(1), lost_after: SignedDuration::ZERO, ..options.terms };
    let guard = Guard::take(&vault.repository, Mode::Exclusive, &options, &cancel).unwrap();
    while !cancel.is_raised() {
        std::thread::yield_now();
    }
    assert!(guard.lost_because().is_some());
}

#[test]
fn who_comes_back_from_a_long_sleep_goes_on_only_where_its_lock_was_not_removed() {
    for is_removed in [false, true] {
        let (vault, clock, cancel) = (Vault::new(), TestClock::new(), Cancel::default());
        let guard = Guard::take(&vault.repository, Mode::Shared, &options(&clock), &cancel).unwrap();
        clock.pass(600);
        if is_removed {
            // A prune that came by meanwhile, on another machine.
            let mut pruner = options(&clock);
            pruner.holder.hostname = "db2".to_owned();
            drop(take(&vault, Mode::Exclusive, &pruner).unwrap());
        }
        assert_eq!(guard.confirm().is_ok(), !is_removed);
        assert_eq!(cancel.is_raised(), is_removed);
        drop(guard);
        assert!(vault.place.ids(Kind::Lock).is_empty());
    }
}

#[test]
fn who_finds_its_lock_removed_by_force_stops() {
    let (vault, clock, cancel) = (Vault::new(), TestClock::new(), Cancel::default());
    let guard = Guard::take(&vault.repository, Mode::Shared, &options(&clock), &cancel).unwrap();
    clock.pass(6);
    unlock(&vault.repository, true, "db1", &*clock).unwrap();
    assert!(matches!(guard.confirm(), Err(Error::Cancelled)));
    assert_eq!(guard.lost_because().unwrap(), "somebody removed it");
    assert!(vault.place.ids(Kind::Lock).is_empty());
}

#[test]
fn who_is_overtaken_while_it_wakes_up_gives_way() {
    let (vault, clock, cancel) = (Vault::new(), TestClock::new(), Cancel::default());
    let guard = Guard::take(&vault.repository, Mode::Shared, &options(&clock), &cancel).unwrap();
    clock.pass(600);
    let (place, own) = (vault.place.clone(), guard.id());
    clock.meanwhile(move || place.remove_file(Name::Of(Kind::Lock, own)));
    assert!(matches!(guard.confirm(), Err(Error::Cancelled)));
    assert!(vault.place.ids(Kind::Lock).is_empty(), "what it wrote meanwhile is removed");
}

#[test]
fn restic_sees_our_locks_and_removes_stale_ones() {
    let Some(restic) = Restic::init(2) else { return };
    restic.write("file", b"content");
    let (vault, clock) = (Vault::load(&restic.repository(), Restic::PASSWORD), TestClock::new());
    *clock.now.lock().unwrap() = Timestamp::now();
    let guard = take(&vault, Mode::Exclusive, &options(&clock)).unwrap();
    vault.place.dump(&restic.repository());
    let refused = restic.run(&["backup", &restic.tree().display().to_string()]);
    let says = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && says.contains("locked exclusively by PID") && says.contains("on db1 by ann"), "{says}");
    drop(guard);
    plant(&vault, &clock, true, 31, ("db2", 1));
    vault.place.dump(&restic.repository());
    restic.ok(&["unlock"]);
    restic.backup();
}

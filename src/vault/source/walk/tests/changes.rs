//! Trees that are deep, large, or change during the walk.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::*;

/// Does something the first time that it is asked about a name.
struct Meanwhile<'a> {
    name: &'a str,
    act: &'a dyn Fn(),
    is_done: std::cell::Cell<bool>,
}

impl<'a> Meanwhile<'a> {
    const fn at(name: &'a str, act: &'a dyn Fn()) -> Self {
        Self { name, act, is_done: std::cell::Cell::new(false) }
    }
}

impl Select for Meanwhile<'_> {
    fn by_metadata(&self, found: &Found<'_>) -> Verdict {
        if found.path.ends_with(self.name) && !self.is_done.replace(true) {
            (self.act)();
        }
        Verdict::Take
    }
}

fn errno(errno: Errno) -> String {
    format!("{:?}", Some(errno.raw_os_error()))
}

#[test]
fn an_entry_that_goes_away_is_named_and_costs_itself() {
    let dir = tree(&["a", "b", "c", "d/f"]);
    let lines = inside(dir.path(), &Meanwhile::at("a", &|| fs::remove_file(dir.path().join("b")).unwrap()));
    assert_eq!(lines, ["a as a", &format!("b: stat {}", errno(Errno::NOENT)), "c as c", "d as d {", "d/f as f", "} d"]);
    let lines = inside(dir.path(), &Meanwhile::at("d", &|| fs::remove_dir_all(dir.path().join("d")).unwrap()));
    assert_eq!(lines, ["a as a", "c as c", &format!("d: open {}", errno(Errno::NOENT))]);
}

#[test]
fn a_folder_that_becomes_a_link_is_not_followed() {
    let dir = tree(&["d/f", "e", "secret/s"]);
    let swap = || {
        fs::rename(dir.path().join("d"), dir.path().join("moved")).unwrap();
        symlink("secret", dir.path().join("d")).unwrap();
    };
    let lines = inside(dir.path(), &Meanwhile::at("d", &swap));
    assert_eq!(lines[..2], [format!("d: open {}", errno(Errno::NOTDIR)), "e as e".to_owned()]);
}

#[test]
fn a_link_that_comes_in_place_of_a_folder_above_is_not_followed() {
    let dir = tree(&["d/e/f", "d/e/g", "secret/e/f"]);
    let swap = || {
        fs::rename(dir.path().join("d"), dir.path().join("zz")).unwrap();
        symlink("secret", dir.path().join("d")).unwrap();
    };
    let lines = inside(dir.path(), &Meanwhile::at("f", &swap));
    assert_eq!(lines[..4], ["d as d {", "d/e as e {", "d/e/f as f", "d/e/g as g"], "it goes on in the folder that it was in");
}

/// `a/a/a…`, so many deep, each with a file `f` and a file `z`, but only in the `files_below` first.
fn chain(top: &Path, depth: usize, files_below: usize) {
    let mut at: OwnedFd = rustix::fs::open(top, OFlags::PATH, Mode::empty()).unwrap();
    for level in 0..depth {
        for name in ["f", "z"].iter().filter(|_| level < files_below) {
            rustix::fs::openat(&at, *name, OFlags::CREATE | OFlags::WRONLY, Mode::RUSR).unwrap();
        }
        rustix::fs::mkdirat(&at, "a", Mode::RWXU).unwrap();
        at = rustix::fs::openat(&at, "a", OFlags::PATH, Mode::empty()).unwrap();
    }
}

/// From the deepest up: what comes with the standard library holds a descriptor for each level.
fn remove_chain(top: &Path, depth: usize) {
    let mut at: OwnedFd = rustix::fs::open(top, OFlags::PATH, Mode::empty()).unwrap();
    for _ in 0..depth {
        at = rustix::fs::openat(&at, "a", OFlags::PATH, Mode::empty()).unwrap();
    }
    for _ in 0..depth {
        at = rustix::fs::openat(&at, "..", OFlags::PATH, Mode::empty()).unwrap();
        for name in ["f", "z"] {
            // Most levels have none.
            let _ = rustix::fs::unlinkat(at.as_fd(), name, AtFlags::empty());
        }
        rustix::fs::unlinkat(at.as_fd(), "a", AtFlags::REMOVEDIR).unwrap();
    }
}

#[test]
fn a_tree_may_be_deeper_than_any_path_may_be_long() {
    const DEPTH: usize = 10_000;
    let dir = tempfile::tempdir().unwrap();
    chain(dir.path(), DEPTH, 3);
    let (mut entered, mut left, mut files, mut most_open) = (0, 0, 0, 0);
    let walk = Walk { select: &Everything, cancel: &Cancel::default(), with_atime: false };
    let opened_before = open_folders(dir.path());
    walk.run(&[dir.path().to_owned()], &mut |step| {
        match step {
            Step::Enter { .. } => entered += 1,
            Step::Leave { .. } => left += 1,
            Step::Entry(entry) => files += usize::from(entry.open().is_ok()),
            Step::Failed(failure) => panic!("{} {}", failure.doing, failure.why),
        }
        if entered % 1_000 == 999 {
            most_open = most_open.max(open_folders(dir.path()) - opened_before);
        }
        Ok(())
    })
    .unwrap();
    remove_chain(dir.path(), DEPTH);
    let above = dir.path().components().count() - 1;
    assert_eq!((entered, left, files), (DEPTH + above, DEPTH + above, 6));
    assert!((MOST_OPEN / 2..=MOST_OPEN + 4).contains(&most_open), "{most_open} folders were open");
}

/// How many descriptors of this process are folders at or below `top`.
fn open_folders(top: &Path) -> usize {
    let links = fs::read_dir("/proc/self/fd").unwrap().filter_map(|fd| fs::read_link(fd.unwrap().path()).ok());
    // A path that is too long to be told is one of a deep folder.
    links.filter(|path| path.starts_with(top)).count()
}

#[test]
fn a_folder_is_found_again_when_the_one_below_has_moved() {
    const DEPTH: usize = MOST_OPEN + 10;
    let dir = tempfile::tempdir().unwrap();
    chain(dir.path(), DEPTH, DEPTH);
    let path_to = |depth: usize| dir.path().join("a/".repeat(depth));
    let (deepest, from, to) = (path_to(DEPTH), path_to(5), dir.path().join("z-moved"));
    let lines = inside(dir.path(), &Meanwhile::at(deepest.to_str().unwrap(), &|| fs::rename(&from, &to).unwrap()));
    let names = |name: &str| lines.iter().filter(|line| line.ends_with(&format!(" as {name}"))).count();
    assert_eq!((names("f"), names("z")), (DEPTH, DEPTH), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("open")));
}

#[test]
fn a_folder_that_is_not_found_again_loses_the_rest_of_it_and_no_other() {
    const DEPTH: usize = MOST_OPEN + 10;
    let dir = tempfile::tempdir().unwrap();
    chain(dir.path(), DEPTH, DEPTH);
    let path_to = |depth: usize| dir.path().join("a/".repeat(depth));
    let move_both = || {
        fs::rename(path_to(5), dir.path().join("one")).unwrap();
        fs::rename(path_to(4), dir.path().join("other")).unwrap();
    };
    let deepest = path_to(DEPTH);
    let lines = inside(dir.path(), &Meanwhile::at(deepest.to_str().unwrap(), &move_both));
    let failed: Vec<_> = lines.iter().filter(|line| line.contains(": open")).collect();
    assert_eq!(failed, [&format!("{}: open {}", "a/a/a/a", errno(Errno::NOENT))]);
    let lost: Vec<_> = (0..DEPTH).filter(|depth| !lines.contains(&format!("{}z as z", "a/".repeat(*depth)))).collect();
    assert_eq!(lost, [4]);
    assert_eq!(lines.iter().filter(|line| line.ends_with('{')).count(), lines.iter().filter(|line| line.starts_with('}')).count());
}

#[test]
fn a_folder_that_cannot_be_read_is_kept_with_nothing_in_it() {
    use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
    let dir = tree(&["a/f", "b/f"]);
    let closed = dir.path().join("a");
    fs::set_permissions(&closed, std::os::unix::fs::PermissionsExt::from_mode(0o300)).unwrap();
    let lines = std::thread::scope(|scope| {
        let read = || {
            let mut sets = capabilities(None).unwrap();
            // Of this thread alone: even root asks for permission then.
            sets.effective.remove(CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH);
            set_capabilities(None, sets).unwrap();
            inside(dir.path(), &Everything)
        };
        scope.spawn(read).join().unwrap()
    });
    assert_eq!(lines, ["a as a {", &format!("a: open {}", errno(Errno::ACCESS)), "} a", "b as b {", "b/f as f", "} b"]);
}

/// Set in a process that has few descriptors.
const FEW: &str = "STRONGROOM_TEST_FEW_DESCRIPTORS";

#[test]
fn too_few_descriptors_cost_what_would_need_them() {
    let test = "too_few_descriptors_cost_what_would_need_them";
    if std::env::var_os(FEW).is_none() {
        let mut again = std::process::Command::new(std::env::current_exe().unwrap());
        let said = crate::vault::source::testing::output(again.args([test, "--nocapture", "--test-threads=1"]).env(FEW, "1"));
        assert!(said.contains("1 passed"), "{said}");
        return;
    }
    let dir = tree(&["a/b/c/d/f", "a/b/c/g", "z"]);
    // One for the folder of the source, one each for the source, `a` and `b`.
    let free = rustix::fs::open("/", OFlags::PATH, Mode::empty()).unwrap();
    let first_free = std::os::fd::AsRawFd::as_raw_fd(&free) as u64;
    drop(free);
    let limit = rustix::process::Rlimit { current: Some(first_free + 4), maximum: Some(1_024) };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
    let lines = inside(dir.path(), &Everything);
    let failed = format!("a/b/c: open {}", errno(Errno::MFILE));
    assert_eq!(lines, ["a as a {", "a/b as b {", "a/b/c as c {", &failed, "} c", "} b", "} a", "z as z"]);
}

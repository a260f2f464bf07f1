//! What the tests stand on: a real server in a folder of its own, real clients, a clock that tests move.

pub mod account;
pub mod aftermath;
pub mod agent;
pub mod answer;
pub mod browser;
pub mod busy_tree;
pub mod canary;
pub mod client;
pub mod clock;
pub mod curl;
pub mod disk;
pub mod engine;
pub mod estate;
pub mod false_clock;
pub mod figure;
pub mod fleet;
pub mod forged;
pub mod gate;
pub mod held;
pub mod loop_disk;
pub mod mail;
pub mod openapi;
pub mod postgres;
pub mod press;
pub mod proxy;
pub mod ran;
pub mod raw;
pub mod recorder;
pub mod replay;
pub mod repository;
pub mod restic;
pub mod runs;
pub mod seen;
pub mod server;
pub mod setup;
pub mod stage;
pub mod strace;
pub mod talk;
pub mod tls;
pub mod told;
pub mod tree;
pub mod user;
pub mod varied;
pub mod vault;
pub mod weak_disk;
pub mod workload;

use std::io::Write as _;
use std::time::{Duration, Instant};

/// Long enough for anything that happens at once, on a machine that is busy with other tests.
pub const SOON: Duration = Duration::from_secs(20);

/// Asks `probe` until it has an answer; panics with `what` when the deadline passes without one.
pub fn eventually<T>(what: &str, deadline: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = probe() {
            return answer;
        }
        assert!(began.elapsed() < deadline, "{what}: not within {deadline:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until `holds` is true; panics with `what` when the deadline passes.
pub fn wait_until(what: &str, deadline: Duration, mut holds: impl FnMut() -> bool) {
    eventually(what, deadline, || holds().then_some(()));
}

/// Raises its flag when dropped: threads that run until then end with a test that fails, too.
pub struct Raised<'a>(pub &'a std::sync::atomic::AtomicBool);

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

/// Says loudly that a test proved nothing. Fails where the tools were promised.
pub fn skip(why: &str) {
    assert!(std::env::var("STRONGROOM_TEST_TOOLS").as_deref() != Ok("required"), "a tool is missing: {why}");
    say(&format!("SKIPPED: {why}"));
}

/// Says loudly that a test proved nothing because it does what only root may. Root has to be able to.
pub fn skip_without_root(why: &str) {
    assert!(!rustix::process::geteuid().is_root(), "root cannot do what this test needs: {why}");
    say(&format!("SKIPPED: {why}"));
}

/// Whether this user may look into a server, which hides its memory and its descriptors from everybody else, its own user included.
pub fn may_look_inside() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        skip_without_root("only root looks into a running server");
    }
    is_root
}

/// Whether the long tests run, too.
pub fn is_nightly() -> bool {
    std::env::var("STRONGROOM_NIGHTLY").as_deref() == Ok("1")
}

/// Says loudly that a long test was left out.
pub fn skip_nightly(what: &str) {
    say(&format!("SKIPPED, because STRONGROOM_NIGHTLY is not 1: {what}"));
}

/// One line for whoever reads the test's output: a figure, a seed, a skip.
pub fn say(line: &str) {
    let mut out = std::io::stderr().lock();
    writeln!(out, "{line}").expect("standard error takes a line");
}

/// The first of `programs` that is installed.
pub fn program(programs: &[&str]) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    programs.iter().find_map(|program| folders.iter().map(|folder| folder.join(program)).find(|file| file.is_file()))
}

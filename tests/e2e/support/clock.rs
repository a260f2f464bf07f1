//! A clock that a test moves: a debug build of the server reads it from a file.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Stands still until it is moved. Begins now, with a boot an hour ago.
pub struct TestClock {
    folder: tempfile::TempDir,
    times: Mutex<Times>,
}

#[derive(Clone, Copy)]
struct Times {
    wall_micros: i64,
    boot_micros: i64,
}

pub const SECOND: Duration = Duration::from_secs(1);
pub const HOUR: Duration = Duration::from_secs(3600);
pub const DAY: Duration = Duration::from_secs(86_400);

impl TestClock {
    pub fn new() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the machine's clock is past 1970");
        // A whole second, so that the tests' sums of seconds are exact.
        Self::at(i64::try_from(since.as_secs()).expect("this century"))
    }

    /// Begins at that second since 1970.
    pub fn at(seconds: i64) -> Self {
        let wall_micros = seconds * 1_000_000;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let clock = Self { folder, times: Mutex::new(Times { wall_micros, boot_micros: 3_600_000_000 }) };
        clock.step(0, 0);
        clock
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("clock")
    }

    /// Wall and boot time go on together, as time passes.
    pub fn advance(&self, span: Duration) {
        let micros = micros(span);
        self.step(micros, micros);
    }

    /// The wall clock alone jumps ahead, as somebody's wrong setting does.
    pub fn jump_ahead(&self, span: Duration) {
        self.step(micros(span), 0);
    }

    /// The wall clock alone jumps back.
    pub fn jump_back(&self, span: Duration) {
        self.step(-micros(span), 0);
    }

    /// The wall clock's time, in UTC.
    pub fn time(&self) -> String {
        let micros = self.times.lock().expect("no test panics while it holds the clock").wall_micros;
        jiff::Timestamp::from_microsecond(micros).expect("a test's time fits").to_string()
    }

    fn step(&self, wall_micros: i64, boot_micros: i64) {
        let mut times = self.times.lock().expect("no test panics while it holds the clock");
        times.wall_micros += wall_micros;
        times.boot_micros += boot_micros;
        replace(&self.path(), &format!("{} {}", times.wall_micros, times.boot_micros));
    }
}

/// Writes by rename, so that a reader sees the old text or the new one.
fn replace(path: &Path, text: &str) {
    let next = path.with_extension("next");
    std::fs::write(&next, text).expect("the clock file is written");
    std::fs::rename(&next, path).expect("the clock file is replaced");
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).expect("a test's span fits")
}

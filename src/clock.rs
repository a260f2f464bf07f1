//! Wall time and boot time, from the system or from a test.
//!
//! Nothing else in the crate asks the operating system what time it is.

use crate::model::instant::Instant;

/// Where time comes from. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    /// A file with two decimal numbers, wall and boot time in microseconds, read at each question.
    #[cfg(debug_assertions)]
    File(std::path::PathBuf),
    #[cfg(test)]
    Test(std::sync::Arc<std::sync::Mutex<(i64, i64)>>),
}

impl Clock {
    /// The system's clock. A debug build follows the file that `STRONGROOM_TEST_CLOCK` names, where it is set.
    pub fn system() -> Self {
        #[cfg(debug_assertions)]
        if let Some(path) = std::env::var_os("STRONGROOM_TEST_CLOCK") {
            return Self(Source::File(path.into()));
        }
        Self(Source::System)
    }

    /// Whether this is the machine's clock: a test's stands for every clock there is, the database's too.
    pub const fn is_system(&self) -> bool {
        matches!(self.0, Source::System)
    }

    /// Wall time: may jump either way.
    pub fn wall(&self) -> Instant {
        match &self.0 {
            Source::System => system_wall(),
            #[cfg(debug_assertions)]
            Source::File(path) => Instant::from_micros(file_times(path).0),
            #[cfg(test)]
            Source::Test(times) => Instant::from_micros(times.lock().expect("no test panics while it holds the clock").0),
        }
    }

    /// Microseconds since boot, time asleep included: never goes back, and only a reboot starts it again.
    pub fn boot_micros(&self) -> i64 {
        match &self.0 {
            Source::System => system_boot(),
            #[cfg(debug_assertions)]
            Source::File(path) => file_times(path).1,
            #[cfg(test)]
            Source::Test(times) => times.lock().expect("no test panics while it holds the clock").1,
        }
    }

    /// Wall time and boot time of one instant, as far as a clock can be asked for both.
    pub fn both(&self) -> (Instant, i64) {
        match &self.0 {
            #[cfg(debug_assertions)]
            Source::File(path) => {
                let (wall, boot) = file_times(path);
                (Instant::from_micros(wall), boot)
            }
            _ => (self.wall(), self.boot_micros()),
        }
    }

    /// A name for the running boot: boot times of one name can be compared.
    pub fn boot_id(&self) -> String {
        match &self.0 {
            Source::System => std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned(),
            #[cfg(debug_assertions)]
            Source::File(_) => "test".to_owned(),
            #[cfg(test)]
            Source::Test(_) => "test".to_owned(),
        }
    }

    /// A clock that stands at `wall` until it is moved.
    #[cfg(test)]
    pub fn test(wall: Instant) -> Self {
        Self(Source::Test(std::sync::Arc::new(std::sync::Mutex::new((wall.micros(), 0)))))
    }

    /// Moves wall and boot time on together, as time passes.
    #[cfg(test)]
    pub fn advance(&self, span: std::time::Duration) {
        let micros = i64::try_from(span.as_micros()).expect("a test's span fits");
        self.step(micros, micros);
    }

    /// Moves the wall clock alone, as somebody's wrong setting does.
    #[cfg(test)]
    pub fn jump_wall(&self, micros: i64) {
        self.step(micros, 0);
    }

    #[cfg(test)]
    fn step(&self, wall_micros: i64, boot_micros: i64) {
        if let Source::Test(times) = &self.0 {
            let mut times = times.lock().expect("no test panics while it holds the clock");
            times.0 += wall_micros;
            times.1 += boot_micros;
        }
    }
}

fn system_wall() -> Instant {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Instant::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

fn system_boot() -> i64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    time.tv_sec * 1_000_000 + time.tv_nsec / 1_000
}

/// Wall and boot time in the file; a file that is being replaced is read again.
#[cfg(debug_assertions)]
fn file_times(path: &std::path::Path) -> (i64, i64) {
    loop {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let mut numbers = text.split_whitespace().map(str::parse::<i64>);
        if let (Some(Ok(wall)), Some(Ok(boot))) = (numbers.next(), numbers.next()) {
            return (wall, boot);
        }
    }
}

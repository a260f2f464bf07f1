//! `LOCK`: one exclusive user of a data directory.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{HomeError, failed};

/// A holder that has only just taken the lock has this long to write its name into it.
const NAMING_TIME: Duration = Duration::from_millis(500);

/// Takes the lock and names this process in it; or says who holds it, within a second.
pub(super) fn take(path: &Path) -> Result<File, HomeError> {
    let place = path.join("LOCK");
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&place);
    let mut file = open.map_err(|source| failed(&place, "opening it", source))?;
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::Error(source)) => return Err(failed(&place, "locking it", source)),
            Err(TryLockError::WouldBlock) => {}
        }
        let text = fs::read_to_string(&place).unwrap_or_default();
        // Whoever was killed while holding the lock left its name behind, until the next holder writes its own.
        let is_named = text.split_whitespace().nth(1).is_some_and(|pid| Path::new("/proc").join(pid).exists());
        if is_named || began.elapsed() > NAMING_TIME {
            let holder = if is_named { text.trim().to_owned() } else { "which does not say its name".to_owned() };
            return Err(HomeError::Held { path: path.display().to_string(), holder });
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let named = file.set_len(0).and_then(|()| writeln!(file, "process {}{}", std::process::id(), command()));
    named.map_err(|source| failed(&place, "writing it", source))?;
    Ok(file)
}

/// ` (strongroom serve)`: the words of the command without what may be secret in it.
fn command() -> String {
    let mut arguments = std::env::args_os();
    let Some(program) = arguments.next() else { return String::new() };
    let program = Path::new(&program).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let is_word = |word: &String| word.len() <= 12 && word.bytes().all(|byte| byte.is_ascii_lowercase());
    let words = arguments.map(|argument| argument.to_string_lossy().into_owned()).take_while(is_word).take(2);
    let line: Vec<String> = std::iter::once(program).chain(words).collect();
    format!(" ({})", line.join(" "))
}

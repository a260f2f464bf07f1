//! The folder itself: for its owner alone, and for one process at a time.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, RenameFlags, flock, renameat_with};
use rustix::io::Errno;

use super::file::sync_folder;
use super::{StateError, file};
use crate::model::instant::Instant;

const LOCK: &str = "agent.lock";
/// More folders of one day than anybody makes.
const MOST_OF_A_DAY: u32 = 10_000;

/// Makes a folder that only its owner can enter, with those above it; one that is there already is made so. Another user's is refused.
pub fn make(folder: &Path) -> Result<(), StateError> {
    let failed = |error| StateError::io(folder, error);
    if !folder.exists() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        sync_folder(&parent_of(folder)).map_err(failed)?;
    }
    secure(folder)
}

/// Sees that a folder is ours; where others can enter it, they cannot any more.
pub fn secure(folder: &Path) -> Result<(), StateError> {
    let failed = |error| StateError::io(folder, error);
    let found = std::fs::metadata(folder).map_err(failed)?;
    if !found.is_dir() {
        return Err(failed(ErrorKind::NotADirectory.into()));
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(StateError::Foreign(folder.to_owned()));
    }
    if found.mode() & 0o077 != 0 {
        tracing::warn!(folder = %folder.display(), mode = format!("{:o}", found.mode() & 0o7777), "others could enter the state folder");
        std::fs::set_permissions(folder, Permissions::from_mode(0o700)).map_err(failed)?;
    }
    Ok(())
}

/// Holds the folder for this process, for as long as the file is open.
pub fn lock(folder: &Path) -> Result<File, StateError> {
    let path = folder.join(LOCK);
    let failed = |error| StateError::io(&path, error);
    loop {
        let lock = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(failed)?;
        if !take(&lock).map_err(failed)? {
            return Err(StateError::Busy(path));
        }
        // The folder may have been moved away between the two calls; then this is the lock of another one.
        if is_at(&lock, &path).map_err(failed)? {
            return Ok(lock);
        }
    }
}

/// Whether it was had. Who only looks whether a process has the folder takes a shared lock for a moment, and does not count.
fn take(lock: &File) -> io::Result<bool> {
    while !try_lock(lock, FlockOperation::NonBlockingLockExclusive)? {
        if !try_lock(lock, FlockOperation::NonBlockingLockShared)? {
            return Ok(false);
        }
        flock(lock, FlockOperation::Unlock)?;
        std::thread::yield_now();
    }
    Ok(true)
}

fn try_lock(lock: &File, operation: FlockOperation) -> io::Result<bool> {
    match rustix::io::retry_on_intr(|| flock(lock, operation)) {
        Err(Errno::WOULDBLOCK) => Ok(false),
        done => Ok(done.map(|()| true)?),
    }
}

fn is_at(lock: &File, path: &Path) -> io::Result<bool> {
    let ours = lock.metadata()?;
    match std::fs::metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether a process holds the folder. Changes nothing, and is in nobody's way.
pub fn is_held(folder: &Path) -> Result<bool, StateError> {
    let path = folder.join(LOCK);
    match File::open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StateError::io(&path, error)),
        Ok(lock) => try_lock(&lock, FlockOperation::NonBlockingLockShared).map(|free| !free).map_err(|error| StateError::io(&path, error)),
    }
}

/// Gives a folder the name `NAME.DATE`, or `NAME.DATE.2` and so on where that is taken: what was there is never erased. Its new name.
pub fn move_aside(folder: &Path, today: Instant) -> Result<PathBuf, StateError> {
    let failed = |error| StateError::io(folder, error);
    for number in 1..MOST_OF_A_DAY {
        let mut name = folder.file_name().ok_or_else(|| failed(ErrorKind::InvalidInput.into()))?.to_owned();
        name.push(format!(".{}", &today.rfc3339()[.."2026-11-26".len()]));
        if number > 1 {
            name.push(format!(".{number}"));
        }
        let to = folder.with_file_name(name);
        match renameat_with(CWD, folder, CWD, &to, RenameFlags::NOREPLACE) {
            Err(Errno::EXIST | Errno::NOTEMPTY) => {}
            Err(errno) => return Err(failed(errno.into())),
            Ok(()) => {
                sync_folder(&parent_of(folder)).map_err(failed)?;
                return Ok(to);
            }
        }
    }
    Err(failed(ErrorKind::AlreadyExists.into()))
}

/// Removes what a process left behind that was cut off while it wrote.
pub fn tidy(folder: &Path) {
    if let Err(error) = file::remove_leftovers(folder) {
        tracing::warn!(folder = %folder.display(), %error, "the state folder cannot be tidied");
    }
}

fn parent_of(folder: &Path) -> PathBuf {
    folder.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).expect("it is there").mode() & 0o777
    }

    #[test]
    fn a_folder_that_others_can_enter_is_closed_to_them() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let folder = place.path().join("state/strongroom-agent");
        make(&folder).expect("it is made");
        assert_eq!((mode(&folder), mode(folder.parent().expect("a parent"))), (0o700, 0o700));
        std::fs::set_permissions(&folder, Permissions::from_mode(0o755)).expect("it is opened");
        make(&folder).expect("it is there");
        assert_eq!(mode(&folder), 0o700);
        std::fs::write(folder.join("file"), "").expect("a file is written");
        assert!(matches!(make(&folder.join("file")), Err(StateError::Io { .. })), "a file is no folder");
    }

    #[test]
    fn another_users_folder_is_refused() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let Ok(()) = std::os::unix::fs::chown(place.path(), Some(54321), None) else {
            skipped("only root can give a folder away");
            return;
        };
        let error = make(place.path()).expect_err("it is another user's");
        assert!(matches!(error, StateError::Foreign(_)), "{error}");
        assert!(error.to_string().contains(&place.path().display().to_string()), "{error}");
    }

    /// Says loudly that a test did not run.
    fn skipped(why: &str) {
        eprintln!("SKIPPED: {why}");
    }

    #[test]
    fn a_folder_is_held_once_and_free_after_its_holder() {
        let place = tempfile::tempdir().expect("a temporary folder");
        assert!(!is_held(place.path()).expect("nobody was ever here"));
        let held = lock(place.path()).expect("it is free");
        let error = lock(place.path()).map(drop).expect_err("it is held");
        assert!(matches!(&error, StateError::Busy(path) if path.ends_with("agent.lock")), "{error}");
        assert!(is_held(place.path()).expect("it is looked at"));
        drop(held);
        assert!(!is_held(place.path()).expect("it is looked at"));
        lock(place.path()).expect("it is free again");
    }

    #[test]
    fn who_only_looks_is_in_nobodys_way() {
        let place = tempfile::tempdir().expect("a temporary folder");
        drop(lock(place.path()).expect("it is free"));
        let looker = File::open(place.path().join(LOCK)).expect("it is there");
        flock(&looker, FlockOperation::NonBlockingLockShared).expect("nobody has it");
        std::thread::scope(|scope| {
            let holder = scope.spawn(|| lock(place.path()).map(drop));
            flock(&looker, FlockOperation::Unlock).expect("the look is over");
            holder.join().expect("it does not panic").expect("it waits for the looker");
        });
    }

    #[test]
    fn folders_that_were_moved_on_one_day_are_all_kept() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let folder = place.path().join("agent");
        let today = Instant::from_seconds(1_795_176_000);
        for expected in ["agent.2026-11-20", "agent.2026-11-20.2", "agent.2026-11-20.3"] {
            make(&folder).expect("it is made");
            let moved = move_aside(&folder, today).expect("it is moved");
            assert_eq!(moved, place.path().join(expected));
            assert!(moved.is_dir() && !folder.exists());
        }
    }
}

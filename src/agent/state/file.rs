//! Files of the state folder: each is whole, durable, and for its owner alone.

use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

use super::StateError;

/// Puts `bytes` under this name, in place of what was there. When this returns they are on stable storage, with mode 0600; a cut before
/// leaves what was there, and no half of the new.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), StateError> {
    put(path, bytes).map_err(|error| StateError::io(path, error))
}

fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut prefix = path.file_name().unwrap_or_default().to_owned();
    prefix.push(TEMPORARY);
    // Such files are made with mode 0600.
    let mut file = tempfile::Builder::new().prefix(&prefix).tempfile_in(parent_of(path))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(parent_of(path))
}

/// In the names of files that are being written. After a cut one may be left; nobody reads it.
const TEMPORARY: &str = ".new-";

/// What is there under this name, of at most `most` bytes; `None` where nothing is.
pub fn read(path: &Path, most: u64) -> Result<Option<Vec<u8>>, StateError> {
    let failed = |error| StateError::io(path, error);
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed)?,
    };
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(file, most + 1), &mut bytes).map_err(failed)?;
    if bytes.len() as u64 > most {
        return Err(StateError::Damaged { path: path.to_owned(), why: format!("it is longer than {most} bytes") });
    }
    Ok(Some(bytes))
}

/// Takes the name away durably; nothing happens where nothing has it.
pub fn remove(path: &Path) -> Result<(), StateError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(StateError::io(path, error)),
        Ok(()) => sync_folder(parent_of(path)).map_err(|error| StateError::io(path, error)),
    }
}

/// Gives a file another name durably, in place of what had it.
pub fn rename(from: &Path, to: &Path) -> Result<(), StateError> {
    std::fs::rename(from, to).and_then(|()| sync_folder(parent_of(to))).map_err(|error| StateError::io(from, error))
}

fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes changes of names in a folder durable. File systems that have no such call for folders are taken at their word.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        done => done,
    }
}

/// Removes what writers left behind that were cut off. Only whoever holds the folder may call this.
pub fn remove_leftovers(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().contains(TEMPORARY) && entry.file_type()?.is_file() {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("passphrase");
        std::fs::write(&path, "an old and longer one").expect("a file is written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("everybody may read it");
        replace(&path, b"new").expect("it is replaced");
        assert_eq!(read(&path, 3).expect("it is read").as_deref(), Some(&b"new"[..]));
        assert_eq!(std::fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is left beside it");
        assert!(matches!(read(&path, 2), Err(StateError::Damaged { .. })));
    }

    #[test]
    fn a_write_that_fails_leaves_what_was_there() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("taken");
        std::fs::create_dir_all(path.join("full")).expect("a folder is in the way");
        let error = replace(&path, b"new").expect_err("a folder is no file");
        assert!(error.to_string().contains("taken"), "{error}");
        assert!(path.join("full").is_dir());
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_a_cut_left_behind_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["journal.json", "journal.json.new-Ab3dEf", "passphrase.new"] {
            std::fs::write(folder.path().join(name), "bytes").expect("a file is written");
        }
        remove_leftovers(folder.path()).expect("the folder is read");
        let mut left: Vec<_> =
            std::fs::read_dir(folder.path()).expect("a folder").map(|entry| entry.expect("an entry").file_name()).collect();
        left.sort();
        assert_eq!(left, ["journal.json", "passphrase.new"]);
    }

    #[test]
    fn what_is_not_there_is_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("missing");
        assert!(read(&path, 10).expect("it is looked for").is_none());
        remove(&path).expect("there is nothing to do");
    }
}

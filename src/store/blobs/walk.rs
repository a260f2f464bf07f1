//! Everything published, as a stream: one open folder for each level, no list of names.

use rustix::fs::{AtFlags, Dir, FileType};
use rustix::io::Errno;

use super::fault::Doing as _;
use super::key::{self, KEY_BYTES};
use super::root::{CONTROL, Root, STAGING, open_folder};
use super::{BlobError, BlobKey, Found};

/// No key has more components: 32 segments, and 20 parts of one that is cut, and the account.
const MOST_LEVELS: usize = 64;

/// A folder being read, and its path with a `/` at the end; the root's is empty.
struct Level {
    folder: Dir,
    path: String,
}

/// Visits every blob that is there from beginning to end of the walk, once. Folders that vanish meanwhile are passed over, what cannot
/// be read is told and left behind.
/// Stops early, with Ok, when `visit` says `false`.
pub(super) fn walk(root: &Root, visit: &mut dyn FnMut(Found) -> bool) -> Result<(), BlobError> {
    let top = open_folder(&root.folder, ".").and_then(Dir::new).doing(|| "opening blobs/".to_owned())?;
    let mut levels = vec![Level { folder: top, path: String::new() }];
    while let Some(level) = levels.last_mut() {
        let entry = match level.folder.read() {
            None => {
                levels.pop();
                continue;
            }
            Some(Ok(entry)) => entry,
            Some(Err(errno)) => {
                let found = Found::Unreadable { path: level.path.clone(), why: errno.to_string() };
                levels.pop();
                if !visit(found) {
                    return Ok(());
                }
                continue;
            }
        };
        match look(level, &entry) {
            Look::Pass => {}
            Look::Found(found) => {
                if !visit(found) {
                    return Ok(());
                }
            }
            Look::Folder(below) if levels.len() < MOST_LEVELS => levels.push(below),
            Look::Folder(below) => {
                if !visit(Found::Foreign { path: below.path }) {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

enum Look {
    /// Nothing to tell.
    Pass,
    Found(Found),
    Folder(Level),
}

/// What one entry of a folder is.
fn look(level: &Level, entry: &rustix::fs::DirEntry) -> Look {
    let Ok(name) = entry.file_name().to_str() else {
        return foreign(format!("{}{}", level.path, entry.file_name().to_string_lossy()));
    };
    let at_root = level.path.is_empty();
    if matches!(name, "." | "..") || (at_root && matches!(name, STAGING | CONTROL)) {
        return Look::Pass;
    }
    let path = format!("{}{name}", level.path);
    let state = match level.folder.fd().and_then(|folder| rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)) {
        Ok(state) => state,
        Err(errno) => return unreadable(path, errno),
    };
    match FileType::from_raw_mode(state.st_mode) {
        FileType::Directory if path.len() < KEY_BYTES && is_our_folder(name, at_root) => enter(level, name, path),
        FileType::RegularFile => match BlobKey::parse(&path) {
            Some(key) => Look::Found(Found::Blob { key, size_bytes: u64::try_from(state.st_size).unwrap_or(0) }),
            None => foreign(path),
        },
        _ => foreign(path),
    }
}

fn is_our_folder(name: &str, at_root: bool) -> bool {
    if at_root { name.parse::<crate::model::access::AccountId>().is_ok() } else { key::may_be_folder(name) }
}

fn enter(level: &Level, name: &str, path: String) -> Look {
    let opened = level.folder.fd().and_then(|above| open_folder(above, name)).and_then(Dir::new);
    match opened {
        Ok(folder) => Look::Folder(Level { folder, path: format!("{path}/") }),
        Err(errno) => unreadable(path, errno),
    }
}

const fn foreign(path: String) -> Look {
    Look::Found(Found::Foreign { path })
}

/// What vanished meanwhile is nothing to tell.
fn unreadable(path: String, errno: Errno) -> Look {
    if errno == Errno::NOENT { Look::Pass } else { Look::Found(Found::Unreadable { path, why: errno.to_string() }) }
}

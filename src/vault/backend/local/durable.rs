//! Changes of folders that outlive a power cut.

use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::modes::Modes;

/// Makes folders and those above them where they are missing, each in its parent durably before the call returns; one sync for each
/// parent that was changed. Everything that is there already is left as it is.
pub fn make_folders(folders: impl Iterator<Item = PathBuf>, modes: &Modes) -> Result<(), (PathBuf, io::Error)> {
    let mut changed: Vec<PathBuf> = Vec::new();
    for folder in folders {
        make_folder(&folder, modes, &mut changed)?;
    }
    for parent in changed {
        sync_folder(&parent).map_err(|error| (parent, error))?;
    }
    Ok(())
}

fn make_folder(folder: &Path, modes: &Modes, changed: &mut Vec<PathBuf>) -> Result<(), (PathBuf, io::Error)> {
    let failed = |error| (folder.to_owned(), error);
    let parent = parent_of(folder);
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound && parent != folder => {
            make_folder(parent, modes, changed)?;
            return make_folder(folder, modes, changed);
        }
        Err(error) => return Err(failed(error)),
    }
    if modes.folder != 0o700 {
        std::fs::set_permissions(folder, Permissions::from_mode(modes.folder)).map_err(failed)?;
    }
    if !changed.iter().any(|known| known == parent) {
        changed.push(parent.to_owned());
    }
    Ok(())
}

/// The folder that holds `path`; the working directory where none is named.
pub fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => path,
    }
}

pub fn sync_folder_of(path: &Path) -> io::Result<()> {
    sync_folder(parent_of(path))
}

/// File systems that have no such call for folders are taken at their word.
fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        Err(error) if [Errno::INVAL, Errno::NOTSUP].map(|errno| Some(errno.raw_os_error())).contains(&error.raw_os_error()) => Ok(()),
        done => done,
    }
}

//! Storing a file under its name: whole, durable, and without replacing other bytes.

use std::fs::{File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use tempfile::{NamedTempFile, TempPath};

use super::direct;
use super::durable::{make_folders, parent_of, sync_folder_of};
use super::error::failed;
use super::modes::Modes;
use super::nameless::{self, Put};
use super::read;
use crate::vault::backend::Name;
use crate::vault::error::Error;
use crate::vault::id::Id;

/// `nameless` says whether files without a name are tried first; it is unset where there are none.
pub fn save(path: &Path, name: Name, bytes: &[u8], modes: &Modes, nameless: &AtomicBool) -> Result<(), Error> {
    if look(path, name, bytes)? == Found::Same {
        return Ok(());
    }
    if nameless.load(Ordering::Relaxed) {
        match nameless::put(path, bytes, modes).map_err(|error| failed("writing", name, error))? {
            Put::Done => return sync(path, name),
            Put::Unsupported => nameless.store(false, Ordering::Relaxed),
            // To replace what is there takes a name of its own.
            Put::Taken => {}
        }
    }
    let written = write(path, bytes, modes).map_err(|error| failed("writing", name, error))?;
    let written = match put(written, path) {
        Ok(()) => return sync(path, name),
        Err((error, written)) if error.kind() == ErrorKind::AlreadyExists => written,
        Err((error, _)) => return Err(failed("writing", name, error)),
    };
    // It was there, or somebody else was faster.
    let done = match look(path, name, bytes)? {
        Found::Same => return Ok(()),
        Found::Nothing => put(written, path).map_err(|(error, _)| error),
        // The name says what must be there, so no good byte is lost.
        Found::Damaged => written.persist(path).map_err(|error| error.error),
    };
    done.map_err(|error| failed("writing", name, error))?;
    sync(path, name)
}

fn sync(path: &Path, name: Name) -> Result<(), Error> {
    sync_folder_of(path).map_err(|error| failed("writing", name, error))
}

#[derive(PartialEq, Eq)]
enum Found {
    Nothing,
    /// And it is on stable storage.
    Same,
    /// Not what its name says, and the new bytes are.
    Damaged,
}

/// What is there under the name. An error where it is neither the same nor may be replaced.
fn look(path: &Path, name: Name, bytes: &[u8]) -> Result<Found, Error> {
    let (file, size_bytes) = match read::open(path, name) {
        Ok(found) => found,
        Err(Error::NotFound(_)) => return Ok(Found::Nothing),
        Err(error) => return Err(error),
    };
    if size_bytes == bytes.len() as u64 && read::read(path, name, None, &Arc::default()).is_ok_and(|there| there == bytes) {
        // Who wrote it may have been stopped before it was durable.
        file.sync_all().map_err(|error| failed("writing", name, error))?;
        sync(path, name)?;
        return Ok(Found::Same);
    }
    match name {
        Name::Of(_, id) if Id::of(bytes) == id => Ok(Found::Damaged),
        Name::Of(..) => Err(Error::Refused(format!("these bytes are not {name}, and others are there"))),
        Name::Config => Err(Error::Refused("another config is there".to_owned())),
    }
}

/// A durable file beside `path`, under a temporary name as `restic` gives, which goes when it is dropped.
fn write(path: &Path, bytes: &[u8], modes: &Modes) -> io::Result<TempPath> {
    let file = in_its_folder(path, modes, || temporary(path))?;
    fill(file.as_file(), bytes, modes)?;
    Ok(file.into_temp_path())
}

/// What `open` gives, for which the folder is made where it is missing.
pub(super) fn in_its_folder<T>(path: &Path, modes: &Modes, open: impl Fn() -> io::Result<T>) -> io::Result<T> {
    open().or_else(|error| {
        if error.kind() != ErrorKind::NotFound || parent_of(path).is_dir() {
            return Err(error);
        }
        make_folders(std::iter::once(parent_of(path).to_owned()), modes).map_err(|(_, error)| error)?;
        open()
    })
}

/// All of it, on stable storage.
pub(super) fn fill(file: &File, bytes: &[u8], modes: &Modes) -> io::Result<()> {
    direct::write_all(file, bytes)?;
    make_read_only(file, modes)?;
    file.sync_all()
}

fn temporary(path: &Path) -> io::Result<NamedTempFile> {
    let mut prefix = path.file_name().unwrap_or_default().to_owned();
    prefix.push("-tmp-");
    tempfile::Builder::new().prefix(&prefix).tempfile_in(parent_of(path))
}

/// As far as the file system has permissions at all.
fn make_read_only(file: &File, modes: &Modes) -> io::Result<()> {
    match file.set_permissions(Permissions::from_mode(modes.file)) {
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::Unsupported) => Ok(()),
        done => done,
    }
}

/// Gives the file its name where nothing has that name; else `AlreadyExists`, and the file back.
fn put(written: TempPath, path: &Path) -> Result<(), (io::Error, TempPath)> {
    let done = match renameat_with(CWD, &*written, CWD, path, RenameFlags::NOREPLACE) {
        // A file system that cannot do it: NFS, some of FUSE.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => match rustix::fs::link(&*written, path) {
            Ok(()) => return Ok(()),
            // One without links, as exFAT: nothing better is to be had there.
            Err(Errno::PERM | Errno::NOTSUP | Errno::NOSYS) if !path.exists() => rustix::fs::rename(&*written, path),
            Err(errno) => Err(errno),
        },
        done => done,
    };
    match done {
        Ok(()) => {
            // Nothing is left under the temporary name, and nothing is to be removed there later.
            drop(written.keep());
            Ok(())
        }
        Err(error) => Err((error.into(), written)),
    }
}

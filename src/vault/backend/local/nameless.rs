//! Storing a file that has no name until it is whole and durable: whoever is killed meanwhile leaves nothing behind.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

use super::durable::parent_of;
use super::modes::Modes;
use super::save::{fill, in_its_folder};
use crate::vault::nameless;

/// What became of it.
#[derive(PartialEq, Eq, Debug)]
pub enum Put {
    /// It is durable under its name, once the folder is.
    Done,
    /// Something has the name, and stays.
    Taken,
    /// There are no such files here, or no way to name one.
    Unsupported,
}

/// An error is one of writing or syncing; then nothing is left of it.
pub fn put(path: &Path, bytes: &[u8], modes: &Modes) -> io::Result<Put> {
    let open = || Ok(openat(CWD, parent_of(path), nameless::OPEN | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR)?);
    // What is wrong with the folder, the other way says better.
    let Ok(file) = in_its_folder(path, modes, open) else { return Ok(Put::Unsupported) };
    let file = File::from(file);
    fill(&file, bytes, modes)?;
    match nameless::link(&file, CWD, path) {
        Ok(()) => Ok(Put::Done),
        Err(Errno::EXIST) => Ok(Put::Taken),
        Err(_) => Ok(Put::Unsupported),
    }
}

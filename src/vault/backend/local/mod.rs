//! A repository in a folder, laid out as `restic` does it: `config`, `keys/`, `locks/`, `snapshots/`, `index/`, and `data/` with one
//! sub-folder for each first byte of an id.
//!
//! A file appears under its name whole or not at all, and is on stable storage when `save` returns: it is filled without a name, fsync,
//! a link that replaces nothing, fsync of the folder. Where the file system has no such files, and where a damaged file is replaced, it is
//! filled under a temporary name and renamed. An fsync that failed is an error and is never repeated, since the next one would tell of
//! success without it.

mod direct;
mod durable;
mod error;
mod file_system;
mod list;
mod modes;
mod nameless;
mod read;
mod save;
#[cfg(test)]
mod system_calls;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;

use super::content::Content;
use super::{Backend, Kind, Listed, Name};
use crate::vault::error::Error;
use crate::vault::room::Home;

use error::failed;
use modes::Modes;

/// The folder of one repository.
pub struct Local {
    folder: PathBuf,
    modes: Modes,
    /// Whether files without a name are tried first.
    nameless: AtomicBool,
    /// Memory of what is read of packs.
    home: Arc<Home>,
}

const KINDS: [Kind; 5] = [Kind::Data, Kind::Key, Kind::Lock, Kind::Snapshot, Kind::Index];

impl Local {
    /// Whether something is there is not looked at.
    pub fn new(folder: &Path) -> Self {
        let modes = Modes::of(&folder.join("config"));
        Self { folder: folder.to_owned(), modes, nameless: AtomicBool::new(true), home: Arc::default() }
    }

    fn path(&self, name: Name) -> PathBuf {
        match name {
            Name::Config => self.folder.join("config"),
            Name::Of(Kind::Data, id) => {
                let hex = id.hex();
                self.folder.join("data").join(&hex[..2]).join(hex)
            }
            Name::Of(kind, id) => self.folder.join(kind.folder()).join(id.hex()),
        }
    }
}

impl Backend for Local {
    fn location(&self) -> String {
        self.folder.display().to_string()
    }

    fn create(&self) -> Result<(), Error> {
        let data = self.folder.join("data");
        let sub_folders = (0..=u8::MAX).map(|first| data.join(format!("{first:02x}")));
        let folders = KINDS.iter().map(|kind| self.folder.join(kind.folder())).chain(sub_folders);
        durable::make_folders(folders, &self.modes).map_err(|(path, source)| failed("making", path.display(), source))
    }

    fn list(&self, kind: Kind) -> Result<Vec<Listed>, Error> {
        list::list(&self.folder.join(kind.folder()), kind)
    }

    fn size_bytes(&self, name: Name) -> Result<u64, Error> {
        read::open(&self.path(name), name).map(|(_, size_bytes)| size_bytes)
    }

    fn read(&self, name: Name, range: Option<Range<u64>>) -> Result<Content, Error> {
        read::read(&self.path(name), name, range, &self.home)
    }

    fn save(&self, name: Name, bytes: Bytes) -> Result<(), Error> {
        save::save(&self.path(name), name, &bytes, &self.modes, &self.nameless)?;
        tracing::debug!(%name, bytes = bytes.len(), "stored");
        Ok(())
    }

    fn remove(&self, name: Name) -> Result<(), Error> {
        let path = self.path(name);
        match std::fs::remove_file(&path) {
            Ok(()) => tracing::debug!(%name, "removed"),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed("removing", name, error)),
        }
        // Also where it was not there: an earlier removal may not be durable yet.
        match durable::sync_folder_of(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            done => done.map_err(|error| failed("removing", name, error)),
        }
    }

    /// readdir(3) gives every name that was there when it began, to those on the same machine.
    fn lists_at_once(&self) -> bool {
        file_system::is_of_one_machine(&self.folder)
    }
}

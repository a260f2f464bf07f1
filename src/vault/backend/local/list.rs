//! What is in a folder of the repository. Names that are no id, as those of unfinished files, and everything but files are left out.

use std::fs::DirEntry;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::error::failed;
use crate::vault::backend::{Kind, Listed};
use crate::vault::error::Error;
use crate::vault::id::Id;

pub fn list(folder: &Path, kind: Kind) -> Result<Vec<Listed>, Error> {
    let failed = |error| failed("listing", kind.folder(), error);
    let mut found = Vec::new();
    if kind == Kind::Data {
        for sub_folder in sub_folders(folder).map_err(failed)? {
            read_folder(&sub_folder, &mut found).map_err(failed)?;
        }
    } else {
        read_folder(folder, &mut found).map_err(failed)?;
    }
    if kind == Kind::Key {
        found.sort_by_key(|&(written, listed)| (written, listed.id));
    }
    Ok(found.into_iter().map(|(_, listed)| listed).collect())
}

/// Those of `data/`, in order.
fn sub_folders(data: &Path) -> io::Result<Vec<PathBuf>> {
    let is_one = |entry: &DirEntry| {
        let name = entry.file_name();
        let digits = name.as_encoded_bytes();
        digits.len() == 2 && data_encoding::HEXLOWER.decode(digits).is_ok()
    };
    let mut found: Vec<PathBuf> = entries(data)?.iter().filter(|entry| is_one(entry)).map(DirEntry::path).collect();
    found.sort();
    Ok(found.into_iter().filter(|path| path.is_dir()).collect())
}

/// With the time at which each was written.
fn read_folder(folder: &Path, found: &mut Vec<(SystemTime, Listed)>) -> io::Result<()> {
    for entry in entries(folder)? {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<Id>().ok()) else { continue };
        let about = match std::fs::metadata(entry.path()) {
            Ok(about) => about,
            // Removed meanwhile by another client.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if about.is_file() {
            found.push((about.modified()?, Listed { id, size_bytes: about.len() }));
        }
    }
    Ok(())
}

/// A folder that is not there is empty.
fn entries(folder: &Path) -> io::Result<Vec<DirEntry>> {
    match std::fs::read_dir(folder) {
        Ok(entries) => entries.collect(),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

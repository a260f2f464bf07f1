//! The small copies under `.control/`: whole or absent, durable when stored.

use std::io::Read as _;
use std::sync::Arc;

use rustix::fs::{Dir, OFlags};

use super::BlobError;
use super::fault::Doing as _;
use super::root::{CONTROL, Root, open_file, open_folder, sync, unlink};
use super::staging::StagingFile;
use crate::fault_point;

/// The longest name of a copy.
const NAME_BYTES: usize = 229;

pub(super) fn put(root: &Arc<Root>, name: &str, bytes: &[u8]) -> Result<(), BlobError> {
    check_name(name)?;
    let mut staged = StagingFile::create(root)?;
    staged.append(bytes)?;
    staged.sync()?;
    fault_point::pass("copy-synced");
    rustix::fs::renameat(&root.staging, &staged.name, &root.control, name).doing(|| format!("storing {CONTROL}/{name}"))?;
    staged.moved = true;
    fault_point::pass("copy-named");
    sync(&root.control, CONTROL)
}

pub(super) fn get(root: &Root, name: &str) -> Result<Vec<u8>, BlobError> {
    check_name(name)?;
    let mut bytes = Vec::new();
    let (mut file, _) = open_file(&root.control, name, OFlags::empty())?;
    file.read_to_end(&mut bytes).doing(|| format!("reading {CONTROL}/{name}"))?;
    Ok(bytes)
}

/// Names of all copies, sorted; what could not be one is passed over.
pub(super) fn list(root: &Root) -> Result<Vec<String>, BlobError> {
    let folder = open_folder(&root.control, ".").and_then(Dir::new).doing(|| format!("opening {CONTROL}"))?;
    let mut names = Vec::new();
    for entry in folder {
        let entry = entry.doing(|| format!("reading {CONTROL}"))?;
        if let Ok(name) = entry.file_name().to_str()
            && check_name(name).is_ok()
        {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

pub(super) fn remove(root: &Root, name: &str) -> Result<(), BlobError> {
    check_name(name)?;
    unlink(&root.control, name)?;
    sync(&root.control, CONTROL)
}

/// A copy's name is one component that hides nothing and climbs nowhere.
pub(super) fn check_name(name: &str) -> Result<(), BlobError> {
    let fits = !name.is_empty() && name.len() <= NAME_BYTES && !name.starts_with('.') && !name.contains(['/', '\0']);
    if fits { Ok(()) } else { Err(BlobError::refused(format!("using {name:?} as the name of a copy"), "it is no plain file name")) }
}

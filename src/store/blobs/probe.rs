//! One look at what a file system can do, before anybody's backup depends on it.

use std::sync::Arc;

use rustix::io::Errno;

use super::fault::Doing as _;
use super::key::COMPONENT_BYTES;
use super::publish::rename_new;
use super::root::{Root, STAGING, sync, unlink};
use super::staging::{self, StagingFile};
use super::{BlobError, BlobFault};
use crate::model::stored_file::BlobId;

/// What the names of a probe begin with.
const PREFIX: &str = "probe-";

/// Names that a file system may take for one another: by case, or by the way an accent is written.
const TWINS: [&str; 4] = ["-name", "-Name", "-\u{e9}", "-e\u{301}"];

/// Letters that some file systems change or refuse.
const ODD_LETTERS: &str = "\\:*?\"<>| ~\u{e9} .";

const DOING: &str = "probing the file system";

/// Refuses, in words, a file system on which keys would not be what we wrote. A full one cannot be asked, and must open all the
/// same: expiry is what makes room on it.
pub(super) fn probe(root: &Arc<Root>) -> Result<(), BlobError> {
    staging::clear(root, PREFIX)?;
    loop {
        match try_names(root).and_then(|()| try_publishing(root)) {
            Err(error) if staging::was_cleared(&error) => {}
            Err(error) if error.fault == BlobFault::Full => return Ok(()),
            outcome => return outcome,
        }
    }
}

/// Each name is a file of its own, found again under that very name.
fn try_names(root: &Arc<Root>) -> Result<(), BlobError> {
    let stem = format!("{PREFIX}{}", BlobId::random());
    let plain = StagingFile::create_named(root, stem.clone()).map_err(unfit("it cannot create and lock a file"))?;
    let mut made = vec![plain];
    for end in TWINS {
        let twin = StagingFile::create_named(root, format!("{stem}{end}"));
        made.push(twin.map_err(unfit("it takes names that differ only in case or accent for one"))?);
    }
    let filling = "x".repeat(COMPONENT_BYTES - stem.len() - ODD_LETTERS.len());
    let longest = StagingFile::create_named(root, format!("{stem}{filling}{ODD_LETTERS}"));
    made.push(longest.map_err(unfit("it refuses a name of 229 bytes, or unusual letters in it"))?);
    let listed = staging::names(root)?;
    if made.iter().all(|file| listed.contains(&file.name)) {
        return Ok(());
    }
    Err(unfit("it changes names")(BlobError::refused(DOING, "a name that was made is not listed")))
}

/// A file and its folder can be synced, and a name can be given that replaces nothing.
fn try_publishing(root: &Arc<Root>) -> Result<(), BlobError> {
    const NO_NEW_NAME: &str = "it has neither renameat2 without replacing nor hard links";
    let stem = format!("{PREFIX}{}", BlobId::random());
    let held = StagingFile::create_named(root, format!("{stem}-held"))?;
    let mut moving = StagingFile::create_named(root, format!("{stem}-moving"))?;
    moving.sync().map_err(unfit("it cannot sync a file"))?;
    match rename_new(&root.staging, &moving.name, &root.staging, &held.name) {
        Err(Errno::EXIST) => {}
        Err(errno) => return Err(unfit(NO_NEW_NAME)(BlobError::new(DOING, errno))),
        Ok(()) => return Err(unfit("it replaces files unasked")(BlobError::refused(DOING, "one file took another's name"))),
    }
    let new = format!("{stem}-moved");
    rename_new(&root.staging, &moving.name, &root.staging, &new).doing(|| DOING.to_owned()).map_err(unfit(NO_NEW_NAME))?;
    moving.name = new;
    sync(&root.staging, STAGING).map_err(unfit("it cannot sync a folder"))?;
    unlink(&root.staging, &moving.name).map_err(unfit("it cannot remove a file"))
}

/// Puts the file system's shortcoming into words, unless the error is about something that may pass.
fn unfit(why: &str) -> impl FnOnce(BlobError) -> BlobError {
    move |error| match error.fault {
        BlobFault::Failed if !staging::was_cleared(&error) => {
            BlobError::refused(DOING, format!("this file system cannot keep backups: {why} ({}: {})", error.doing, error.source))
        }
        _ => error,
    }
}

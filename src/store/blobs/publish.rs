//! The only door from `.staging/` to a key: create-only, and durable when it returns.
//!
//! The order is the promise. The bytes were synced by the caller; then the folders are made, the name is given in one step that
//! never replaces, the folder is synced, and after it each folder above that this process has not made durable yet.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, RenameFlags};
use rustix::io::Errno;

use super::BlobError;
use super::fault::Doing as _;
use super::folders::Moment;
use super::root::{Root, make_folder, open_folder, sync};
use super::staging::StagingFile;
use crate::fault_point;

/// How often publishing begins again at mkdir because a removal took a folder away. Each time, a whole removal came between.
const MOST_TRIES: u32 = 1_000;

/// Gives the staged bytes, which are synced, the name `path` below `blobs/`.
pub(super) fn publish(staged: &mut StagingFile, path: &str) -> Result<(), BlobError> {
    let (folder, last) = split(path);
    let root = std::sync::Arc::clone(&staged.root);
    // The mistake that the rows of the weakest disk must find: to believe that whoever made a folder has synced it.
    fail::fail_point!("foreign-folders", open_folder(&root.folder, folder).is_ok(), |_| sync(
        give_name(&root, staged, folder, last)?,
        folder
    ));
    let began = root.durable.now();
    let opened = give_name(&root, staged, folder, last)?;
    sync(&opened, folder)?;
    fault_point::pass("folder-synced");
    make_reachable(&root, folder, began)
}

/// Folder and last component of a key.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').expect("a key begins with its account's folder")
}

/// Syncs each folder above `folder` that this process has not made durable since `began`; `folder` is synced, and holds a blob.
pub(super) fn make_reachable(root: &Root, folder: &str, began: Moment) -> Result<(), BlobError> {
    // The folder holds a blob: no removal can take it away while it is looked up.
    let mut fresh = Vec::new();
    let mut child = folder;
    while !root.durable.holds(child) {
        fresh.push(child);
        let Some((above, _)) = child.rsplit_once('/') else {
            sync(&root.folder, "blobs/")?;
            break;
        };
        let opened = open_folder(&root.folder, above).doing(|| format!("opening the folder {above}"))?;
        sync(&opened, above)?;
        child = above;
    }
    root.durable.add(&fresh, began);
    Ok(())
}

/// Moves the staging file into its folder and returns the folder, which was opened before the move: whatever fails to be written
/// of it from then on is reported by the sync of this very descriptor.
pub(super) fn give_name(root: &Root, staged: &mut StagingFile, folder: &str, last: &str) -> Result<OwnedFd, BlobError> {
    for _ in 0..MOST_TRIES {
        let opened = match open_folder(&root.folder, folder) {
            Err(Errno::NOENT) => {
                make_folders(root, folder)?;
                fault_point::pass("folders-made");
                continue;
            }
            opened => opened.doing(|| format!("opening the folder {folder}"))?,
        };
        match rename_new(&root.staging, &staged.name, &opened, last) {
            Ok(()) => {
                staged.moved = true;
                fault_point::pass("published");
                return Ok(opened);
            }
            Err(Errno::NOENT) if staged.is_linked()? => {}
            Err(Errno::NOENT) => return Err(BlobError::refused(format!("publishing {folder}/{last}"), "its staging file was taken away")),
            Err(errno) => return Err(BlobError::new(format!("publishing {folder}/{last}"), errno)),
        }
    }
    Err(BlobError::refused(format!("publishing {folder}/{last}"), "its folder was removed again and again"))
}

/// Gives a file another name, which must be new: in one step, or by a second link where the file system knows no such step.
pub(super) fn rename_new(from: impl AsFd, old: &str, to: impl AsFd, new: &str) -> Result<(), Errno> {
    match rustix::fs::renameat_with(&from, old, &to, new, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            rustix::fs::linkat(&from, old, to, new, AtFlags::empty())?;
            // The file has its name. A second one that stays behind in staging is cleared later, without harm to the first.
            let _ = rustix::fs::unlinkat(from, old, AtFlags::empty());
            Ok(())
        }
        outcome => outcome,
    }
}

/// Makes each folder on the way that is missing. One that is removed meanwhile is no error here: opening tells.
fn make_folders(root: &Root, folder: &str) -> Result<(), BlobError> {
    let ends = folder.match_indices('/').map(|(at, _)| at).chain([folder.len()]);
    for end in ends {
        match make_folder(&root.folder, &folder[..end]) {
            Err(error) if error.fault == super::BlobFault::NotFound => return Ok(()),
            outcome => outcome?,
        }
    }
    Ok(())
}

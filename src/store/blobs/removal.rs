//! Taking blobs away, and with them the folders that became empty, durably.

use std::collections::BTreeMap;

use rustix::fs::AtFlags;
use rustix::io::Errno;

use super::BlobError;
use super::root::{Root, open_folder, sync, unlink};
use crate::fault_point;

/// Removes the paths and every folder above them that is empty then, the account's too, and syncs the folders that stay, each once:
/// the only ones whose entries changed. What is gone already is synced all the same, since an earlier call may have failed between
/// the two. One outcome for each path.
pub(super) fn remove(root: &Root, paths: &[String]) -> Vec<Result<(), BlobError>> {
    let unlinked: Vec<Result<(), BlobError>> = paths.iter().map(|path| unlink(&root.folder, path)).collect();
    fault_point::pass("unlinked");
    let mut emptied = BTreeMap::new();
    for (path, _) in paths.iter().zip(&unlinked).filter(|(_, unlinked)| unlinked.is_ok()) {
        let folder = above(path);
        emptied.entry(folder).or_insert_with(|| remove_empty_folders(root, folder));
    }
    // Only now, when every folder that goes is gone.
    let mut synced = BTreeMap::new();
    for stays in emptied.values().filter_map(|stays| stays.as_ref().ok()) {
        synced.entry(*stays).or_insert_with(|| sync_folder(root, stays));
    }
    let outcome = |path: &str| match &emptied[above(path)] {
        Ok(stays) => synced[stays].as_ref().map(drop).map_err(BlobError::again),
        Err(error) => Err(error.again()),
    };
    paths.iter().zip(unlinked).map(|(path, unlinked)| unlinked.and_then(|()| outcome(path))).collect()
}

/// The folder above; `""` stands for `blobs/` itself.
fn above(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Removes the folder, where it is empty, and so on upwards; the first that stays.
fn remove_empty_folders<'a>(root: &Root, mut folder: &'a str) -> Result<&'a str, BlobError> {
    while !folder.is_empty() && remove_empty(root, folder)? {
        fault_point::pass("folder-removed");
        folder = above(folder);
    }
    Ok(folder)
}

/// Syncs the folder, or the first above it that is still there.
fn sync_folder(root: &Root, mut folder: &str) -> Result<(), BlobError> {
    while !folder.is_empty() {
        match open_folder(&root.folder, folder) {
            Ok(opened) => return sync(opened, folder),
            Err(Errno::NOENT) => folder = above(folder),
            Err(errno) => return Err(BlobError::new(format!("opening the folder {folder}"), errno)),
        }
    }
    sync(&root.folder, "blobs/")
}

/// Whether the folder is gone. Something that keeps it, even a file system mounted there, is no error.
fn remove_empty(root: &Root, folder: &str) -> Result<bool, BlobError> {
    match root.durable.remove(folder, || rustix::fs::unlinkat(&root.folder, folder, AtFlags::REMOVEDIR)) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::NOTEMPTY | Errno::EXIST | Errno::BUSY | Errno::ACCESS | Errno::PERM) => Ok(false),
        Err(errno) => Err(BlobError::new(format!("removing the folder {folder}"), errno)),
    }
}

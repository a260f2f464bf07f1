//! Taking a blob away, and with it the folders that became empty, durably.

use rustix::fs::AtFlags;
use rustix::io::Errno;

use super::BlobError;
use super::root::{Root, open_folder, sync, unlink};
use crate::fault_point;

/// Removes `path` and every folder above it that is empty then, the account's too, and syncs the folder that stays: the only one
/// whose entries changed. What is gone already is synced all the same, since an earlier call may have failed between the two.
pub(super) fn remove(root: &Root, path: &str) -> Result<(), BlobError> {
    unlink(&root.folder, path)?;
    fault_point::pass("unlinked");
    let mut below = path;
    while let Some((folder, _)) = below.rsplit_once('/') {
        below = folder;
        if remove_empty(root, folder)? {
            fault_point::pass("folder-removed");
            continue;
        }
        match open_folder(&root.folder, folder) {
            Ok(opened) => return sync(opened, folder),
            Err(Errno::NOENT) => {}
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

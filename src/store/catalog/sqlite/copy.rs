//! A consistent copy of the catalog while others read and write.

use std::path::Path;

use ::rusqlite::Connection as Raw;
use ::rusqlite::backup::{Backup, StepResult};

use super::super::{CatalogError, Fault};
use super::fault;
use super::place::{create_private, io_error, sync_folder};

/// Copies into the new file `path` and syncs it; removes it again where that fails.
pub(super) fn copy(from: &Raw, path: &Path) -> Result<(), CatalogError> {
    let file = create_private(path).map_err(|error| io_error("making the copy of the catalog", error))?;
    let copied = copy_pages(from, path);
    let synced = copied.and_then(|()| {
        file.sync_all().and_then(|()| sync_folder(path)).map_err(|error| io_error("syncing the copy of the catalog", error))
    });
    synced.inspect_err(|_| {
        // The error that led here says more than one of the removal.
        let _ = std::fs::remove_file(path);
    })
}

/// All pages in one step: one read transaction, so one instant.
fn copy_pages(from: &Raw, path: &Path) -> Result<(), CatalogError> {
    let failed = |error: ::rusqlite::Error| fault::statement(&error, "copying the catalog".to_owned());
    let mut to = Raw::open(path).map_err(failed)?;
    let step = Backup::new(from, &mut to).map_err(failed)?.step(-1).map_err(failed)?;
    match step {
        StepResult::Done => Ok(()),
        _ => Err(CatalogError::new(Fault::Unavailable, "copying the catalog: it is busy")),
    }
}

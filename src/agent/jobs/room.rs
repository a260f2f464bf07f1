//! Whether the machine has the room that a run needs.

use std::path::Path;

use super::{Counted, Ended, Reporter};
use crate::model::run::RunState;
use crate::wire::channel::run::RunReport;

/// What has to be free where the cache is: a machine whose disk is full is not to be made worse.
const LEAST_FREE_BYTES: u64 = 100_000_000;

/// The end of a run that does not begin: `OutOfDiskSpace` where less than 100 MB are free on the file system of the cache. `None` where
/// there is enough, or where that cannot be told.
pub fn lacking(cache: &Path, reporter: &Reporter) -> Option<Ended> {
    let report = reporter.report(RunState::Failed, Counted::default());
    let failed = |note| Ended::Done(RunReport { reason: Some("OutOfDiskSpace".to_owned()), note: Some(note), ..report });
    lack(cache).map(failed)
}

fn lack(cache: &Path) -> Option<String> {
    let found = cache.ancestors().find_map(|folder| rustix::fs::statvfs(folder).ok())?;
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let note = || format!("Only {} MB are free where {} is; nothing begins below 100 MB.", free / 1_000_000, cache.display());
    (free < LEAST_FREE_BYTES).then(note)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_that_is_not_there_yet_has_the_room_of_the_folder_above() {
        let dir = tempfile::tempdir().unwrap();
        let found = rustix::fs::statvfs(dir.path()).unwrap();
        let is_enough = found.f_bavail * found.f_frsize >= LEAST_FREE_BYTES;
        assert_eq!(lack(&dir.path().join("state/cache")).is_none(), is_enough);
    }

    #[test]
    fn a_full_file_system_is_no_place_for_a_cache() {
        // What the kernel makes up has no bytes free.
        let note = lack(Path::new("/proc/nowhere/cache")).expect("there is no room in /proc");
        assert!(note.contains("Only 0 MB"), "{note}");
    }
}

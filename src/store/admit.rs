//! Whether there is room for an upload: on the disk and in the account's quota, counting what uploads in flight have promised.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::blobs::{Blobs, Space};
use super::promises::Promise;
use super::{Error, Result, Store};
use crate::model::account::Account;
use crate::model::file_name::FileName;
use crate::model::stored_file::quota_bytes;

/// Files that the disk must have room for beside the one that is admitted.
const RESERVE_FILES: u64 = 8;
/// How long the disk's word holds where it has plenty of room.
const HOLDS: Duration = Duration::from_millis(100);
/// Plenty: more than any disk takes in while the word holds.
const PLENTY_BYTES: u64 = 8 << 30;
const PLENTY_FILES: u64 = 1 << 17;

/// What the disk said of its room, and when.
#[derive(Default)]
pub(super) struct LastSpace(Mutex<Option<(Instant, Space)>>);

impl LastSpace {
    /// A word that holds, with plenty of room beside `needed_bytes`.
    fn plenty(&self, needed_bytes: u64) -> Option<Space> {
        let last = *self.0.lock().expect("nobody panics while holding the last word");
        let (_, space) = last.filter(|(told, _)| told.elapsed() < HOLDS)?;
        let has_plenty = space.free_bytes.saturating_sub(needed_bytes) > PLENTY_BYTES && space.free_files > PLENTY_FILES;
        has_plenty.then_some(space)
    }

    fn note(&self, space: Space) {
        *self.0.lock().expect("nobody panics while holding the last word") = Some((Instant::now(), space));
    }
}

impl Store {
    /// Promises room for an upload. Errors: `OverQuota`, `DiskFull`, `Unavailable`.
    pub(super) async fn admit(&self, account: &Account, name: &FileName, size_bytes: u64) -> Result<Promise> {
        self.admit_counted(account, size_bytes, quota_bytes(name, size_bytes)).await
    }

    /// The same for more bytes of an upload that was admitted before.
    pub(super) async fn admit_more(&self, account: &Account, more_bytes: u64) -> Result<Promise> {
        self.admit_counted(account, more_bytes, more_bytes).await
    }

    async fn admit_counted(&self, account: &Account, size_bytes: u64, needed_quota: u64) -> Result<Promise> {
        let reserve = self.inner.settings.disk_reserve_bytes;
        let space = self.space(size_bytes.saturating_add(reserve)).await?;
        self.inner.promises.admit(&account.id, size_bytes, needed_quota, |unwritten, promised_quota| {
            let used = account.used_bytes.saturating_add(promised_quota);
            if let Some(quota) = account.quota_bytes
                && used.saturating_add(needed_quota) > quota
            {
                return Err(Error::OverQuota { quota_bytes: quota, used_bytes: used, needed_bytes: needed_quota });
            }
            let free = space.free_bytes.saturating_sub(reserve).saturating_sub(unwritten);
            if size_bytes > free || space.free_bytes < reserve || space.free_files < RESERVE_FILES {
                return Err(Error::DiskFull { free_bytes: free, needed_bytes: size_bytes });
            }
            Ok(())
        })
    }

    /// The disk's room: asked for each time, unless it was plenty a moment ago.
    async fn space(&self, needed_bytes: u64) -> Result<Space> {
        if let Some(space) = self.inner.last_space.plenty(needed_bytes.saturating_add(self.inner.promises.unwritten_bytes())) {
            return Ok(space);
        }
        let space = self.blocking(Blobs::space).await?.map_err(|error| self.blob_write_failed(error, needed_bytes))?;
        self.inner.last_space.note(space);
        Ok(space)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plenty_of_room_is_believed_and_not_for_long() {
        let last = LastSpace::default();
        assert_eq!(last.plenty(0), None);
        let space = Space { free_bytes: PLENTY_BYTES + 100, free_files: PLENTY_FILES + 1 };
        last.note(space);
        assert_eq!((last.plenty(99), last.plenty(100)), (Some(space), None));
        last.note(Space { free_files: PLENTY_FILES, ..space });
        assert_eq!(last.plenty(0), None, "files run out, too");
        *last.0.lock().expect("no test panics") = Instant::now().checked_sub(HOLDS).map(|then| (then, space));
        assert_eq!(last.plenty(0), None, "it was told too long ago");
    }
}

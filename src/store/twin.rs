//! Two whole blobs with one name and one SHA-256: one is kept, and only after both were read.
//!
//! They come from an upload whose commit failed and that was sent again, or from a copy that was put back. Were the one without a row
//! given up unread against the other, a file could be deleted in favour of one that has rotted meanwhile.

use super::adopt::settle;
use super::blobs::BlobKey;
use super::catalog::{CatalogError, Connection};
use super::commit::{WAS_DAMAGED, days_kept, insert_sums};
use super::verify::{self, Finding};
use super::{Result, Store, rows};
use crate::model::digest::BlockSums;
use crate::model::instant::{DAY_MICROS, Instant};
use crate::model::stored_file::{FileState, StoredFile};
use crate::shutdown::Shutdown;

impl Store {
    /// Settles a whole blob in `checking`, read since `began`, with the live file of its name and SHA-256. Both whole: the one whose
    /// life is counted from later is kept, the other doomed. The holder is damaged or gone: the blob takes its place and its creation.
    pub(super) async fn settle_twin(
        &self,
        key: &BlobKey,
        size_bytes: u64,
        sums: BlockSums,
        holder: StoredFile,
        began: Instant,
        shutdown: &Shutdown,
    ) -> Result<Option<FileState>> {
        let (read, stopping) = (BlobKey::of(&holder), shutdown.clone());
        let held = self.blocking(move |blobs| verify::read_whole(blobs, &read, Some(size_bytes), &mut |_| !stopping.is_stopping())).await?;
        let is_late = self.now().micros_since(began) >= DAY_MICROS;
        let displaced = match held {
            Finding::Unknown(_) | Finding::Unreadable(_) => return Ok(None),
            _ if is_late => return Ok(None),
            Finding::Whole { .. } if holder.kept_from >= key.kept_from => {
                let id = key.id.clone();
                return self.write(move |connection| settle(connection, &id, FileState::Doomed, "")).await;
            }
            Finding::Whole { .. } => Displaced::Doomed,
            Finding::Damaged(_) | Finding::Missing => Displaced::Quarantined,
        };
        let (key, now) = (key.clone(), self.now());
        self.write(move |connection| take_place(connection, &key, &sums, &holder, displaced, now)).await
    }
}

/// What becomes of the file that held the name.
#[derive(Clone, Copy)]
enum Displaced {
    /// Its bytes are there twice.
    Doomed,
    /// What is left of its bytes is kept.
    Quarantined,
}

/// The blob becomes live in place of `holder`, with its creation, where both still are what they were. Its life is counted from what
/// its own key says: of a damaged holder's copy that may be earlier, by the time between the two uploads.
fn take_place(
    connection: &mut dyn Connection,
    key: &BlobKey,
    sums: &BlockSums,
    holder: &StoredFile,
    displaced: Displaced,
    now: Instant,
) -> std::result::Result<Option<FileState>, CatalogError> {
    let (state, why) = match displaced {
        Displaced::Doomed => (FileState::Doomed, None),
        Displaced::Quarantined => (FileState::Quarantined, Some(WAS_DAMAGED)),
    };
    let still = "SELECT 1 FROM files WHERE random = $1 AND state = 'checking'";
    if connection.query(still, &[key.id.as_str().into()])?.is_empty() {
        return Ok(None);
    }
    let displace = "UPDATE files SET state = $2, why = $3 WHERE random = $1 AND state = 'live'";
    if connection.execute(displace, &[holder.id.as_str().into(), state.as_str().into(), why.into()])? == 0 {
        return Ok(None);
    }
    let Some((change, _)) = rows::next_change(connection, &key.account, 0, now)? else { return Ok(None) };
    let replace = format!(
        "UPDATE files SET state = 'live', change = $2, size = $3, created_at = $4, checked_at = $5, why = NULL, \
         expires_at = kept_from * 1000000 + {DAY_MICROS} * {} WHERE random = $1",
        days_kept("files.account", "$4")
    );
    let values = [
        key.id.as_str().into(),
        change.into(),
        rows::signed(holder.size_bytes).into(),
        holder.created_at.micros().into(),
        now.micros().into(),
    ];
    connection.execute(&replace, &values)?;
    insert_sums(connection, key, sums)?;
    Ok(Some(FileState::Live))
}

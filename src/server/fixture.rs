//! What tests of this module start from.

use crate::model::access::AccountId;
use crate::model::digest::Sha256Digest;
use crate::model::file_name::FileName;
use crate::model::instant::{DAY_MICROS, Instant};
use crate::model::stored_file::{BlobId, FileState, StoredFile};

pub const NOW: Instant = Instant::from_seconds(1_800_000_000);

/// A file that was stored a day before [`NOW`] and is kept for 30 days.
pub fn stored(name: &str, size_bytes: u64) -> StoredFile {
    let created_at = NOW.plus_micros(-DAY_MICROS);
    StoredFile {
        account: "Y21R3P".parse::<AccountId>().expect("it is an account's name"),
        name: FileName::parse(name.as_bytes()).expect("a test's name is valid"),
        id: BlobId::random(),
        state: FileState::Live,
        size_bytes,
        sha256: Sha256Digest::of(name.as_bytes()),
        created_at,
        kept_from: created_at,
        expires_at: created_at.plus_micros(30 * DAY_MICROS),
        hidden_at: None,
        checked_at: None,
        damaged_at: None,
    }
}

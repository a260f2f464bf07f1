//! What a backup has done.

use std::sync::Mutex;

use jiff::Timestamp;

use crate::vault::failure::Failure;
use crate::vault::id::Id;

/// Failures kept in a report; of more only the number is kept.
const MOST_FAILURES: usize = 100_000;

/// What a backup has done.
#[derive(Clone, Debug)]
pub struct Report {
    /// `None` for a dry run, and where there was nothing, or nothing that has changed since the parent, and that was to be skipped.
    pub snapshot: Option<Id>,
    pub tree: Id,
    /// The snapshot with which it was compared.
    pub parent: Option<Id>,
    pub started: Timestamp,
    pub ended: Timestamp,
    pub count: Count,
    /// Bytes that were written into the repository, indexes and snapshot left out; 0 for a dry run.
    pub bytes_stored: u64,
    /// Entries that are not in the snapshot, or not as they were: in no order.
    pub failures: Vec<Failure>,
    /// Further ones that are not listed.
    pub failures_left_out: u64,
}

/// Numbers of a backup.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Count {
    /// Files that are in the snapshot, by what they were in the parent.
    pub files_new: u64,
    pub files_changed: u64,
    pub files_unmodified: u64,
    pub folders_new: u64,
    pub folders_changed: u64,
    pub folders_unmodified: u64,
    /// Links, devices and FIFOs.
    pub others: u64,
    /// Bytes of all files in the snapshot.
    pub bytes: u64,
    /// Chunks and trees that the repository did not have, and their plain bytes.
    pub chunks_added: u64,
    pub trees_added: u64,
    pub bytes_added: u64,
}

impl Count {
    pub const fn files(&self) -> u64 {
        self.files_new + self.files_changed + self.files_unmodified
    }

    pub const fn folders(&self) -> u64 {
        self.folders_new + self.folders_changed + self.folders_unmodified
    }
}

/// Where every thread of a run lists what failed.
#[derive(Default)]
pub(super) struct Failures(Mutex<(Vec<Failure>, u64)>);

impl Failures {
    pub(super) fn push(&self, failure: Failure) {
        let mut state = self.0.lock().expect("nothing panics while it holds the list");
        if state.0.len() < MOST_FAILURES {
            state.0.push(failure);
        } else {
            state.1 += 1;
        }
    }

    pub(super) fn into_inner(self) -> (Vec<Failure>, u64) {
        self.0.into_inner().expect("nothing panics while it holds the list")
    }
}

impl Report {
    /// As restic keeps it in a snapshot since 0.17.
    pub(super) fn summary(&self) -> serde_json::Value {
        let count = &self.count;
        serde_json::json!({
            "backup_start": self.started.to_string(),
            "backup_end": self.ended.to_string(),
            "files_new": count.files_new,
            "files_changed": count.files_changed,
            "files_unmodified": count.files_unmodified,
            "dirs_new": count.folders_new,
            "dirs_changed": count.folders_changed,
            "dirs_unmodified": count.folders_unmodified,
            "data_blobs": count.chunks_added,
            "tree_blobs": count.trees_added,
            "data_added": count.bytes_added,
            "data_added_packed": self.bytes_stored,
            "total_files_processed": count.files(),
            "total_bytes_processed": count.bytes,
        })
    }
}

//! Chunks that go to a worker by twos.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::vault::backup::job::{ChunkJob, LargeFile};
use crate::vault::backup::pool::Pool;
use crate::vault::backup::reader::Worker;
use crate::vault::backup::report::Failures;
use crate::vault::backup::saver::{Added, Saver};
use crate::vault::cancel::Cancel;
use crate::vault::error::Error;
use crate::vault::progress::Progress;
use crate::vault::testing::{Vault, bytes};

/// Raises the flag with the first chunk that is done.
struct CancelAtOnce<'a>(&'a Cancel, Mutex<Vec<u64>>);

impl Progress for CancelAtOnce<'_> {
    fn did(&self, _files: u64, bytes: u64) {
        self.0.raise();
        self.1.lock().unwrap().push(bytes);
    }
}

#[test]
fn a_cancel_is_seen_between_two_chunks_that_came_together() {
    let (vault, cancel, pool, file) = (Vault::new(), Cancel::default(), Pool::default(), Arc::new(LargeFile::new()));
    let progress = CancelAtOnce(&cancel, Mutex::default());
    let index = Mutex::new(vault.index());
    let saver = Saver { repository: &vault.repository, index: &index, writer: None, compression: None, added: Added::default() };
    let failures = Failures::default();
    let worker = Worker {
        pool: &pool,
        saver: &saver,
        failures: &failures,
        progress: &progress,
        cancel: &cancel,
        home: Arc::default(),
        with_atime: false,
    };
    for length in [100, 200] {
        let chunk = ChunkJob { file: Arc::clone(&file), number: file.begin_chunk(), bytes: Bytes::from(bytes(1, length)) };
        assert!(pool.offer_chunk(chunk).is_none());
    }
    pool.close();
    assert!(matches!(worker.run(), Err(Error::Cancelled)));
    assert_eq!((saver.added.chunks.load(Ordering::Relaxed), progress.1.into_inner().unwrap()), (1, vec![100]));
}

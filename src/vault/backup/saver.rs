//! What becomes of a blob's plain bytes: nothing where the repository has it, else it is compressed, sealed and handed to the writer.

use std::cell::RefCell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::vault::compression::Compression;
use crate::vault::error::Error;
use crate::vault::id::Id;
use crate::vault::index::Index;
use crate::vault::pack::BlobKind;
use crate::vault::repository::Repository;
use crate::vault::seal::seal_blob;
use crate::vault::writer::PackWriter;

/// Saves blobs; may be used by many threads.
pub(super) struct Saver<'a> {
    pub repository: &'a Repository,
    pub index: &'a Mutex<Index>,
    /// `None` for a dry run.
    pub writer: Option<&'a PackWriter<'a>>,
    pub compression: Option<Compression>,
    pub added: Added,
}

/// What the repository did not have.
#[derive(Default)]
pub(super) struct Added {
    pub chunks: AtomicU64,
    pub trees: AtomicU64,
    pub bytes: AtomicU64,
}

thread_local! {
    static SEALED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Saver<'_> {
    /// Its id. It is stored when the writer has ended, not before.
    pub(super) fn save(&self, kind: BlobKind, plain: &[u8]) -> Result<Id, Error> {
        self.save_as(self.id_of(plain), kind, plain)
    }

    fn id_of(&self, plain: &[u8]) -> Id {
        self.writer.and_then(|writer| writer.hash_beside(plain)).unwrap_or_else(|| Id::of(plain))
    }

    /// The ids of two blobs: each is hashed beside a pack, where one waits for that, else beside the other one.
    pub(super) fn ids_of_two(&self, plain: [&[u8]; 2]) -> [Id; 2] {
        match self.writer.and_then(|writer| writer.hash_beside(plain[0])) {
            Some(id) => [id, self.id_of(plain[1])],
            None => Id::of_two(plain),
        }
    }

    /// The same where somebody knows its id.
    pub(super) fn save_as(&self, id: Id, kind: BlobKind, plain: &[u8]) -> Result<Id, Error> {
        if !self.index.lock().expect("nothing panics while it holds the index").claim(kind, id) {
            return Ok(id);
        }
        let count = match kind {
            BlobKind::Data => &self.added.chunks,
            BlobKind::Tree => &self.added.trees,
        };
        count.fetch_add(1, Ordering::Relaxed);
        self.added.bytes.fetch_add(plain.len() as u64, Ordering::Relaxed);
        let Some(writer) = self.writer else { return Ok(id) };
        SEALED.with_borrow_mut(|sealed| {
            let raw_length = seal_blob(kind, plain, self.compression, self.repository.sealer(), sealed);
            writer.push(kind, id, sealed, raw_length)
        })?;
        Ok(id)
    }

    /// Whether the repository has, or is about to have, all these chunks.
    pub(super) fn has_all(&self, chunks: &[Id]) -> bool {
        let index = self.index.lock().expect("nothing panics while it holds the index");
        chunks.iter().all(|id| index.has(BlobKind::Data, *id))
    }
}

//! A repository's place in memory, and one in a folder that is only read.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::vault::backend::content::Content;
use crate::vault::backend::{Backend, Kind, Listed, Name};
use crate::vault::error::Error;

/// Clones are the same place.
#[derive(Clone, Default)]
pub(super) struct Memory {
    pub files: Arc<Mutex<HashMap<Name, Bytes>>>,
    /// Looked at before each read of a pack.
    pub on_read: Arc<Mutex<Option<OnRead>>>,
    /// After so many reads of packs it does not answer any more; 0 is never.
    pub silent_after: Arc<AtomicUsize>,
    reads: Arc<AtomicUsize>,
}

type OnRead = Box<dyn FnMut() + Send>;

fn part(name: Name, bytes: &Bytes, range: Option<Range<u64>>) -> Result<Content, Error> {
    let Some(range) = range else { return Ok(bytes.to_vec().into()) };
    let range = range.start as usize..range.end as usize;
    // As every place does it: new bytes for each read.
    let found = bytes.get(range).ok_or_else(|| Error::damaged(name.to_string(), "it ends before"))?;
    Ok(found.to_vec().into())
}

impl Backend for Memory {
    fn location(&self) -> String {
        "memory".to_owned()
    }

    fn create(&self) -> Result<(), Error> {
        Ok(())
    }

    fn list(&self, kind: Kind) -> Result<Vec<Listed>, Error> {
        let files = self.files.lock().unwrap();
        let of_kind = files.iter().filter_map(|(name, bytes)| match name {
            Name::Of(one, id) if *one == kind => Some(Listed { id: *id, size_bytes: bytes.len() as u64 }),
            _ => None,
        });
        Ok(of_kind.collect())
    }

    fn size_bytes(&self, name: Name) -> Result<u64, Error> {
        self.read(name, None).map(|bytes| bytes.len() as u64)
    }

    fn read(&self, name: Name, range: Option<Range<u64>>) -> Result<Content, Error> {
        if let (Name::Of(Kind::Data, _), Some(on_read)) = (name, self.on_read.lock().unwrap().as_mut()) {
            on_read();
        }
        if matches!(name, Name::Of(Kind::Data, _)) {
            let (reads, silent_after) = (self.reads.fetch_add(1, Ordering::Relaxed), self.silent_after.load(Ordering::Relaxed));
            if silent_after != 0 && reads >= silent_after {
                return Err(Error::Unavailable { doing: format!("reading {name}"), source: "silence".into() });
            }
        }
        let files = self.files.lock().unwrap();
        part(name, files.get(&name).ok_or_else(|| Error::NotFound(name.to_string()))?, range)
    }

    fn save(&self, name: Name, bytes: Bytes) -> Result<(), Error> {
        self.files.lock().unwrap().insert(name, bytes);
        Ok(())
    }

    fn remove(&self, name: Name) -> Result<(), Error> {
        self.files.lock().unwrap().remove(&name);
        Ok(())
    }

    fn lists_at_once(&self) -> bool {
        true
    }
}

impl Memory {
    /// The files of a repository in a folder, as they are now.
    pub(super) fn of_folder(folder: &Path) -> Self {
        let memory = Self::default();
        let config = std::fs::read(folder.join("config")).unwrap();
        memory.save(Name::Config, config.into()).unwrap();
        for kind in [Kind::Data, Kind::Key, Kind::Snapshot, Kind::Index] {
            let mut folders: Vec<PathBuf> = vec![folder.join(kind.folder())];
            while let Some(at) = folders.pop() {
                for entry in std::fs::read_dir(at).unwrap() {
                    let path = entry.unwrap().path();
                    if path.is_dir() {
                        folders.push(path);
                    } else {
                        let id = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
                        memory.save(Name::Of(kind, id), std::fs::read(&path).unwrap().into()).unwrap();
                    }
                }
            }
        }
        memory
    }
}

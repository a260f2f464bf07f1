//! A repository's place in memory. Clones are the same place.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::vault::backend::content::Content;
use crate::vault::backend::{Backend, Kind, Listed, Name};
use crate::vault::error::Error;
use crate::vault::id::Id;

pub(in crate::vault) const KINDS: [Kind; 5] = [Kind::Data, Kind::Key, Kind::Lock, Kind::Snapshot, Kind::Index];

type Files = HashMap<Name, Bytes>;

#[derive(Clone, Default)]
pub(in crate::vault) struct Place(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    files: Files,
    /// Changes that still succeed; after them nothing does.
    changes_left: Option<usize>,
    /// Whether the first change that fails is made all the same, as where its answer is lost.
    makes_the_last: bool,
    changes: usize,
    refuses_locks: bool,
    lists_late: bool,
}

impl Place {
    /// What is in the folder of a repository.
    pub(in crate::vault) fn load(folder: &Path) -> Self {
        let place = Self::default();
        let mut files = Files::new();
        files.insert(Name::Config, std::fs::read(folder.join("config")).unwrap().into());
        for kind in KINDS {
            read_below(&folder.join(kind.folder()), &mut |id, bytes| drop(files.insert(Name::Of(kind, id), bytes)));
        }
        place.set_files(files);
        place
    }

    /// Makes the folder of a repository hold exactly this.
    pub(in crate::vault) fn dump(&self, folder: &Path) {
        for kind in KINDS {
            let _ = std::fs::remove_dir_all(folder.join(kind.folder()));
            std::fs::create_dir_all(folder.join(kind.folder())).unwrap();
        }
        for (name, bytes) in self.files() {
            let path = match name {
                Name::Of(Kind::Data, id) => folder.join("data").join(&id.hex()[..2]).join(id.hex()),
                name => folder.join(name.to_string()),
            };
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }

    pub(in crate::vault) fn files(&self) -> Files {
        self.0.lock().unwrap().files.clone()
    }

    /// Puts back what [`Self::files`] gave; the place works again.
    pub(in crate::vault) fn set_files(&self, files: Files) {
        *self.0.lock().unwrap() = State { files, ..State::default() };
    }

    pub(in crate::vault) fn ids(&self, kind: Kind) -> Vec<Id> {
        self.list(kind).unwrap().into_iter().map(|listed| listed.id).collect()
    }

    pub(in crate::vault) fn remove_file(&self, name: Name) {
        assert!(self.0.lock().unwrap().files.remove(&name).is_some(), "{name} is there");
    }

    pub(in crate::vault) fn put(&self, name: Name, bytes: impl Into<Bytes>) {
        self.0.lock().unwrap().files.insert(name, bytes.into());
    }

    /// Changes a file where it lies, as a bad disk does.
    pub(in crate::vault) fn change(&self, name: Name, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = self.files()[&name].to_vec();
        change(&mut bytes);
        self.put(name, bytes);
    }

    /// From now on so many changes succeed, and then nothing does any more: the caller is as good as killed.
    pub(in crate::vault) fn die_after(&self, changes: usize, makes_the_last: bool) {
        let mut state = self.0.lock().unwrap();
        (state.changes_left, state.makes_the_last) = (Some(changes), makes_the_last);
    }

    pub(in crate::vault) fn revive(&self) {
        self.0.lock().unwrap().changes_left = None;
    }

    pub(in crate::vault) fn refuse_locks(&self) {
        self.0.lock().unwrap().refuses_locks = true;
    }

    /// Nobody knows any more whether a list tells of everything.
    pub(in crate::vault) fn list_late(&self) {
        self.0.lock().unwrap().lists_late = true;
    }

    /// How many changes there were.
    pub(in crate::vault) fn changes(&self) -> usize {
        self.0.lock().unwrap().changes
    }

    /// Stores a file, or removes it.
    fn change_file(&self, name: Name, bytes: Option<Bytes>) -> Result<(), Error> {
        let mut state = self.0.lock().unwrap();
        if state.refuses_locks && matches!(name, Name::Of(Kind::Lock, _)) {
            return Err(Error::Refused("403".to_owned()));
        }
        if name == Name::Config && state.files.get(&name).is_some_and(|there| bytes.as_ref().is_some_and(|bytes| bytes != there)) {
            return Err(Error::Refused("another config is there".to_owned()));
        }
        let is_dead = state.changes_left == Some(0);
        if !is_dead || std::mem::take(&mut state.makes_the_last) {
            match bytes {
                Some(bytes) => drop(state.files.insert(name, bytes)),
                None => drop(state.files.remove(&name)),
            }
        }
        if is_dead {
            return Err(dead());
        }
        state.changes_left = state.changes_left.map(|left| left - 1);
        state.changes += 1;
        Ok(())
    }

    fn look<T>(&self, look: impl FnOnce(&Files) -> Result<T, Error>) -> Result<T, Error> {
        look(&self.0.lock().unwrap().files)
    }
}

fn dead() -> Error {
    Error::Unavailable { doing: "a call".to_owned(), source: "killed".into() }
}

fn read_below(folder: &Path, take: &mut dyn FnMut(Id, Bytes)) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_below(&path, take);
        } else if let Ok(id) = path.file_name().unwrap().to_str().unwrap().parse() {
            take(id, std::fs::read(&path).unwrap().into());
        }
    }
}

impl Backend for Place {
    fn location(&self) -> String {
        "memory".to_owned()
    }

    fn create(&self) -> Result<(), Error> {
        Ok(())
    }

    fn list(&self, kind: Kind) -> Result<Vec<Listed>, Error> {
        self.look(|files| {
            let listed = files.iter().filter_map(|(name, bytes)| match name {
                Name::Of(of, id) if *of == kind => Some(Listed { id: *id, size_bytes: bytes.len() as u64 }),
                _ => None,
            });
            let mut listed: Vec<Listed> = listed.collect();
            listed.sort_by_key(|listed| listed.id);
            Ok(listed)
        })
    }

    fn size_bytes(&self, name: Name) -> Result<u64, Error> {
        self.read(name, None).map(|bytes| bytes.len() as u64)
    }

    fn read(&self, name: Name, range: Option<Range<u64>>) -> Result<Content, Error> {
        self.look(|files| {
            let bytes = files.get(&name).ok_or_else(|| Error::NotFound(name.to_string()))?;
            match range {
                None => Ok(bytes.to_vec().into()),
                Some(range) if range.end > bytes.len() as u64 => Err(Error::damaged(name.to_string(), "it is too short")),
                Some(range) => Ok(bytes[range.start as usize..range.end as usize].to_vec().into()),
            }
        })
    }

    fn save(&self, name: Name, bytes: Bytes) -> Result<(), Error> {
        self.change_file(name, Some(bytes))
    }

    fn remove(&self, name: Name) -> Result<(), Error> {
        self.change_file(name, None)
    }

    fn lists_at_once(&self) -> bool {
        !self.0.lock().unwrap().lists_late
    }
}
